// Every page at three widths in both themes: nothing for axe to say, nothing scrolls sideways, nothing leaves the host.

import AxeBuilder from "@axe-core/playwright";
import { expect, show, test } from "./site";

const WIDTHS = [1440, 768, 390];
const THEMES = ["light", "dark"] as const;
const PAGES = ["/experiments", "/experiments/{id}", "/experiments/{id}?scale=difference", "/plan", "/status", "/nowhere"];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

for (const path of PAGES) {
  for (const theme of THEMES) {
    test(`${path} in ${theme}`, async ({ page, site }) => {
      const foreign: string[] = [];
      const problems: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(site.url) && !/^(blob|data):/.test(request.url())) foreign.push(request.url());
      });
      page.on("console", (message) => {
        // A missing document is told by the page, and by the browser.
        if (message.type() === "error" && !/Failed to load resource/.test(message.text())) problems.push(message.text());
      });
      page.on("pageerror", (error) => problems.push(String(error)));
      const address = `${site.url}${path.replace("{id}", site.experiment)}`;
      await show(page, `${address}${address.includes("?") ? "&" : "?"}theme=${theme}`);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(over, `${path} scrolls sideways at ${width}`).toBeLessThanOrEqual(0);
        const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
        expect(violations.map((it) => `${it.id} at ${width}: ${it.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(", ")}`)).toEqual([]);
      }
      expect(foreign).toEqual([]);
      expect(problems).toEqual([]);
    });
  }
}

test("an open drawer and dialogs are as accessible", async ({ page, site }) => {
  await show(page, `${site.url}/experiments/${site.experiment}`);
  await page.locator("#metrics .opener").first().click();
  await expect(page.locator("tr.drawer")).toBeVisible();
  const analyse = async () => (await new AxeBuilder({ page }).withTags(RULES).analyze()).violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  expect(await analyse()).toEqual([]);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  expect(await analyse()).toEqual([]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await expect(page.getByRole("dialog", { name: "Find an experiment" })).toBeVisible();
  expect(await analyse()).toEqual([]);
});

test("weeks of first exposure, each on its own, instead of the charts", async ({ page, site }) => {
  await show(page, `${site.url}/experiments/${site.experiment}`);
  const time = page.locator("#time");
  await time.getByRole("button", { name: "Week by week" }).click();
  const table = time.getByRole("table", { name: /each on its own, not corrected/ });
  await expect(table.getByRole("row").nth(1)).toContainText(/^1: \d+ \w+ to \d+ \w+/);
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(over, `scrolls sideways at ${width}`).toBeLessThanOrEqual(0);
  }
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  expect(violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual([]);
  await time.getByRole("button", { name: "Cumulative" }).click();
  await expect(table).toBeHidden();
});

test("the split within a segment value, after a click", async ({ page, site }) => {
  await show(page, `${site.url}/experiments/${site.experiment}`);
  const health = page.locator("#health");
  const within = health.locator("details.within");
  test.skip((await within.count()) === 0, "no segments here");
  await within.locator("summary").click();
  const value = within.getByRole("button").first();
  const name = (await value.textContent()) ?? "";
  await value.click();
  await expect(health.getByLabel(`Running p of the split within ${name} over time`)).toBeVisible();
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  expect(violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual([]);
  await value.click();
  await expect(health.getByLabel("Running p of the split over time")).toBeVisible();
});

test("printed, the page is ink on paper, without its bars, and all of it", async ({ page, site }) => {
  await show(page, `${site.url}/experiments/${site.experiment}?theme=dark`);
  await page.emulateMedia({ media: "print" });
  await expect(page.locator(".top")).toBeHidden();
  await expect(page.locator(".sub")).toBeHidden();
  for (const id of ["metrics", "time", "segments", "health", "setup", "sql"]) await expect(page.locator(`#${id}`)).toBeVisible();
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(ground).toBe("rgb(255, 255, 255)");
  const ink = await page.evaluate(() => getComputedStyle(document.querySelector("h1") as Element).color);
  expect(ink).toBe("rgb(22, 24, 29)");
});

test("forced colours keep the bars", async ({ page, site }) => {
  await page.emulateMedia({ forcedColors: "active" });
  await show(page, `${site.url}/experiments/${site.experiment}`);
  await expect(page.locator("#metrics h2")).toBeVisible();
});
