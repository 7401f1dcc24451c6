// The page before a real Assay that plays the demonstration. ASSAY_BIN names the binary; without it there is nothing to drive.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { exact } from "../src/numbers";
import { expect, show, test } from "./site";

const binary = process.env.ASSAY_BIN;
const target = resolve(import.meta.dirname, "../../../../target");
const pictures = join(target, "screens");

/** An Assay with an address that it keeps when it is killed and started again. */
class Demonstration {
  private constructor(
    readonly url: string,
    private readonly edge: number,
    private readonly directory: string,
    private child: ChildProcess,
  ) {}

  static async begin(): Promise<Demonstration> {
    const [port, edge] = [await freePort(), await freePort()];
    const directory = mkdtempSync(join(target, "demo-"));
    const begun = new Demonstration(`http://127.0.0.1:${port}`, edge, directory, launch(port, edge, directory));
    await begun.ready();
    return begun;
  }

  async again(): Promise<void> {
    this.child = launch(Number(new URL(this.url).port), this.edge, this.directory);
    await this.ready();
  }

  async kill(): Promise<void> {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGKILL");
    await ended;
  }

  async end(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    await expect.poll(() => answers(`${this.url}/v1/experiments`), { timeout: 120_000 }).toBe(200);
  }
}

function launch(port: number, edge: number, directory: string): ChildProcess {
  const at = ["--listen", `127.0.0.1:${port}`, "--edge-listen", `127.0.0.1:${edge}`, "--dir", directory];
  // The repository is where it looks for the ClickHouse engine.
  return spawn(binary ?? "", ["demo", "--no-open", "--seconds", "60", "--visitors", "40", ...at], { cwd: resolve(target, ".."), stdio: "ignore" });
}

async function answers(url: string): Promise<number> {
  return fetch(url).then(
    (answer) => answer.status,
    () => 0,
  );
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : 0));
    });
  });
}

test("numbers move while events flow, outlive a kill, and are those of the API", async ({ page }) => {
  test.skip(!binary, "ASSAY_BIN names no binary");
  test.setTimeout(600_000);
  mkdirSync(pictures, { recursive: true });
  const demo = await Demonstration.begin();
  try {
    // From the list to the experiment by keys alone.
    await show(page, `${demo.url}/experiments`);
    await expect(page.locator("[data-row]").first()).toBeVisible();
    await page.keyboard.press("/");
    await expect(page.getByRole("combobox", { name: "Title, id or owner" })).toBeFocused();
    await page.keyboard.type("hillstrom");
    await expect(page.getByRole("option").first()).toBeVisible();
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/\/experiments\/hillstrom$/);
    const control = page.locator(".units tr", { hasText: /^No email/ }).locator("td").first();
    const shown = async () => Number((await control.getAttribute("title")) ?? 0);
    await expect.poll(shown, { timeout: 60_000 }).toBeGreaterThan(100);
    const before = await shown();
    await expect.poll(shown, { timeout: 60_000 }).toBeGreaterThan(before);

    // The open page says that it lost its server, keeps its numbers, and goes on by itself.
    await demo.kill();
    await expect(page.locator(".live")).toContainText("Not connected", { timeout: 60_000 });
    const kept = await shown();
    expect(kept).toBeGreaterThan(100);
    await demo.again();
    await expect(page.locator(".live")).not.toContainText("Not connected", { timeout: 120_000 });
    await expect.poll(shown, { timeout: 120_000 }).toBe(21_306);

    // Of one look, the page and the API say the same, to the last digit.
    const results = await (await fetch(`${demo.url}/v1/experiments/hillstrom/results`)).json();
    const experiment = results.experiments.find((it: { experiment: string; in_force: boolean }) => it.experiment === "hillstrom" && it.in_force);
    await show(page, `${demo.url}/experiments/hillstrom?look=${results.look}`);
    for (const { variant, name } of experiment.variants) {
      await expect(page.locator(".units tr", { hasText: new RegExp(`^${name}`) }).locator("td").first()).toHaveAttribute("title", String(experiment.units[variant]));
    }
    // And in the same words: the sentence is the server's.
    await expect(page.locator(".say .v")).toHaveText(experiment.said.sentence.map((part: { text: string }) => part.text).join(""));
    const rows = page.locator("#metrics [data-row]");
    const arms = experiment.metrics.flatMap((metric: any) => metric.variants.filter((arm: any) => !arm.control));
    await expect(rows).toHaveCount(arms.length);
    const facts = new Set<string>();
    for (let at = 0; at < arms.length; at += 1) {
      await rows.nth(at).focus();
      await page.keyboard.press("Enter");
      await expect(page.locator("tr.drawer")).toContainText("p so far, which decides");
      facts.add(await page.locator("tr.drawer").first().innerText());
      await page.keyboard.press("Enter");
    }
    for (const arm of arms) {
      const { low, high, ln_e, p_value_running } = arm.always_valid;
      const numbers = [arm.sum, arm.mean, arm.difference, arm.lift, low, high, ln_e, p_value_running].map(exact);
      const found = [...facts].some((text) => numbers.every((number) => text.includes(number)));
      expect(found, `${arm.variant}: ${numbers.join(" ")}`).toBe(true);
    }

    // The log, read again up to this look, gives the same bytes.
    await page.getByRole("button", { name: "Verify by replay" }).click();
    await expect(page.locator("#sql [role=status]")).toContainText("Identical, byte by byte", { timeout: 60_000 });

    for (const name of ["experiments", "experiments/hillstrom", "plan", "status"]) {
      await show(page, `${demo.url}/${name}`);
      await page.screenshot({ path: join(pictures, `demo-${name.replace("/", "-")}.png`), fullPage: true });
    }
  } finally {
    await demo.end();
  }
});
