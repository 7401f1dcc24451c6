// Packs every asset once, at build, so that no server packs it again for each reader.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotli, gzip, PACKED, TEXT } from "./pack.mjs";

const ASSETS = new URL("../dist/assets/", import.meta.url);

for (const name of readdirSync(ASSETS)) {
  if (PACKED.test(name)) rmSync(new URL(name, ASSETS));
}
for (const name of readdirSync(ASSETS).filter((it) => TEXT.test(it))) {
  const bytes = readFileSync(new URL(name, ASSETS));
  writeFileSync(new URL(`${name}.br`, ASSETS), brotli(bytes));
  writeFileSync(new URL(`${name}.gz`, ASSETS), await gzip(bytes));
}
