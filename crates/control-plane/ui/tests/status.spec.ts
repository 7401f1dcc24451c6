// The status in a browser: the sentence first, then the place where something is wrong.

import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { fixture, start } from "./server.mjs";

const SCREENS = new URL("../../../../target/screens/", import.meta.url).pathname;
let server: Awaited<ReturnType<typeof start>>;

test.beforeAll(async () => {
  server = await start();
});
test.afterAll(() => server.stop());

/** What the engine answers; tests change it. */
type Report = any;

/** Opens a page of the status with this answer; changing the object changes what is answered next. */
async function open(page: Page, report: Report, address = "/status"): Promise<void> {
  await page.route("**/v1/status", (route) => route.fulfill({ json: report }));
  await page.goto(server.url + address);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

/** Sixty-four partitions, of which two are in trouble. */
function trouble(): Report {
  const report = fixture("status");
  const one = report.partitions[0];
  report.partitions = Array.from({ length: 64 }, (_, partition) => ({ ...one, partition }));
  Object.assign(report.partitions[7], { state: "paused", why: "a record is 12 s ahead of this machine's clock; check the clocks of broker and machine", behind_ms: 12_000, lag: 4_120, holds_cut: true });
  Object.assign(report.partitions[9], { state: "catching_up", behind_ms: 3_000, lag: 100 });
  report.level = "alarm";
  report.sentence = "Partition 7 is paused: a record is 12 s ahead of this machine's clock; check the clocks of broker and machine.";
  report.look = { ...report.look, age_ms: 12_000, state: "delayed", held_by: 7 };
  report.sinks[0] = { ...report.sinks[0], waiting_chunks: 12, waiting_bytes: 5_000_000, why: "connection refused" };
  report.events = {
    seconds: 60,
    outcomes: [
      { name: "accepted", total: 1_240_000, per_second: 1240 },
      { name: "late", total: 17, per_second: 0.2 },
    ],
    dead_letters: [
      { name: "late", total: 17, per_second: 0.2 },
      { name: "malformed", total: 3, per_second: 0 },
    ],
  };
  return report;
}

test("when all is well one sentence says so", async ({ page }) => {
  await open(page, fixture("status"));
  const summary = page.getByRole("region", { name: "Summary" });
  await expect(summary).toContainText(fixture("status").sentence);
  await expect(summary).toContainText("Fine");
  await expect(page.getByRole("table", { name: /Partitions/ }).getByRole("row")).toHaveCount(5);
  await expect(page.getByText("Edges do not report to this process.")).toBeVisible();
});

test("what is wrong comes first, with its place and its reason", async ({ page }) => {
  await open(page, trouble());
  await expect(page.getByRole("region", { name: "Summary" })).toContainText("Partition 7 is paused");
  const rows = page.getByRole("table", { name: /Partitions/ }).getByRole("row");
  await expect(rows.nth(1)).toContainText("holds the cut");
  await expect(rows.nth(1)).toContainText("check the clocks");
  await expect(rows.nth(2)).toContainText("Catching up");
  await expect(page.getByText("Partition 7 holds it back by 12 s.")).toBeVisible();
  await expect(page.getByText(/12 chunks wait, 5.00 MB of .*: connection refused/)).toBeVisible();
  await expect(page.getByText("1,240/s").first()).toBeVisible();
});

test("a partition and a reason have their own addresses", async ({ page }) => {
  await open(page, trouble());
  await page.getByRole("table", { name: /Partitions/ }).getByRole("link", { name: "7", exact: true }).click();
  await expect(page).toHaveURL(/\/status\/partitions\/7$/);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Partition 7");
  await expect(page.getByText("yes: results wait for it")).toBeVisible();
  await page.goto(`${server.url}/status/dead-letters?reason=late`);
  await expect(page.getByText("assay dead-letters list --reason late")).toBeVisible();
  await expect(page.getByRole("table").getByRole("row")).toHaveCount(2);
  await page.goto(`${server.url}/status/partitions/99`);
  await expect(page.getByText("There is no such partition here.")).toBeVisible();
});

test("it follows what changes, and keeps the last when nobody answers", async ({ page }) => {
  const report = fixture("status");
  await open(page, report);
  report.sentence = "All 4 partitions are within 2 s.";
  await expect(page.getByText("All 4 partitions are within 2 s.")).toBeVisible();
  await page.unroute("**/v1/status");
  await page.route("**/v1/status", (route) => route.abort());
  await expect(page.getByText(/Not connected/).first()).toBeVisible();
  await expect(page.getByText("All 4 partitions are within 2 s.")).toBeVisible();
});

for (const theme of ["light", "dark"] as const) {
  for (const width of [390, 768, 1440, 1600]) {
    test(`${width} px, ${theme}: nothing sideways, nothing that axe finds`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize({ width, height: 900 });
      for (const [name, report, address] of [
        ["status", fixture("status"), "/status"],
        ["status-trouble", trouble(), "/status"],
        ["status-partition", trouble(), "/status/partitions/7"],
        ["dead-letters", trouble(), "/status/dead-letters"],
      ] as const) {
        await page.unrouteAll();
        await open(page, report, address);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
        await page.screenshot({ path: `${SCREENS}${name}-${width}-${theme}.png`, fullPage: true });
      }
    });
  }
}
