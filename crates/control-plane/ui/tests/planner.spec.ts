// The planner in a browser: every input is in the address, words and numbers are those of the server, pictures can be read by keyboard.

import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Page } from "@playwright/test";
import { fixture, start } from "./server.mjs";

const SCREENS = new URL("../../../../target/screens/", import.meta.url).pathname;
let server: Awaited<ReturnType<typeof start>>;

test.beforeAll(async () => {
  server = await start();
});
test.afterAll(() => server.stop());

interface Asked {
  plan: Record<string, unknown>[];
  peek: Record<string, unknown>[];
}

/** Opens the planner; answers are those that the engine gave to the usual plan. */
async function open(page: Page, address = "/plan"): Promise<Asked> {
  const asked: Asked = { plan: [], peek: [] };
  await page.route("**/v1/plan", (route) => {
    const question = route.request().postDataJSON();
    asked.plan.push(question);
    if (!(question.alpha > 0 && question.alpha <= 0.5)) {
      const body = { type: "urn:assay:problem:wrong-question", title: "Unprocessable Entity", status: 422, field: "alpha", detail: "a number between 0.000001 and 0.5, and 5 is none", request_id: "7f3a91" };
      return route.fulfill({ status: 422, contentType: "application/problem+json", body: JSON.stringify(body) });
    }
    return route.fulfill({ json: fixture(question.units ? "plan.running" : `plan.${question.method}`) });
  });
  await page.route("**/v1/peek", (route) => {
    const question = route.request().postDataJSON();
    asked.peek.push(question);
    return route.fulfill({ json: { ...fixture(question.seed === 44 ? "peek.44" : "peek.7"), seed: question.seed } });
  });
  await page.goto(server.url + address);
  await expect(page.getByRole("heading", { name: /ever called significant/ })).toBeVisible();
  return asked;
}

const searchOf = (page: Page) => new URL(page.url()).searchParams;

test("the usual plan, in the server's numbers", async ({ page }) => {
  const asked = await open(page);
  const answer = fixture("plan.always_valid");
  const answers = page.getByRole("region", { name: "Answers" });
  await expect(answers).toContainText(answer.headline.at_most.toLocaleString("en"));
  await expect(answers).toContainText("51,388 in each arm, 13 days at 8,000 a day. Run two full weeks.");
  await expect(answers).toContainText("if the true lift is 10%; day 8.");
  await expect(answers).toContainText("1.65×");
  const ways = page.getByRole("table", { name: "Methods side by side" });
  await expect(ways.getByRole("row")).toHaveCount(4);
  await expect(ways).toContainText("62,462");
  expect(asked.plan[0]).toMatchObject({ kind: "conversion", base: 0.05, lift: 0.1, per_day: 8000, method: "always_valid" });
  await expect(page.getByText("% relative = 0.5 points")).toBeVisible();
});

test("every input is in the address, and the address gives it again", async ({ page }) => {
  const asked = await open(page);
  expect(searchOf(page).get("alpha")).toBe("0.05");
  await page.getByLabel("Rate today").fill("4.2");
  await page.getByLabel("Treatments").fill("2");
  await page.getByLabel("Split").fill("50 / 25 / 25");
  await page.getByLabel("How will you read it?").selectOption("group_sequential");
  await expect.poll(() => searchOf(page).get("base")).toBe("4.2");
  await expect(page.getByRole("table", { name: "Bounds, look by look" })).toBeVisible();
  await expect.poll(() => asked.plan.at(-1)).toMatchObject({ base: 0.042, treatments: 2, split: [50, 25, 25], method: "group_sequential", looks: 5 });
  const address = page.url();
  await page.goto("about:blank");
  await page.goto(address);
  await expect(page.getByLabel("Rate today")).toHaveValue("4.2");
  await expect(page.getByLabel("Split")).toHaveValue("50 / 25 / 25");
  await expect.poll(() => asked.plan.at(-1)).toMatchObject({ base: 0.042, split: [50, 25, 25] });
});

test("going back brings the plan of before", async ({ page }) => {
  await open(page, "/plan?base=3&lift=10");
  await page.getByRole("link", { name: "Status", exact: true }).first().click();
  await page.goBack();
  await expect(page.getByLabel("Rate today")).toHaveValue("3");
});

test("means and ratios have their own fields", async ({ page }) => {
  const asked = await open(page);
  await page.getByRole("button", { name: "Mean", exact: true }).click();
  await page.getByLabel("Standard deviation").fill("61");
  await expect.poll(() => asked.plan.at(-1)).toMatchObject({ kind: "mean", base: 24, deviation: 61 });
  await page.getByRole("button", { name: "Ratio", exact: true }).click();
  await page.getByLabel("Correlation of the two").fill("0.25");
  await expect.poll(() => asked.plan.at(-1)).toMatchObject({ kind: "ratio", numerator_mean: 0.8, correlation: 0.25 });
  expect(searchOf(page).has("base")).toBe(false);
});

test("what is wrong is said at its field, and the last plan stays", async ({ page }) => {
  const asked = await open(page);
  const alpha = page.getByLabel("Alpha, the share of false positives");
  await alpha.fill("5");
  await expect(page.getByText("A number between 0.000001 and 0.5, and 5 is none.").first()).toBeVisible();
  await expect(alpha).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByRole("region", { name: "Answers" })).toContainText("102,776");
  await expect(page.getByRole("button", { name: "Use for a new experiment" })).toBeDisabled();
  const before = asked.plan.length;
  await alpha.fill("often");
  await expect(page.getByText("“often” is no number.").first()).toBeVisible();
  await alpha.fill("0.01");
  await expect(alpha).toHaveAttribute("aria-invalid", "false");
  await expect.poll(() => asked.plan.length).toBe(before + 1);
});

test("the demonstration draws another, and says which", async ({ page }) => {
  const asked = await open(page);
  await expect(page.getByText(/^Seed 44\./)).toBeVisible();
  await expect(page.getByText(`ordinary p: below 0.05 at ${fixture("peek.44").ordinary_below} of 200 looks`)).toBeVisible();
  await page.getByRole("button", { name: "Draw another" }).click();
  await expect.poll(() => asked.peek.length).toBe(2);
  const { seed } = asked.peek.at(-1) as { seed: number };
  expect(searchOf(page).get("seed")).toBe(String(seed));
  await expect(page.getByText(new RegExp(`^Seed ${seed}\\.`))).toBeVisible();
});

test("what a running experiment can still find comes first, and never what was seen", async ({ page }) => {
  const asked = await open(page);
  await page.getByRole("button", { name: "Running" }).click();
  const still = page.getByRole("region", { name: "What can it still find?" });
  await expect(still).toBeVisible();
  await expect(still.getByRole("row").nth(1)).toContainText("Now");
  await expect(still.getByRole("row", { name: /At the planned end, in 11 days/ })).toContainText("+10.0% (+0.5 points)");
  await expect.poll(() => asked.plan.at(-1)).toMatchObject({ units: 20000 });
  await expect(page.getByText(/observed power/)).toHaveCount(1);
});

test("a definition to start from", async ({ page }) => {
  await open(page);
  await page.getByRole("button", { name: "Use for a new experiment" }).click();
  const dialog = page.getByRole("dialog", { name: "Definition to start from" });
  await expect(dialog).toContainText("analysis: { planned_units: 62462, alpha: 0.05 }");
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
});

test("pictures are read with the arrow keys and shown as tables", async ({ page }) => {
  await open(page);
  const picture = page.getByRole("application", { name: /Chance to have shown a 10% lift/ });
  await picture.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  await expect(picture).toContainText(/customers.*always-valid .*%, one look .*%/);
  const shown = page.getByRole("button", { name: "Show as table" });
  await shown.first().click();
  await expect(page.getByRole("table", { name: /Table: Chance to have shown/ }).getByRole("row")).toHaveCount(41);
});

test("a server that does not answer leaves the plan and says so", async ({ page }) => {
  await open(page);
  await page.unroute("**/v1/plan");
  await page.route("**/v1/plan", (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: JSON.stringify({ title: "Service Unavailable", status: 503, detail: "many plans are being computed; try again", request_id: "7f3a91" }) }));
  await page.getByLabel("Rate today").fill("6");
  await expect(page.getByText("The plan could not be computed.")).toBeVisible();
  await expect(page.getByRole("region", { name: "Answers" })).toContainText("102,776");
});

for (const theme of ["light", "dark"] as const) {
  for (const width of [390, 768, 1440, 1600]) {
    test(`${width} px, ${theme}: nothing sideways, nothing that axe finds`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize({ width, height: 900 });
      for (const [name, address] of [
        ["planner", "/plan"],
        ["planner-running", "/plan?stage=running&units=20000"],
        ["planner-looks", "/plan?method=group_sequential"],
      ] as const) {
        await page.unrouteAll();
        await open(page, address);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
        expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
        await page.screenshot({ path: `${SCREENS}${name}-${width}-${theme}.png`, fullPage: true });
      }
    });
  }
}
