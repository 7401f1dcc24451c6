// Verify by replay: progress, the three ways in which it ends, and that it can be ended.

import { expect, show, test } from "./site";

const running = { state: "running", identical: null, share: 0.25, records: 12_000, seconds: 0.3, build: "assay 0.1.0", published_build: "assay 0.1.0", offsets: {}, differs: null, detail: null, command: "assay replay --json", server_time: "2026-11-23T18:42:07Z" };
const done = { ...running, state: "done", identical: true, share: 1, records: 48_213 };

test("a look is verified, and the page says how it goes and what came out", async ({ page, fixture }) => {
  fixture.state.verifications = [running, running, done];
  await show(page, `${fixture.url}/experiments/hillstrom`);
  const section = page.locator("#sql");
  await section.getByRole("button", { name: "Verify by replay" }).click();
  await expect(section.getByRole("progressbar", { name: "Replayed" })).toHaveAttribute("value", "0.25");
  await expect(section).toContainText("25% of the records replayed");
  await expect(section.getByRole("status")).toContainText("Identical, byte by byte: 48,213 records");
  fixture.state.verifications = [{ ...done, identical: false, differs: { path: "experiments[0].exposures", published: "241", replayed: "240" } }];
  await section.getByRole("button", { name: "Verify by replay" }).click();
  await expect(section.getByRole("status")).toContainText("At experiments[0].exposures was published 241, and the replay has 240");
});

test("a replay can be ended, and a log elsewhere is answered with the command", async ({ page, fixture }) => {
  fixture.state.verifications = [running];
  await show(page, `${fixture.url}/experiments/hillstrom`);
  const section = page.locator("#sql");
  await section.getByRole("button", { name: "Verify by replay" }).click();
  await section.getByRole("button", { name: "End" }).click();
  await expect(section.getByRole("status")).toHaveText("Ended.");
  await section.getByRole("button", { name: "Verify by replay" }).click();
  await expect(section.getByRole("status")).toContainText("run this beside it, and compare: assay replay --json --log kafka://broker:9092");
});
