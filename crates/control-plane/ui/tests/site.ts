// Where the tests look: a server that is given, or fixtures served by the test itself.

import { test as base, expect, type Page } from "@playwright/test";
import { type Fixture, start } from "./server.mjs";

interface Site {
  url: string;
  /** Addresses of one experiment and its parts on this server. */
  experiment: string;
}

/** `site` is the server under test; `fixture` is always our own, whose streams a test may script. */
export const test = base.extend<{ fixture: Fixture }, { site: Site }>({
  site: [
    async ({}, use) => {
      const given = process.env.ASSAY_URL?.replace(/\/$/, "");
      if (given) {
        await use({ url: given, experiment: await firstExperiment(given) });
        return;
      }
      const server = await start();
      await use({ url: server.url, experiment: "hillstrom" });
      await server.stop();
    },
    { scope: "worker" },
  ],
  fixture: async ({}, use) => {
    const server = await start();
    await use(server);
    await server.stop();
  },
});

async function firstExperiment(url: string): Promise<string> {
  const list = (await (await fetch(`${url}/v1/experiments`)).json()) as { experiments: { experiment: string; status: string }[] };
  const found = list.experiments.find((it) => it.status !== "draft");
  if (!found) throw new Error(`${url} has no experiment that has started`);
  return found.experiment;
}

/** Shows an address and waits until it stands still: numbers are there, and what is loaded later as well. */
export async function show(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await expect(page.locator("h1")).toBeVisible();
  await page.waitForLoadState("load");
  await expect(page.locator(".sks")).toHaveCount(0);
  if (/\/experiments\/[^/?#]+($|[?#])/.test(url)) await expect(page.locator("#sql")).toBeVisible();
}

export { expect };
