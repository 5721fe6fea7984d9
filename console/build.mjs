// Builds the console into three files: node build.mjs OUTDIR. Packages come from deps/npm, as locked there.
import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const npm = join(here, "..", "deps", "npm");
const { build } = createRequire(join(npm, "package.json"))("esbuild");
const out = process.argv[2];
if (!out) {
  console.error("usage: node build.mjs OUTDIR");
  process.exit(2);
}

mkdirSync(out, { recursive: true });
await build({
  entryPoints: { app: join(here, "src", "main.tsx") },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  tsconfigRaw: "{}",
  jsxFactory: "jsxElement",
  jsxFragment: "jsxFragment",
  inject: [join(here, "src", "jsx.ts")],
  nodePaths: [join(npm, "node_modules")],
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
});
copyFileSync(join(here, "index.html"), join(out, "index.html"));
