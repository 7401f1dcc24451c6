// Pictures as files, drawn by a browser that has nothing else.

import { readFileSync } from "node:fs";
import { expect, show, test } from "./site";

for (const [choice, end, words] of [
  [/over time$/, "over-time.svg", "Always-valid p so far, log scale"],
  [/, intervals$/, "intervals.svg", "Men’s email"],
] as const) {
  test(`an SVG, ${end}`, async ({ page, fixture }) => {
    await show(page, `${fixture.url}/experiments/hillstrom?metric=spend&theme=dark`);
    await page.locator("#sql").getByRole("button", { name: "SVG" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#sql").getByRole("button", { name: choice }).click()]);
    expect(download.suggestedFilename()).toBe(`hillstrom-spend-${end}`);
    const svg = readFileSync(await download.path(), "utf8");
    await page.goto(`data:image/svg+xml,${encodeURIComponent(svg)}`);
    await expect(page.locator("text", { hasText: words }).first()).toBeVisible();
    // The paper is white in the dark theme, too.
    await expect(page.locator("rect").first()).toHaveAttribute("fill", /^#fff(fff)?$/);
    const outside = await page.evaluate(() => {
      const page = document.documentElement.getBoundingClientRect();
      return [...document.querySelectorAll("text")].map((it) => [it.textContent, it.getBoundingClientRect()] as const).filter(([, box]) => box.left < page.left || box.right > page.right || box.bottom > page.bottom).map(([text]) => text);
    });
    expect(outside).toEqual([]);
  });
}

test("a picture that cannot be drawn says so", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  fixture.state.broken = 503;
  await page.locator("#sql").getByRole("button", { name: "SVG" }).click();
  await page.locator("#sql").getByRole("button", { name: /over time$/ }).click();
  await expect(page.locator("#sql [role=alert]")).toContainText("The config store is away.");
});
