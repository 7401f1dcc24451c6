// The newest look comes inside the page itself, so that the first paint has numbers. It is used once, for the address it was made for.

let unused = true;

export function firstPaint(): unknown {
  if (!unused) return null;
  unused = false;
  const text = document.getElementById("look")?.textContent?.trim();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
