// The stream: looks that come, in disorder, with gaps; connections that break; numbers that stay.

import { expect, show, test } from "./site";

const STREAM = "/v1/experiments/hillstrom/stream";

function lookAfter(results: any, seconds: number, units: number) {
  const next = structuredClone(results);
  const at = new Date(Date.parse(results.look) + 1000 * seconds).toISOString().replace(".000Z", "Z");
  next.look = at;
  next.server_time = at;
  next.freshness.log_time = at;
  next.experiments[0].units.mens += units;
  return next;
}

test("looks are applied whole, and an older one never replaces a newer", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  await expect.poll(() => fixture.streams.size).toBe(1);
  // The first paint had its numbers from the page itself, and the stream was told which.
  expect(fixture.asked.filter((it) => it.path === "/v1/experiments/hillstrom/results")).toEqual([]);
  expect(fixture.asked.find((it) => it.path === STREAM)?.last).toBe("2026-11-23T18:42:06Z");
  const results = fixture.state.results.hillstrom;
  const mens = page.locator(".units tr", { hasText: /^Men’s email/ });
  await expect(mens).toContainText("21,307");
  fixture.push(STREAM, "result", lookAfter(results, 5, 10), lookAfter(results, 5, 10).look);
  await expect(mens).toContainText("21,317");
  await expect(page.locator(".live")).toContainText("18:42:11");
  // One that was late, and one that is broken.
  fixture.push(STREAM, "result", lookAfter(results, 2, 5), lookAfter(results, 2, 5).look);
  fixture.push(STREAM, "result", { nonsense: true });
  fixture.push(STREAM, "result", lookAfter(results, 9, 20), lookAfter(results, 9, 20).look);
  await expect(mens).toContainText("21,327");
});

test("a broken connection says so, comes back with the look it has, and keeps the numbers", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  await expect.poll(() => fixture.streams.size).toBe(1);
  const newer = lookAfter(fixture.state.results.hillstrom, 3, 1);
  fixture.push(STREAM, "result", newer, newer.look);
  await expect(page.locator(".live")).toContainText("18:42:09");
  fixture.state.broken = 503;
  fixture.cut();
  await expect(page.locator(".live")).toContainText("Not connected");
  await expect(page.locator(".live")).toContainText("numbers are from 18:42:09 UTC");
  await expect(page.locator(".units")).toContainText("21,308");
  fixture.state.broken = null;
  await expect(page.locator(".live")).toContainText("Live", { timeout: 20_000 });
  expect(fixture.asked.filter((it) => it.path === STREAM).at(-1)?.last).toBe(newer.look);
});

test("late looks are delayed, then stale, and their numbers stay", async ({ page, fixture }) => {
  const results = structuredClone(fixture.state.results.hillstrom);
  Object.assign(results.freshness, { age_ms: 12_000, held_by: 2, state: "delayed" });
  results.provisional = { ...structuredClone(results), provisional: null };
  results.provisional.freshness.kind = "provisional";
  fixture.state.results.hillstrom = results;
  await show(page, `${fixture.url}/experiments/hillstrom`);
  await expect(page.locator(".live")).toContainText("Delayed");
  await expect(page.locator(".live")).toContainText("waiting for partition 2");
  // Guardrails show by themselves, the rest on request, in a frame that says what it is.
  await expect(page.locator(".frame tbody tr")).toHaveCount(2);
  await page.locator(".top").getByRole("button", { name: "Show provisional" }).click();
  await expect(page.locator(".frame tbody tr")).toHaveCount(6);
  await expect(page.locator(".frame")).toContainText("Not for deciding");
  const stale = structuredClone(results);
  stale.freshness.age_ms = 252_000;
  fixture.push(STREAM, "result", stale, stale.look);
  await expect(page.locator(".head .pill")).toContainText("Stale 4 min");
  await expect(page.locator(".say .v")).toContainText("Partition 2 has closed no look since.");
  await expect(page.locator(".units")).toContainText("21,307");
});

test("a failure on the way in is told, and tried again", async ({ page, fixture }) => {
  fixture.state.broken = 503;
  await page.goto(`${fixture.url}/experiments/hillstrom`);
  await expect(page.getByRole("alert")).toContainText("The results could not be loaded.");
  await expect(page.getByRole("alert")).toContainText("request id 7f3a91");
  const tries = () => fixture.asked.filter((it) => it.path === "/v1/experiments/hillstrom/results").length;
  const before = tries();
  await page.getByRole("button", { name: "Try now" }).click();
  await expect.poll(tries).toBeGreaterThan(before);
  fixture.state.broken = null;
  // From here on it comes back by itself.
  await expect(page.locator(".units")).toContainText("21,307");
});

test("rows of the list stay under the pointer", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments`);
  await expect.poll(() => fixture.streams.size).toBe(1);
  const titles = () => page.locator(".list .ttl a").allTextContents();
  const before = await titles();
  await page.locator(".list tr.row").nth(4).hover();
  const list = structuredClone(fixture.state.list);
  list.look = "2026-11-23T18:42:08Z";
  const row = list.experiments.find((it: any) => it.experiment === "red-button-v2");
  row.group = "decided";
  row.pair_units = 900;
  fixture.push("/v1/stream", "result", list, list.look);
  await expect(page.locator(".changes button")).toHaveText("1 changed · Sort again");
  expect(await titles()).toEqual(before);
  await expect(page.locator(".list tr.row", { hasText: "Red button" })).toContainText("900");
  await page.locator(".changes button").click();
  expect(await titles()).not.toEqual(before);
});

test("Hillstrom on the page is Hillstrom in the results, digit by digit", async ({ page, fixture }) => {
  await show(page, `${fixture.url}/experiments/hillstrom`);
  const arms = fixture.state.results.hillstrom.experiments[0].metrics[0].variants;
  const rows = page.locator("#metrics tbody").first().locator("tr.r");
  for (const [at, arm] of [arms[1], arms[2]].entries()) {
    await rows.nth(at).locator(".opener").click();
    const drawer = page.locator("tr.drawer");
    const test = arm.always_valid;
    for (const value of [arm.mean, arm.lift, test.low, test.high, test.lift_low, test.lift_high, test.p_value_running, test.p_value_adjusted]) {
      await expect(drawer).toContainText(String(value).replace("-", "−"));
    }
    await rows.nth(at).locator(".opener").click();
  }
});
