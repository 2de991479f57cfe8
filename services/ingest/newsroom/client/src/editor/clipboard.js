/** Paste and drop: cleans what comes in by paste.js, puts it where it fits, and says what was left out. */

import { closeHistory, undo } from "prosemirror-history";
import { Fragment, Slice } from "prosemirror-model";
import { NodeSelection, Plugin, TextSelection } from "prosemirror-state";
import { handlePaste as pasteIntoTable, isInTable } from "prosemirror-tables";
import { linesToLists, listToLines } from "../blocks.js";
import { htmlToNodes, partLines, textToNodes } from "../paste/paste.js";
import { schema } from "../schema.js";
import { inlineText } from "../text/inline_html.js";
import { LIST_DEPTH_MAX } from "../text/limits.js";
import { t } from "../texts.js";
import { ancestor } from "./commands.js";

/** The type of what this editor copies: the slice itself, with all attributes of pictures. */
const OWN = "application/x-presstally-slice";
const { nodes } = schema;

/** Return the plugin. `uploads` takes files of pictures; `notify(text, {label, run})` shows one line. */
export function clipboard({ uploads, notify }) {
  const take = (view, data) => {
    const own = data.getData(OWN);
    const slice = own ? sliceOf(own) : null;
    if (slice) return insertSlice(view, slice);
    const html = data.getData("text/html");
    const files = [...(data.files ?? [])].filter((file) => file.type.startsWith("image/"));
    const cleaned = html ? htmlToNodes(html) : textToNodes(data.getData("text/plain"));
    if (files.length && (!cleaned.nodes.length || onlyPictures(cleaned.nodes))) {
      uploads.insert(files, view.state.selection.from);
      return true;
    }
    insertCleaned(view, cleaned, uploads, notify);
    return true;
  };
  return new Plugin({
    view: (view) => ownCopies(view),
    props: {
      handleDOMEvents: {
        paste(view, event) {
          if (!event.clipboardData || isField(event.target)) return false;
          event.preventDefault();
          take(view, event.clipboardData);
          return true;
        },
        drop(view, event) {
          if (view.dragging || !event.dataTransfer || isField(event.target)) return false; // a move within the text
          event.preventDefault();
          const at = view.posAtCoords({ left: event.clientX, top: event.clientY });
          if (at) view.dispatch(view.state.tr.setSelection(TextSelection.near(view.state.doc.resolve(at.pos))));
          take(view, event.dataTransfer);
          view.focus();
          return true;
        },
      },
    },
  });
}

const isField = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
const onlyPictures = (all) => all.every((node) => node.type === "figure");

/** Add the slice itself to what is copied; the view writes its HTML and text. */
function ownCopies(view) {
  let slice = null;
  const before = () => {
    const { selection } = view.state;
    slice = selection.empty ? null : JSON.stringify(selection.content().toJSON());
  };
  const after = (event) => {
    if (slice && event.clipboardData && !isField(event.target)) event.clipboardData.setData(OWN, slice);
  };
  const around = view.dom.parentNode;
  for (const name of ["copy", "cut"]) {
    around.addEventListener(name, before, true);
    around.addEventListener(name, after);
  }
  return {
    destroy() {
      for (const name of ["copy", "cut"]) {
        around.removeEventListener(name, before, true);
        around.removeEventListener(name, after);
      }
    },
  };
}

/** Return a slice of this editor, or null if it is not one: anything may be in a clipboard. */
function sliceOf(json) {
  try {
    const slice = Slice.fromJSON(schema, JSON.parse(json));
    slice.content.forEach((node) => node.check());
    return slice;
  } catch {
    return null;
  }
}

/** Insert a slice of this editor as one step of undo. Where it does not fit as it is, its lines go in. */
function insertSlice(view, slice) {
  if (isInTable(view.state) && pasteIntoTable(view, null, slice)) return true;
  const parts = slice.content.toJSON() ?? [];
  const place = placeOf(view.state);
  if (place !== "block") return insertNodes(view, parts, place);
  view.dispatch(closeHistory(view.state.tr.replaceSelection(slice).scrollIntoView()));
  return true;
}

/** Return where the cursor is: "block", or what limits what fits: "item", "quote", "cell" or "line" of plain text. */
function placeOf(state) {
  const { $from } = state.selection;
  if (state.selection instanceof NodeSelection) return "block";
  if (ancestor($from, nodes.caption, nodes.credit, nodes.cite)) return "line";
  if (isInTable(state)) return "cell";
  if (ancestor($from, nodes.item)) return "item";
  return ancestor($from, nodes.quote) ? "quote" : "block";
}

function insertCleaned(view, { nodes: made, dropped, font, pictures }, uploads, notify) {
  if (!made.length && !Object.keys(dropped).length) return;
  const place = placeOf(view.state);
  const isStructured = made.some((node) => ["table", "figure", "quote"].includes(node.type));
  if (place !== "block" && isStructured) dropped = { ...dropped, structure: true };
  if (made.length) {
    insertNodes(view, made.map((node) => withUpload(node, uploads)), place);
    uploads.start();
  }
  const text = describe(made, dropped, font, pictures);
  if (text) notify(text, { label: t("undo"), run: () => (undo(view.state, view.dispatch), view.focus()) });
}

/** Register the data of a picture as a file to upload. */
function withUpload(node, uploads) {
  if (node.type !== "figure" || node.attrs.pending?.state !== "data") return node;
  const [head, data] = node.attrs.pending.src.split(",", 2);
  const type = /^data:([^;]+)/.exec(head)[1].toLowerCase();
  try {
    const bytes = Uint8Array.from(atob(data.replace(/\s/g, "")), (one) => one.charCodeAt(0));
    const name = `${node.attrs.pending.name}.${type.split("/")[1]}`;
    return { ...node, attrs: { image: null, pending: uploads.add(new File([bytes], name, { type }), name) } };
  } catch {
    const { name } = node.attrs.pending;
    return { ...node, attrs: { image: null, pending: { id: null, name, state: "missing" } } };
  }
}

/** Insert nodes as one step of undo, in the shape that the place takes. */
function insertNodes(view, made, place) {
  const { state } = view;
  let tr = null;
  if (place === "line") tr = state.tr.insertText(made.flatMap(partLines).map(inlineText).join(" ").trim());
  else if (place === "cell") tr = inlineInto(state, made);
  else if (place === "item") tr = linesInto(state, made);
  else if (place === "quote") tr = blocksInto(state, paragraphsOf(made));
  else tr = blocksInto(state, made);
  view.dispatch(closeHistory(tr.scrollIntoView()).setMeta("paste", true).setMeta("uiEvent", "paste"));
  return true;
}

function inlineInto(state, made) {
  const content = made.flatMap(partLines).flatMap((line, index) => (index ? [{ type: "br" }, ...line] : line));
  return state.tr.replaceSelection(new Slice(Fragment.fromJSON(schema, content), 0, 0));
}

function paragraphsOf(made) {
  return made.flatMap(partLines).map((content) => ({ type: "paragraph", content }));
}

/** Put blocks at the cursor: the first and the last line join the paragraph that is there. */
function blocksInto(state, made) {
  const content = Fragment.fromJSON(schema, made);
  const isLine = (node) => node.type === nodes.paragraph;
  const openStart = isLine(content.firstChild) ? 1 : 0;
  const openEnd = isLine(content.lastChild) && (openStart || content.childCount > 1) ? 1 : 0;
  return state.tr.replaceSelection(new Slice(content, openStart, openEnd));
}

/** Put lines into a list: the first joins the line with the cursor, the others are items below it. */
function linesInto(state, made) {
  const lines = made.flatMap((node) =>
    node.type === "list"
      ? listToLines(node)
      : partLines(node).map((content) => ({ depth: 1, ordered: null, paragraph: { type: "paragraph", content } })),
  );
  const tr = state.tr.deleteSelection();
  const { $from } = tr.selection;
  if (lines.length === 1 || !ancestor($from, nodes.item)) {
    return tr.replaceSelection(new Slice(Fragment.fromJSON(schema, lines.flatMap((one) => one.paragraph.content ?? [])), 0, 0));
  }
  let depth = 0;
  for (let one = 1; one <= $from.depth; one += 1) if ($from.node(one).type === nodes.list) depth += 1;
  const ordered = $from.node(-2).attrs.ordered;
  const before = $from.parent.cut(0, $from.parentOffset).content.toJSON() ?? [];
  const after = $from.parent.cut($from.parentOffset).content.toJSON() ?? [];
  const all = lines.map((one, index) => {
    const content = [
      ...(index ? [] : before),
      ...(one.paragraph.content ?? []),
      ...(index === lines.length - 1 ? after : []),
    ];
    const paragraph = { type: "paragraph", ...(content.length ? { content } : {}) };
    return { depth: Math.min(one.depth, LIST_DEPTH_MAX - depth + 1), ordered: one.ordered ?? ordered, paragraph };
  });
  const [list] = linesToLists(all.map((one) => (one.depth === 1 ? { ...one, ordered } : one)));
  const item = $from.node(-1);
  const made2 = list.content;
  if (item.childCount > 1) {
    const last = made2.at(-1);
    const below = item.child(1).toJSON();
    if (last.content[1]) last.content[1].content.push(...below.content);
    else last.content.push(below);
  }
  const content = Fragment.fromJSON(schema, made2);
  const start = $from.before(-1);
  tr.replace(start, start + item.nodeSize, new Slice(content, 0, 0));
  return tr.setSelection(TextSelection.near(tr.doc.resolve(start + content.size), -1));
}

/** Return the line that says what came in and what was left out; "" for a few plain words. */
function describe(made, dropped, font, pictures) {
  const left = [];
  if (dropped.styles) left.push(t("dropped_styles"));
  if (dropped.underline) left.push(t("dropped_underline"));
  for (const name of ["links", "frames", "scripts", "fields", "icons", "pictures", "comments", "deletions"]) {
    if (dropped[name]) left.push(t(`dropped_${name}`, { count: dropped[name] }));
  }
  if (dropped.formulas) left.push(t("dropped_formulas"));
  if (dropped.strike) left.push(t("dropped_strike"));
  if (dropped.depth) left.push(t("dropped_depth", { limit: LIST_DEPTH_MAX }));
  if (dropped.structure) left.push(t("dropped_structure"));
  if (!left.length && !font && made.length < 2 && !pictures) return "";
  const count = (type) => made.filter((node) => node.type === type).length;
  const what = [
    ["n_paragraphs", count("paragraph")],
    ["n_headings", count("heading")],
    ["n_lists", count("list")],
    ["n_tables", count("table")],
    ["n_pictures", pictures],
  ];
  const came = what.filter(([, number]) => number).map(([name, number]) => t(name, { count: number }));
  return [
    came.length ? t("pasted", { what: came.join(", ") }) : "",
    font ? t("converted_font", { font }) : "",
    left.length ? t("pasted_dropped", { dropped: left.join(", ") }) : "",
  ].filter(Boolean).join(" ");
}
