// From the list to a decision's evidence without a pointer.

import { expect, show, test } from "./site";

test("a walk by keys alone", async ({ page, site }) => {
  await show(page, `${site.url}/experiments`);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("j");
  await expect(page.locator("[data-row]").first()).toBeFocused();
  await page.keyboard.press("/");
  const find = page.getByRole("combobox", { name: "Title, id or owner" });
  await expect(find).toBeFocused();
  await page.keyboard.type(site.experiment);
  await expect(page.getByRole("option").first()).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(new RegExp(`/experiments/${site.experiment}$`));
  await expect(page.locator("#sql")).toBeVisible();
  await expect(page.locator("main")).toBeFocused();

  await page.keyboard.press("j");
  const row = page.locator("#metrics [data-row]").first();
  await expect(row).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(row).toHaveAttribute("aria-expanded", "true");
  await expect(page.locator("tr.drawer")).toContainText("p so far, which decides");
  await page.keyboard.press("Enter");
  await expect(page.locator("tr.drawer")).toHaveCount(0);

  await page.keyboard.press("d");
  await expect(page).toHaveURL(/scale=difference/);
  await expect(page.getByRole("button", { name: "Difference" })).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("d");
  await expect(page).not.toHaveURL(/scale=/);

  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);

  const before = await page.locator("html").getAttribute("data-theme");
  for (let n = 0; n < 3 && (await page.locator("html").getAttribute("data-theme")) === before; n += 1) await page.keyboard.press("t");
  await expect(page.locator("html")).not.toHaveAttribute("data-theme", before ?? "");

  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await expect(page).toHaveURL(/\/experiments$/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Experiments");
});

test("single keys can be switched off", async ({ page, site }) => {
  await show(page, `${site.url}/experiments`);
  await page.keyboard.press("?");
  await page.getByLabel("Single keys do something").uncheck();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a chart is read point by point", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  const chart = page.locator("#time .plot").first();
  await chart.focus();
  await page.keyboard.press("Home");
  await expect(chart).toContainText("10 Nov 02:42 UTC, 2,774 customers");
  await page.keyboard.press("ArrowRight");
  await expect(chart).toContainText("10 Nov 06:51 UTC");
  await page.keyboard.press("End");
  await expect(chart).toContainText("23 Nov 18:42 UTC");
  await expect(chart).toContainText("+119%, +59% to +214%");
  await page.locator("#time").getByRole("button", { name: "Show as table" }).click();
  await expect(page.locator("#time table caption")).toHaveText("Purchase rate at every look shown above");
  expect(await page.locator("#time tbody tr").count()).toBeGreaterThan(300);
});

test("a look before, and back to live", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  await expect(page.locator("#time .plot").first()).toBeVisible();
  await page.keyboard.press("[");
  await expect(page).toHaveURL(/look=2026-11-2/);
  await expect(page.locator(".top.frozen")).toContainText("Look of");
  await page.keyboard.press("l");
  await expect(page).not.toHaveURL(/look=/);
  await expect(page.locator(".top")).toContainText("Live");
});
