/** Dialogs of the editor: link, video, file, table. Each inserts only what the article model allows. */

import { TextSelection } from "prosemirror-state";
import { ask, el, labelled } from "../dom.js";
import { schema } from "../schema.js";
import { CAPTION_CHARACTERS_MAX, TITLE_CHARACTERS_MAX } from "../text/limits.js";
import { embedUrl, imageUrl, linkUrl, parseEmbed, typedUrl } from "../text/urls.js";
import { t } from "../texts.js";
import { ancestor, insertBlock } from "./commands.js";

const buttons = (submit) => ({ submit, cancel: t("cancel") });
const input = (name, value = "", more = {}) => el("input", { type: "text", name, value, autocomplete: "off", ...more });

/** Return the range and the mark of the link around the cursor; null if there is none. */
function linkAround(state) {
  const { $from, empty } = state.selection;
  const link = schema.marks.link;
  const at = empty ? $from : state.doc.resolve($from.pos + 1);
  const mark = link.isInSet(at.marks()) ?? link.isInSet(at.nodeAfter?.marks ?? []);
  if (!mark) return null;
  const parent = $from.parent;
  let index = Math.min($from.index(), parent.childCount - 1);
  if (!mark.isInSet(parent.child(index).marks) && index > 0) index -= 1;
  let first = index;
  let last = index;
  while (first > 0 && mark.isInSet(parent.child(first - 1).marks)) first -= 1;
  while (last + 1 < parent.childCount && mark.isInSet(parent.child(last + 1).marks)) last += 1;
  let from = $from.start();
  for (let one = 0; one < first; one += 1) from += parent.child(one).nodeSize;
  let to = from;
  for (let one = first; one <= last; one += 1) to += parent.child(one).nodeSize;
  return { mark, from, to };
}

export async function editLink(view) {
  const { state } = view;
  if (!state.selection.$from.parent.type.allowsMarkType(schema.marks.link)) return;
  const known = linkAround(state);
  const title = known?.mark.attrs.title ?? "";
  const address = input("href", known?.mark.attrs.href ?? "", { inputmode: "url", required: true });
  const hint = input("title", title, { maxlength: 200 });
  const answer = await ask(
    t("link"),
    [labelled(t("address"), address), labelled(t("link_title"), hint)],
    () => {
      const href = typedUrl(address.value);
      if (href === null) throw new Error(t("address_wrong"));
      return { href, title: hint.value.trim() || null };
    },
    { ...buttons(t("apply")), buttons: known ? [{ name: "remove", text: t("remove_link") }] : [] },
  );
  if (answer) setLink(view, answer.button ? null : answer, known);
  view.focus();
}

function setLink(view, attrs, known) {
  const { state } = view;
  const link = schema.marks.link;
  let { from, to } = state.selection;
  if (known && (from === to || attrs === null)) ({ from, to } = known);
  const tr = state.tr;
  if (from === to) {
    if (attrs === null) return;
    tr.insertText(attrs.href, from);
    to = from + attrs.href.length;
  }
  tr.removeMark(from, to, link);
  if (attrs) tr.addMark(from, to, link.create(attrs));
  view.dispatch(tr.setSelection(TextSelection.create(tr.doc, to)).removeStoredMark(link));
}

export async function insertVideo(view, known = null) {
  const address = input("url", known ? embedUrl(known) : "", { inputmode: "url", required: true });
  const title = input("title", known?.title ?? "", { maxlength: TITLE_CHARACTERS_MAX });
  const answer = await ask(
    t("video"),
    [labelled(t("video_address"), address), labelled(t("video_title"), title)],
    () => {
      const found = parseEmbed(address.value);
      if (found === null) throw new Error(t("video_wrong"));
      return { ...found, title: title.value.trim() };
    },
    buttons(known ? t("apply") : t("insert")),
  );
  if (answer) putAtom(view, schema.nodes.embed.create(answer), known);
  view.focus();
}

/** `upload(file, onProgress)` resolves with the attributes of a file block. */
export async function insertFile(view, upload, known = null) {
  const name = input("name", known?.name ?? "", { maxlength: 200 });
  const address = input("url", known && !known.media ? known.url : "", { inputmode: "url" });
  const file = el("input", { type: "file", name: "file" });
  const bar = el("progress", { max: 100, value: "0", hidden: true });
  const answer = await ask(
    t("file"),
    [labelled(t("file_choose"), file), bar, labelled(t("file_or_address"), address), labelled(t("file_name"), name)],
    async () => {
      if (file.files[0]) {
        bar.hidden = false;
        const attrs = await upload(file.files[0], (percent) => {
          bar.value = percent;
        });
        return { ...attrs, name: name.value.trim() || attrs.name };
      }
      if (known?.media && !address.value.trim()) return { ...known, name: name.value.trim() || known.name };
      const url = imageUrl(typedUrl(address.value) ?? "");
      if (url === null || !name.value.trim()) throw new Error(t("file_missing"));
      return { url, name: name.value.trim(), media: null, bytes: null, media_type: "" };
    },
    buttons(known ? t("apply") : t("insert")),
  );
  if (answer) putAtom(view, schema.nodes.file.create(answer), known);
  view.focus();
}

/** `choose(known)` resolves with the attributes of a card, or null. */
export async function insertRelated(view, choose, known = null) {
  const answer = await choose(known);
  if (answer) putAtom(view, schema.nodes.related.create(answer), known);
  view.focus();
}

function putAtom(view, node, known) {
  const { state } = view;
  view.dispatch(known ? state.tr.replaceSelectionWith(node) : insertBlock(state, node));
}

/** Edit the selected video, file or card. */
export function editAtom(view, { sendFile, articles }) {
  const { node } = view.state.selection;
  if (node?.type === schema.nodes.embed) insertVideo(view, node.attrs);
  else if (node?.type === schema.nodes.file) insertFile(view, sendFile, node.attrs);
  else if (node?.type === schema.nodes.related && articles) insertRelated(view, articles.choose, node.attrs);
}

export async function insertTable(view) {
  const number = (name, value) => el("input", { type: "number", name, value: String(value), min: 1, max: 50 });
  const rows = number("rows", 3);
  const columns = number("columns", 3);
  const bounded = (field) => Math.max(1, Math.min(50, Number(field.value) || 1));
  const answer = await ask(
    t("table"),
    [labelled(t("rows"), rows), labelled(t("columns"), columns)],
    () => ({ rows: bounded(rows), columns: bounded(columns) }),
    buttons(t("insert")),
  );
  if (answer) {
    const { table, table_row: row, table_cell: cell, table_header: header } = schema.nodes;
    const made = Array.from({ length: answer.rows }, (_, y) =>
      row.create(null, Array.from({ length: answer.columns }, () => (y ? cell : header).createAndFill())),
    );
    view.dispatch(insertBlock(view.state, table.create(null, made)));
  }
  view.focus();
}

export async function editTableCaption(view) {
  const found = ancestor(view.state.selection.$from, schema.nodes.table);
  if (!found) return;
  const position = view.state.selection.$from.before(found.depth);
  const caption = input("caption", found.node.attrs.caption, { maxlength: CAPTION_CHARACTERS_MAX });
  const answer = await ask(
    t("table_caption"),
    [labelled(t("table_caption"), caption)],
    () => ({ caption: caption.value.trim() }),
    buttons(t("apply")),
  );
  if (answer) view.dispatch(view.state.tr.setNodeAttribute(position, "caption", answer.caption));
  view.focus();
}

export const isSafeLink = (href) => linkUrl(href) !== null;
