/** Counts words and characters. Pure. */

import { inlineText, parseInline } from "./inline_html.js";

function* texts(block) {
  if (block.html !== undefined) yield inlineText(parseInline(block.html));
  if (block.caption) yield block.caption;
  if (block.cite) yield block.cite;
  for (const html of block.paragraphs ?? []) yield inlineText(parseInline(html));
  for (const item of block.items ?? []) yield* texts(item);
  for (const row of block.rows ?? []) for (const cell of row) yield* texts(cell);
}

/** Return {words, characters, blocks} of a body. A Vietnamese word is a syllable here, as people count "chữ". */
export function countText(blocks) {
  let words = 0;
  let characters = 0;
  for (const block of blocks) {
    for (const text of texts(block)) {
      words += text.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}.,:/–-]*/gu)?.length ?? 0;
      characters += [...text].length;
    }
  }
  return { words, characters, blocks: blocks.length };
}
