/** Shows both texts where two people have changed the same place, side by side, and takes the choice. */

import { blockToNode, docToBlocks } from "../blocks.js";
import { el } from "../dom.js";
import { partLines } from "../paste/paste.js";
import { inlineText } from "../text/inline_html.js";
import { t } from "../texts.js";

/** Return the text of blocks, a line each. */
function linesOf(blocks) {
  return blocks.flatMap((block) => {
    const lines = partLines(blockToNode(block)).map(inlineText);
    return lines.length ? lines : [block.name || block.title || block.image?.alt || block.type];
  });
}

function side(title, lines) {
  const shown = lines.length ? lines : [t("merge_deleted")];
  return el("div", { class: "side" }, el("strong", {}, title), ...shown.map((line) => el("p", {}, line)));
}

/** Return where a list of blocks begins in a body; -1 if it is not there as a whole. */
function indexOf(body, blocks) {
  const keys = body.map((block) => JSON.stringify(block));
  const wanted = blocks.map((block) => JSON.stringify(block));
  return keys.findIndex((_, at) => wanted.every((key, index) => keys[at + index] === key));
}

/**
 * Show the conflicts above `place`.
 *
 * `editor` has the body with both texts; `setField(name, value)` changes another field; `isFocused`: not while
 * somebody is typing.
 */
export function showConflicts(conflicts, { place, editor, setField, isFocused }) {
  document.querySelector(".editor-panel.conflicts")?.remove();
  if (!conflicts.length) return;
  const heading = el("p", {}, el("strong", {}, t("merge_conflicts", { count: conflicts.length })));
  const panel = el("section", { class: "editor-panel warning conflicts", role: "region", tabindex: "-1" }, heading);
  panel.setAttribute("aria-label", t("merge_conflicts", { count: conflicts.length }));
  for (const conflict of conflicts) {
    const row = el("div", { class: "conflict" });
    const done = () => {
      row.remove();
      if (!panel.querySelector(".conflict")) panel.remove();
    };
    const choose = (kept) => () => {
      if (conflict.name === "body") removeOther(editor, conflict, kept);
      else if (kept !== "both") setField(conflict.name, conflict[kept]);
      done();
    };
    const isBody = conflict.name === "body";
    const lines = (value) => (isBody ? linesOf(value) : [Array.isArray(value) ? value.join(", ") : String(value ?? "")]);
    row.append(
      el("div", { class: "sides" }, side(t("merge_mine"), lines(conflict.mine)), side(t("merge_theirs"), lines(conflict.theirs))),
      el("button", { type: "button", onclick: choose("mine") }, t("merge_keep_mine")),
      el("button", { type: "button", onclick: choose("theirs") }, t("merge_keep_theirs")),
    );
    if (isBody) row.append(el("button", { type: "button", onclick: choose("both") }, t("merge_keep_both")));
    panel.append(row);
  }
  place.before(panel);
  if (isFocused) panel.focus();
}

/** Remove the other text from the body, unless somebody has changed it since: then it stays. */
function removeOther(editor, conflict, kept) {
  if (kept === "both") return;
  const other = conflict[kept === "mine" ? "theirs" : "mine"];
  const body = editor.blocks;
  const same = docToBlocks({ type: "doc", content: other.map(blockToNode) });
  const at = same.length ? indexOf(body, same) : -1;
  if (at >= 0) editor.setBlocks(body.toSpliced(at, same.length));
}
