// Says whether the checked-in dist/ is what the sources give, and whether its packed files unpack to the others.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { build } from "vite";

const ui = fileURLToPath(new URL("..", import.meta.url));
const dist = join(ui, "dist");
const fresh = mkdtempSync(join(tmpdir(), "assay-ui-"));
const PACKED = /\.(br|gz)$/;

const files = (root, at = root) =>
  readdirSync(at).flatMap((name) => {
    const path = join(at, name);
    return statSync(path).isDirectory() ? files(root, path) : [relative(root, path)];
  });

const wrong = [];
try {
  await build({ root: ui, logLevel: "error", build: { outDir: fresh, emptyOutDir: true } });
  const [built, kept] = [files(fresh), files(dist)];
  for (const name of built) {
    if (!kept.includes(name)) wrong.push(`${name} is missing`);
    else if (!readFileSync(join(fresh, name)).equals(readFileSync(join(dist, name)))) wrong.push(`${name} differs`);
  }
  for (const name of kept) {
    const plain = name.replace(PACKED, "");
    if (!built.includes(plain)) wrong.push(`${name} is left over`);
    else if (PACKED.test(name)) {
      const unpack = name.endsWith(".br") ? brotliDecompressSync : gunzipSync;
      if (!unpack(readFileSync(join(dist, name))).equals(readFileSync(join(fresh, plain)))) wrong.push(`${name} does not unpack to ${plain}`);
    }
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
if (wrong.length > 0) {
  console.error(`dist/ is not what the sources give (${wrong.join("; ")}): run \`make ui\` and commit dist/`);
  process.exit(1);
}
