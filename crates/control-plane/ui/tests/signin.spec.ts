// A server that asks readers for a token: the page asks once, shows it with everything it fetches, and forgets it when told.

import AxeBuilder from "@axe-core/playwright";
import { readFileSync } from "node:fs";
import { expect, test } from "./site";

test("the page asks for the token, works with it, and forgets it", async ({ page, fixture }) => {
  fixture.state.token = "s3cret";
  await page.goto(`${fixture.url}/experiments/hillstrom`);
  const field = page.getByLabel("Token");
  await expect(field).toBeFocused();
  await expect(page.locator("h1")).toHaveText("This server asks readers for a token");
  for (const scheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target.join(" ")).join(", ")}`)).toEqual([]);
  }

  await field.fill("guess");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toHaveText("This is not the token of this server.");
  await field.fill("gueß ✓");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toHaveText("This is not the token of this server.");
  await field.fill("s3cret");
  await page.getByRole("button", { name: "Open" }).click();

  // Numbers, a stream, and files.
  await expect(page.locator("#metrics h2")).toBeVisible();
  await expect(page.locator("#sql")).toBeVisible();
  await expect.poll(() => fixture.streams.size).toBe(1);
  await expect(page.locator(".live")).not.toContainText("Not connected");
  const files = page.locator("#sql");
  for (const [name, start] of [["CSV", "experiment,look\nhillstrom,2026"], ["JSON", "{\n"]] as const) {
    const saved = page.waitForEvent("download");
    await (name === "CSV" ? files.getByRole("link", { name }) : files.getByRole("button", { name })).click();
    const file = await saved;
    expect(file.suggestedFilename()).toBe(`hillstrom.${name.toLowerCase()}`);
    expect(readFileSync(await file.path(), "utf8")).toContain(start);
  }

  // The tab remembers, and nothing else does.
  await page.reload();
  await expect(page.locator("#metrics h2")).toBeVisible();
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("s3cret");
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await expect(field).toBeVisible();
  await expect(page.locator("form")).toContainText("You are signed out.");
  await expect(page.locator("#metrics")).toHaveCount(0);
  await expect.poll(() => fixture.streams.size).toBe(0);
  await page.reload();
  await expect(field).toBeVisible();
});

test("a token that is taken back is asked for again, and a server without one asks nobody", async ({ page, fixture }) => {
  fixture.state.token = "one";
  await page.goto(`${fixture.url}/experiments`);
  await page.getByLabel("Token").fill("one");
  await page.keyboard.press("Enter");
  await expect(page.locator("[data-row]").first()).toBeVisible();
  fixture.state.token = "other";
  fixture.cut();
  await expect(page.locator("form")).toContainText("This token is not accepted any more.");
  fixture.state.token = null;
  await page.evaluate(() => sessionStorage.clear());
  await page.goto(`${fixture.url}/experiments`);
  await expect(page.locator("[data-row]").first()).toBeVisible();
  await expect(page.getByRole("button", { name: "Sign out" })).toHaveCount(0);
});
