// Drives the page in a real Chromium. ASSAY_URL names a server to test; without it, fixtures are served. CHROMIUM names the browser.

import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = process.env.CHROMIUM ?? PLACES.find((it) => existsSync(it)) ?? "chromium";

export default defineConfig({
  testDir: "tests",
  testMatch: "*.spec.ts",
  outputDir: "test-results",
  fullyParallel: true,
  workers: 2,
  reporter: "line",
  // Generous, because other tests may hold the processors.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  use: {
    browserName: "chromium",
    // Containers have no user namespaces for its sandbox; the page under test is ours.
    launchOptions: { executablePath, args: ["--no-sandbox"] },
    locale: "en-GB",
    timezoneId: "UTC",
    reducedMotion: "reduce",
  },
});
