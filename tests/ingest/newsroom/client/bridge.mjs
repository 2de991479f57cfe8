/** Calls functions of the scripts for tests in Python: a line of JSON {call, arguments} in, its result out. */

import { createInterface } from "node:readline";
import { blocksToDoc, docToBlocks, normalizedBlocks } from "./src/blocks.js";
import { htmlToNodes, textToNodes } from "./src/paste/paste.js";
import { detectFont, toUnicode } from "./src/paste/legacy_fonts.js";
import { schema } from "./src/schema.js";
import { countText } from "./src/text/count.js";
import * as limits from "./src/text/limits.js";
import { formatPicture, parsePicture } from "./src/text/picture_line.js";
import * as urls from "./src/text/urls.js";
import { matchBlocks, merge } from "./src/merge.js";
import { Autosave } from "./src/write/autosave.js";
import { blocking, checksOf } from "./src/write/checks.js";

/** Return a body after it was a document of the editor, which is checked against the schema. */
function roundTrip(blocks) {
  const doc = schema.nodeFromJSON(blocksToDoc(blocks));
  doc.check();
  return docToBlocks(doc.toJSON());
}

/** Return pasted nodes and the blocks that they are, checked against the schema. */
function pasted(made) {
  const doc = schema.nodeFromJSON({ type: "doc", content: made.nodes.length ? made.nodes : [{ type: "paragraph" }] });
  doc.check();
  return { ...made, blocks: docToBlocks(doc.toJSON()) };
}

/** Return the requests of a text that is saved while it is stored, and changed before it is. */
async function changedWhileSaved() {
  globalThis.document ??= { addEventListener() {}, documentElement: { lang: "vi" } };
  globalThis.addEventListener ??= () => {};
  const requests = [];
  let answer;
  const api = {
    call(method, path, text) {
      requests.push({ method, path, sequence: text?.sequence });
      const stored = { saved_at: "2026-11-29T08:00:00Z" };
      return requests.length === 1 ? new Promise((done) => (answer = () => done(stored))) : Promise.resolve(stored);
    },
  };
  const journal = { write: async () => {}, clear: async () => {} };
  const read = () => ({ fields: { title: "Chợ", lead: "", body: [] }, base_version: 3 });
  const more = { isComposing: () => false, show: () => {}, closed: () => {} };
  const autosave = new Autosave({ api, journal, path: "/articles/a/autosave", tab: "t", read, ...more });
  autosave.changed();
  autosave.send();
  const saved = autosave.saved();
  autosave.changed();
  autosave.send(); // waits for the first one
  answer();
  await saved;
  return requests;
}

const calls = {
  changedWhileSaved,
  roundTrip,
  normalizedBlocks,
  paste: (html) => pasted(htmlToNodes(html)),
  pasteText: (text) => pasted(textToNodes(text)),
  detectFont,
  toUnicode,
  countText,
  merge,
  matchBlocks: (base, mine) => [...matchBlocks(base, mine)],
  checksOf,
  blocking: (checks, action) => blocking(checks, action).map((one) => one.name),
  parsePictures: (lines) => lines.map(parsePicture),
  formatPictures: (pictures) => pictures.map(formatPicture),
  limits: () => ({ ...limits }),
  linkUrls: (all) => all.map((one) => urls.linkUrl(one)),
  embeds: (all) => all.map((one) => urls.parseEmbed(one)),
  isValid(doc) {
    try {
      schema.nodeFromJSON(doc).check();
      return true;
    } catch {
      return false;
    }
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, arguments: given } = JSON.parse(line);
  let answer;
  try {
    answer = { result: await calls[call](...given) };
  } catch (error) {
    answer = { error: String(error.stack) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
