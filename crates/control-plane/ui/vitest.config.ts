// Pure functions only: no browser is imitated, the real one is driven by Playwright.

import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["src/**/*.test.ts", "tests/unit/**/*.test.ts"], environment: "node", reporters: "dot", isolate: false } });
