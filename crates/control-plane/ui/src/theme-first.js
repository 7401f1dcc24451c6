// Sets the theme before the first paint. `theme.ts` knows the same key and words.
(function () {
  var wanted = new URLSearchParams(location.search).get("theme");
  try {
    wanted = wanted || localStorage.getItem("assay.theme");
  } catch (refused) {}
  var dark = wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
