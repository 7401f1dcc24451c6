// How the page is built: hashed assets, nothing inline, so that `default-src 'self'` is all the policy it needs.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

// Runs before the first paint, so it must be a classic script of its own: a module would come after the page is drawn in the wrong theme.
function themeFirst(): Plugin {
  const source = readFileSync(new URL("./src/theme-first.js", import.meta.url), "utf8");
  const name = `assets/theme-${createHash("sha256").update(source).digest("hex").slice(0, 8)}.js`;
  return {
    name: "theme-first",
    configureServer(server) {
      server.middlewares.use(`/${name}`, (_, answer) => answer.setHeader("content-type", "text/javascript").end(source));
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName: name, source });
    },
    transformIndexHtml: (page) => page.replace("<!-- theme -->", `<script src="/${name}"></script>`),
  };
}

/** What pages need only after their first paint, or a page alone; together where each is small. */
const MORE = /src\/(shell\/(Find|KeyList|SignIn)|pages\/experiment\/(Drawer|HowToRead|Provisional|Versions)|diff)/;
const CORE = /node_modules|src\//;
const OWN = /src\/(pages|words\/(answers|checks|claims|pills|rows|state|verdict)|parts\/(Plot|Table|Yaml)|path|copy)/;

export default defineConfig({
  plugins: [themeFirst()],
  build: {
    target: "es2022",
    // A data: address would need an exception in the policy.
    assetsInlineLimit: 0,
    // The helper that fetches parts ahead is larger than what it saves beside a server that is near.
    modulePreload: false,
    // One stylesheet: all pages are made of the same parts.
    cssCodeSplit: false,
    reportCompressedSize: false,
    // Few chunks compress better than many: what every page needs is one, and pages are one or two each.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "core", test: (id) => CORE.test(id) && !OWN.test(id) && !MORE.test(id), priority: 2 },
            { name: "more", test: MORE, priority: 1 },
          ],
        },
      },
    },
  },
  server: { proxy: { "/v1": process.env.ASSAY_URL ?? "http://127.0.0.1:8080" } },
});
