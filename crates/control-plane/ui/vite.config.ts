// How the page is built: hashed assets, nothing inline, so that `default-src 'self'` is all the policy it needs.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, minifySync, type Plugin } from "vite";

// Runs before the first paint, so it must be a classic script of its own: a module would come after the page is drawn in the wrong theme.
function themeFirst(): Plugin {
  const source = minifySync("theme-first.js", readFileSync(new URL("./src/theme-first.js", import.meta.url), "utf8")).code;
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

// Dynamic imports need no help: all styles are loaded with the page, and fetching parts ahead saves little beside a server that is near.
function plainImports(): Plugin {
  return {
    name: "plain-imports",
    enforce: "pre",
    load: { filter: { id: /^\0vite\/preload-helper/ }, handler: () => "export const __vitePreload = (load) => load();" },
  };
}

/** What one page alone needs. All else is one script that every page loads: few large scripts pack better than many small ones. */
const OWN = /src\/(pages\/(?!experiments\/order)|shell\/(Find|KeyList|SignIn)|words\/(answers|checks|log|pills|provisional|rows|state|verdict)|parts\/Yaml|diff)/;

export default defineConfig({
  plugins: [themeFirst(), plainImports()],
  // Calls of `h` pack better than those of the automatic runtime, which name the children of every element.
  oxc: { jsx: { runtime: "classic", pragma: "h", pragmaFrag: "Fragment" }, jsxInject: 'import { h, Fragment } from "preact"' },
  build: {
    target: "es2022",
    // A data: address would need an exception in the policy.
    assetsInlineLimit: 0,
    // The helper that fetches parts ahead is larger than what it saves beside a server that is near.
    modulePreload: false,
    // One stylesheet: all pages are made of the same parts.
    cssCodeSplit: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: "core", test: (id) => !OWN.test(id) }] } },
    },
  },
  server: { proxy: { "/v1": process.env.ASSAY_URL ?? "http://127.0.0.1:8080" } },
});
