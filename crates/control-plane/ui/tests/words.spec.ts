// Words that change are underlined for a moment; words that stay, and numbers, are not.

import { expect, show, test } from "./site";

const STREAM = "/v1/stream";

test("on the list, what changes is underlined and nothing else", async ({ page, fixture }) => {
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await show(page, `${fixture.url}/experiments`);
  await expect.poll(() => fixture.streams.size).toBe(1);
  await expect(page.locator(".changed")).toHaveCount(0);
  const next = structuredClone(fixture.state.list);
  const row = next.experiments.find((it: { status: string }) => it.status === "running");
  next.look = next.server_time = new Date(Date.parse(next.look) + 5000).toISOString().replace(".000Z", "Z");
  row.status = "stopped";
  row.pair_units += 10;
  fixture.push(STREAM, "result", next, next.look);
  const shown = page.locator("tr.row", { hasText: row.experiment });
  const pill = shown.locator(".pill .changed");
  await expect(pill).toHaveCount(1);
  expect(await page.locator(".changed").count()).toBe(await shown.locator(".changed").count());
  const animation = () => pill.evaluate((it) => getComputedStyle(it).animationName);
  expect(await animation()).toBe("changed");
  await page.emulateMedia({ reducedMotion: "reduce" });
  expect(await animation()).toBe("none");
});

test("on an experiment, pills and answers are underlined, but not by another look", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  await expect.poll(() => fixture.streams.size).toBe(1);
  const next = structuredClone(fixture.state.results.hillstrom);
  next.look = next.server_time = next.freshness.log_time = new Date(Date.parse(next.look) + 5000).toISOString().replace(".000Z", "Z");
  const [experiment] = next.experiments;
  const primary = experiment.metrics.find((it: { role: string }) => it.role === "primary");
  const arm = primary.variants.find((it: { variant: string }) => it.variant === "womens");
  arm.verdict.said = { text: "Something else" };
  experiment.said.answers.working = { ...experiment.said.answers.working, word: "Not shown yet" };
  fixture.push("/v1/experiments/hillstrom/stream", "result", next, next.look);
  await expect(page.locator("#metrics .pill .changed")).toHaveCount(1);
  await expect(page.locator(".qs .changed")).toHaveText(["Not shown yet"]);
  // Going to another look is not news, even where it says something else.
  experiment.said.answers.working.word = "Waiting for data";
  fixture.state.results.hillstrom = next;
  await page.keyboard.press("[");
  await expect(page.locator(".qs")).toContainText("Waiting for data");
  await expect(page.locator(".changed")).toHaveCount(0);
});

test("a cohort is in the address, with raw means and units of every arm", async ({ page, site }) => {
  test.skip(site.experiment !== "hillstrom" || Boolean(process.env.ASSAY_URL), "the numbers are those of the fixture");
  await show(page, `${site.url}/experiments/${site.experiment}`);
  await expect(page.locator("#cohort")).toHaveCount(0);
  await page.getByRole("button", { name: "Cohort: all" }).click();
  await page.getByRole("button", { name: "First exposed in the last 24 h" }).click();
  await expect(page).toHaveURL(/[?&]cohort=24h/);
  const table = page.locator("#cohort");
  await expect(table).toContainText("never feed the verdict");
  // Three metrics of three arms, and the row of headers.
  await expect(table.locator("tr")).toHaveCount(10);
  await expect(table.locator("tr", { hasText: "No email, purchase rate" })).toContainText("1,444");
  await page.reload();
  await expect(table).toContainText("last 24 h");
  await page.getByRole("button", { name: "Cohort: last 24 h" }).click();
  await page.getByRole("button", { name: "All", exact: true }).click();
  await expect(table).toHaveCount(0);
  await expect(page).not.toHaveURL(/cohort/);
});
