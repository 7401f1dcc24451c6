// Says whether the checked-in dist/ is what the sources give, and whether its packed files are the others, packed.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { build } from "vite";
import { gzip, PACKED } from "./pack.mjs";

const ui = fileURLToPath(new URL("..", import.meta.url));
const dist = join(ui, "dist");
const fresh = mkdtempSync(join(tmpdir(), "assay-ui-"));

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
      const [packed, bytes] = [readFileSync(join(dist, name)), readFileSync(join(fresh, plain))];
      // Another version of Node.js may pack brotli otherwise; what packs gzip is among the packages.
      const right = name.endsWith(".br") ? brotliDecompressSync(packed).equals(bytes) : packed.equals(await gzip(bytes));
      if (!right) wrong.push(`${name} is not ${plain}, packed`);
    }
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
if (wrong.length > 0) {
  console.error(`dist/ is not what the sources give (${wrong.join("; ")}): run \`make ui\` and commit dist/`);
  process.exit(1);
}
