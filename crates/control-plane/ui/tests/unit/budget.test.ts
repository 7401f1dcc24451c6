// What a reader downloads: budgets in bytes of gzip, as the files that are checked in are served.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { expect, test } from "vitest";

const DIST = new URL("../../dist/", import.meta.url);
const ASSETS = new URL("assets/", DIST);
const names = readdirSync(ASSETS);
const packed = (name: string) => statSync(new URL(`${name}.gz`, ASSETS)).size;
const total = (of: string[]) => of.reduce((sum, name) => sum + packed(name), 0);
const scripts = names.filter((name) => name.endsWith(".js"));
const kB = 1000;

/** What a script loads before it runs: its static imports, and theirs. */
function withImports(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  const code = readFileSync(new URL(name, ASSETS), "utf8");
  for (const [, found] of code.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) withImports(found ?? "", seen);
  return seen;
}

const html = readFileSync(new URL("index.html", DIST), "utf8");
const entries = [...html.matchAll(/src="\/assets\/([^"]+\.js)"/g)].map(([, name]) => name ?? "");

test("all scripts together, every page and dialog", () => expect(total(scripts)).toBeLessThan(60.5 * kB));
test("styles", () => expect(total(names.filter((name) => name.endsWith(".css")))).toBeLessThan(12 * kB));
test("fonts", () => expect(names.filter((name) => name.endsWith(".woff2")).reduce((sum, name) => sum + readFileSync(new URL(name, ASSETS)).length, 0)).toBeLessThan(67 * kB));

test.each(["overview", "Planner"])("what %s loads for its first paint", (page) => {
  const own = scripts.find((name) => new RegExp(`^${page}-[\\w-]{8}\\.js$`).test(name));
  expect(own, `no script of ${page}`).toBeDefined();
  const all = [...entries, own ?? ""].reduce((seen, name) => withImports(name, seen), new Set<string>());
  expect(total([...all])).toBeLessThan(35 * kB);
});

test("the page holds nothing inline, and names no other host", () => {
  expect(html.match(/<script(?![^>]*(src=|application\/json))/)).toBeNull();
  expect(html).not.toMatch(/<style|\sstyle="|\son\w+="/);
  for (const name of scripts) {
    const hosts = [...readFileSync(new URL(name, ASSETS), "utf8").matchAll(/https?:\/\/[^"'`\s)]+/g)].map(([it]) => it);
    // Names of XML languages, which nothing asks for.
    expect(hosts.filter((it) => !it.startsWith("http://www.w3.org/"))).toEqual([]);
  }
});

test("the theme comes before everything that is painted", () => {
  expect(html.indexOf("theme-")).toBeLessThan(html.indexOf(".css"));
});
