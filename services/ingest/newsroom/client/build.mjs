/** Builds the scripts of the newsroom: `npm run build` writes ../static/*.js and the licences of what they contain. */

import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const STATIC = process.argv[2] ?? "../static";
const ENTRIES = readdirSync("src/pages").filter((name) => name.endsWith(".js")).sort();

const result = await build({
  entryPoints: ENTRIES.map((name) => join("src/pages", name)),
  outdir: STATIC,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});

const packages = new Set(
  Object.keys(result.metafile.inputs)
    .filter((path) => path.includes("node_modules/"))
    .map((path) => path.replace(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\/.*$/, "$1")),
);
const licences = [...packages].sort().map((name) => {
  const folder = join("node_modules", name);
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
});
writeFileSync(join(STATIC, "LICENSES.txt"), licences.join("\n----\n\n"));
