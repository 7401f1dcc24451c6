// Packs every asset once, at build, so that no server packs it again for each reader.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const ASSETS = new URL("../dist/assets/", import.meta.url);
// Fonts are packed already.
const TEXT = /\.(js|css|svg)$/;

for (const name of readdirSync(ASSETS)) {
  if (/\.(br|gz)$/.test(name)) rmSync(new URL(name, ASSETS));
}
for (const name of readdirSync(ASSETS).filter((it) => TEXT.test(it))) {
  const bytes = readFileSync(new URL(name, ASSETS));
  writeFileSync(new URL(`${name}.br`, ASSETS), brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
  writeFileSync(new URL(`${name}.gz`, ASSETS), gzipSync(bytes, { level: 9 }));
}
