/** Commands of the editor: kinds of paragraphs, quotations, Enter and Backspace where blocks have a shape of their own. */

import {
  chainCommands,
  createParagraphNear,
  deleteSelection,
  exitCode,
  joinBackward,
  joinForward,
  joinTextblockBackward,
  joinTextblockForward,
  liftEmptyBlock,
  selectNodeBackward,
  selectNodeForward,
  setBlockType,
  splitBlock,
  toggleMark,
} from "prosemirror-commands";
import { Fragment, Slice } from "prosemirror-model";
import { NodeSelection, TextSelection } from "prosemirror-state";
import { goToNextCell, isInTable } from "prosemirror-tables";
import { schema } from "../schema.js";
import { indent, outdent, outdentAtStart, outerList, splitItem, toggleList } from "./lists.js";

const { nodes, marks } = schema;

/** Return the innermost ancestor of one of the types: {node, depth}; null if there is none. */
export function ancestor($pos, ...types) {
  for (let depth = $pos.depth; depth > 0; depth -= 1) {
    if (types.includes($pos.node(depth).type)) return { node: $pos.node(depth), depth };
  }
  return null;
}

/** Return the kind of the selected block: paragraph, heading_2…4, quote, list, table, figure or "". */
export function blockKind(state) {
  const { $from } = state.selection;
  const top = $from.node(1);
  if (!top) return state.selection instanceof NodeSelection ? state.selection.node.type.name : "";
  return top.type === nodes.heading ? `heading_${top.attrs.level}` : top.type.name;
}

/** Return a command that makes the selected blocks paragraphs or headings. */
export function setKind(kind) {
  const [name, level] = kind.split("_");
  return (state, dispatch) => {
    if (name === "paragraph" && outerList(state.selection.$from)) {
      return toggleList(outerList(state.selection.$from).node.attrs.ordered)(state, dispatch);
    }
    return setBlockType(nodes[name], level ? { level: Number(level) } : null)(state, dispatch);
  };
}

/** Return a command that sets or removes a mark. Text is not both below and above the line. */
export function toggle(name) {
  const other = { sub: marks.sup, sup: marks.sub }[name];
  return (state, dispatch) =>
    toggleMark(marks[name])(
      state,
      dispatch &&
        ((tr) => {
          const { from, to, empty } = state.selection;
          if (other && empty) tr.removeStoredMark(other);
          else if (other) tr.removeMark(from, to, other);
          dispatch(tr);
        }),
    );
}

/** Make a quotation of the selected paragraphs, or paragraphs of a quotation. */
export function toggleQuote(state, dispatch) {
  const { $from, $to, anchor, head } = state.selection;
  const quote = ancestor($from, nodes.quote);
  if (quote) {
    if (!dispatch) return true;
    const before = $from.before(quote.depth);
    const paragraphs = [];
    quote.node.forEach((one) => {
      if (one.type === nodes.paragraph) paragraphs.push(one);
      else if (one.content.size) paragraphs.push(nodes.paragraph.create(null, one.content));
    });
    const content = Fragment.from(paragraphs);
    const tr = state.tr.replace(before, before + quote.node.nodeSize, new Slice(content, 0, 0));
    const at = (position) => tr.doc.resolve(Math.min(position - 1, before + content.size - 1));
    dispatch(tr.setSelection(TextSelection.between(at(anchor), at(head))).scrollIntoView());
    return true;
  }
  const range = $from.blockRange($to);
  if (!range || range.depth !== 0) return false;
  const paragraphs = [];
  for (let index = range.startIndex; index < range.endIndex; index += 1) {
    const node = range.parent.child(index);
    if (node.type !== nodes.paragraph && node.type !== nodes.heading) return false;
    paragraphs.push(nodes.paragraph.create(null, node.content));
  }
  if (!dispatch) return true;
  const made = nodes.quote.create(null, [...paragraphs, nodes.cite.create()]);
  const tr = state.tr.replace(range.start, range.end, new Slice(Fragment.from(made), 0, 0));
  tr.setSelection(TextSelection.between(tr.doc.resolve(anchor + 1), tr.doc.resolve(head + 1)));
  dispatch(tr.scrollIntoView());
  return true;
}

/** Enter in the caption, credit or author of a quotation: the next of these lines, or a paragraph below the block. */
function leaveLine(state, dispatch) {
  const { $from } = state.selection;
  const line = ancestor($from, nodes.caption, nodes.credit, nodes.cite);
  if (!line) return false;
  if (line.node.type === nodes.caption) {
    dispatch?.(state.tr.setSelection(TextSelection.create(state.doc, $from.after(line.depth) + 1)).scrollIntoView());
    return true;
  }
  return paragraphAfter(state, dispatch, $from.after(line.depth - 1));
}

function paragraphAfter(state, dispatch, position) {
  if (!dispatch) return true;
  const tr = state.tr;
  const next = state.doc.resolve(position).nodeAfter;
  if (!(next?.type === nodes.paragraph && !next.content.size)) tr.insert(position, nodes.paragraph.create());
  dispatch(tr.setSelection(TextSelection.create(tr.doc, position + 1)).scrollIntoView());
  return true;
}

/** Enter in an empty paragraph at the end of a quotation: a paragraph below it. */
function leaveQuote(state, dispatch) {
  const { $from, empty } = state.selection;
  if (!empty || $from.depth < 2 || $from.node(-1).type !== nodes.quote || $from.parent.content.size) return false;
  const quote = $from.node(-1);
  if (quote.childCount < 3 || $from.index(-1) !== quote.childCount - 2) return false;
  if (!dispatch) return true;
  const after = $from.after(-1);
  const tr = state.tr.delete($from.before(), $from.after());
  tr.insert(tr.mapping.map(after), nodes.paragraph.create());
  dispatch(tr.setSelection(TextSelection.create(tr.doc, tr.mapping.map(after, -1) + 1)).scrollIntoView());
  return true;
}

/** Insert a line break where the model has one. */
export function insertBreak(state, dispatch) {
  const { $from } = state.selection;
  if (!$from.parent.inlineContent || !$from.parent.type.contentMatch.matchType(nodes.br)) return false;
  dispatch?.(state.tr.replaceSelectionWith(nodes.br.create()).scrollIntoView());
  return true;
}

const breakInCell = (state, dispatch) => isInTable(state) && insertBreak(state, dispatch);

/** Backspace at the beginning of the first paragraph of a quotation: no quotation. */
function unquoteAtStart(state, dispatch) {
  const { $from, empty } = state.selection;
  if (!empty || $from.parentOffset || $from.depth < 2 || $from.node(-1).type !== nodes.quote) return false;
  return $from.parent.type === nodes.paragraph && $from.index(-1) === 0 && toggleQuote(state, dispatch);
}

/** Backspace at the beginning of a heading: a paragraph. */
function plainAtStart(state, dispatch) {
  const { $from, empty } = state.selection;
  if (!empty || $from.parentOffset || $from.parent.type !== nodes.heading || $from.parent.content.size) return false;
  return setBlockType(nodes.paragraph)(state, dispatch);
}

/** Put a block after the one with the cursor, or in place of an empty paragraph; the cursor is in or after it. */
export function insertBlock(state, node) {
  const tr = state.tr;
  const { $from } = state.selection;
  const top = $from.depth ? $from.node(1) : null;
  let at = top ? $from.after(1) : state.selection.to;
  if (top?.type === nodes.paragraph && !top.content.size) {
    at = $from.before(1);
    tr.delete(at, $from.after(1));
  }
  tr.insert(at, node);
  if (tr.doc.resolve(at + node.nodeSize).nodeAfter === null) tr.insert(at + node.nodeSize, nodes.paragraph.create());
  const inside = tr.doc.resolve(node.isAtom ? at + node.nodeSize : at + 1);
  return tr.setSelection(TextSelection.near(inside)).scrollIntoView();
}

const next = (state, dispatch) => isInTable(state) && goToNextCell(1)(state, dispatch);
const previous = (state, dispatch) => isInTable(state) && goToNextCell(-1)(state, dispatch);
const enter = chainCommands(
  leaveLine,
  breakInCell,
  splitItem,
  leaveQuote,
  createParagraphNear,
  liftEmptyBlock,
  splitBlock,
);
const backspace = chainCommands(
  deleteSelection,
  outdentAtStart,
  unquoteAtStart,
  plainAtStart,
  joinTextblockBackward,
  joinBackward,
  selectNodeBackward,
);
const remove = chainCommands(deleteSelection, joinTextblockForward, joinForward, selectNodeForward);

/** The keys of the body, besides those of undo, links and the toolbar. */
export const KEYS = {
  Enter: enter,
  "Shift-Enter": chainCommands(insertBreak, enter),
  "Mod-Enter": exitCode,
  Backspace: backspace,
  "Mod-Backspace": backspace,
  "Shift-Backspace": backspace,
  Delete: remove,
  "Mod-Delete": remove,
  Tab: chainCommands(next, indent),
  "Shift-Tab": chainCommands(previous, outdent),
  "Mod-b": toggle("strong"),
  "Mod-i": toggle("em"),
  "Mod-,": toggle("sub"),
  "Mod-.": toggle("sup"),
  "Mod-Alt-0": setKind("paragraph"),
  "Mod-Alt-2": setKind("heading_2"),
  "Mod-Alt-3": setKind("heading_3"),
  "Mod-Alt-4": setKind("heading_4"),
  "Mod-Shift-7": toggleList(true),
  "Mod-Shift-8": toggleList(false),
  "Mod-Shift-9": toggleQuote,
};
