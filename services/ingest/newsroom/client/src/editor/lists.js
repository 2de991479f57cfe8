/** Commands of lists. A list is changed as a whole: as lines with their depth, which become lists again. */

import { Fragment, Slice } from "prosemirror-model";
import { TextSelection } from "prosemirror-state";
import { linesToLists, listToLines } from "../blocks.js";
import { schema } from "../schema.js";
import { LIST_DEPTH_MAX } from "../text/limits.js";

const { nodes } = schema;

/** Return the outermost list around a position: {node, before, index}; null outside of lists. */
export function outerList($pos) {
  for (let depth = 1; depth <= $pos.depth; depth += 1) {
    if ($pos.node(depth).type === nodes.list) return { node: $pos.node(depth), before: $pos.before(depth) };
  }
  return null;
}

/** Return the positions before the paragraphs of a list, one for each line. */
function paragraphPositions(list, before) {
  const positions = [];
  list.descendants((node, position) => {
    if (node.type === nodes.paragraph) positions.push(before + 1 + position);
    return node.type !== nodes.paragraph;
  });
  return positions;
}

/** Return the list around the selection as lines, and the numbers of the selected ones. */
function selectedLines(selection) {
  const list = outerList(selection.$from);
  if (!list || outerList(selection.$to)?.before !== list.before) return null;
  const positions = paragraphPositions(list.node, list.before);
  const lineOf = (position) => positions.findLastIndex((one) => one < position);
  const lines = listToLines(list.node.toJSON());
  return { ...list, positions, lines, first: lineOf(selection.from), last: lineOf(selection.to) };
}

/** Replace the list with lines, which are paragraphs at depth 0; keep the selection. */
function replaceList(state, dispatch, found, lines) {
  if (!dispatch) return true;
  const blocks = [];
  let run = [];
  for (const one of [...lines, { depth: 0 }]) {
    if (one.depth) {
      run.push(one);
      continue;
    }
    blocks.push(...linesToLists(run));
    run = [];
    if (one.paragraph) blocks.push(one.paragraph);
  }
  const content = Fragment.from(blocks.map((block) => schema.nodeFromJSON(block)));
  const { node, before, positions } = found;
  const tr = state.tr.replace(before, before + node.nodeSize, new Slice(content, 0, 0));
  const after = [];
  tr.doc.nodesBetween(before, before + content.size, (one, position) => {
    if (one.type === nodes.paragraph) after.push(position);
    return one.type !== nodes.paragraph;
  });
  const moved = (position) => {
    const line = positions.findLastIndex((one) => one < position);
    return after[line] + (position - positions[line]);
  };
  const { anchor, head } = state.selection;
  tr.setSelection(TextSelection.create(tr.doc, moved(anchor), moved(head)));
  dispatch(tr.scrollIntoView());
  return true;
}

/** Return a command that moves the selected lines, and those below them, by one level. */
function shift(by) {
  return (state, dispatch) => {
    const found = selectedLines(state.selection);
    if (!found) return false;
    const { lines, first } = found;
    const top = Math.min(...lines.slice(first, found.last + 1).map((one) => one.depth));
    let last = found.last;
    while (last + 1 < lines.length && lines[last + 1].depth > lines[found.last].depth) last += 1;
    if (by > 0) {
      const deepest = Math.max(...lines.slice(first, last + 1).map((one) => one.depth));
      if (first === 0 || lines[first - 1].depth < top || deepest >= LIST_DEPTH_MAX) return false;
    }
    const changed = lines.map((one, number) =>
      number < first || number > last ? one : { ...one, depth: Math.max(0, one.depth + by) },
    );
    return replaceList(state, dispatch, found, withSiblingKind(changed, first, last));
  };
}

/** A line that moved into a list becomes numbered as that list is. */
function withSiblingKind(lines, first, last) {
  return lines.map((one, number) => {
    if (number < first || number > last) return one;
    for (let before = number - 1; before >= 0 && lines[before].depth >= one.depth; before -= 1) {
      if (lines[before].depth === one.depth) return { ...one, ordered: lines[before].ordered };
    }
    return one;
  });
}

export const indent = shift(1);
export const outdent = shift(-1);

/** Return a command that makes a list of the selected paragraphs, changes its kind, or makes paragraphs of it. */
export function toggleList(ordered) {
  return (state, dispatch) => {
    const found = selectedLines(state.selection);
    if (found) {
      const { lines, first, last } = found;
      const off = lines.slice(first, last + 1).every((one) => one.ordered === ordered);
      const depth = lines[first].depth;
      const inList = (number) => {
        if (number >= first && number <= last) return true;
        const [from, to] = number < first ? [number, first] : [last, number];
        return lines.slice(from, to + 1).every((one) => one.depth >= depth) && lines[number].depth === depth;
      };
      const changed = lines.map((one, number) => {
        if (off) return number >= first && number <= last ? { ...one, depth: 0 } : one;
        return inList(number) ? { ...one, ordered } : one;
      });
      return replaceList(state, dispatch, found, changed);
    }
    return wrapParagraphs(state, dispatch, ordered);
  };
}

function wrapParagraphs(state, dispatch, ordered) {
  const { $from, $to } = state.selection;
  const range = $from.blockRange($to);
  if (!range || range.depth !== 0) return false;
  const lines = [];
  for (let index = range.startIndex; index < range.endIndex; index += 1) {
    const node = range.parent.child(index);
    if (node.type === nodes.list) lines.push(...listToLines(node.toJSON()).map((one) => ({ ...one, ordered })));
    else if (node.type === nodes.paragraph || node.type === nodes.heading) {
      lines.push({ depth: 1, ordered, paragraph: { type: "paragraph", content: node.content.toJSON() ?? [] } });
    } else return false;
  }
  if (!dispatch) return true;
  const content = Fragment.from(linesToLists(lines).map((list) => schema.nodeFromJSON(list)));
  const tr = state.tr.replace(range.start, range.end, new Slice(content, 0, 0));
  const { anchor, head } = state.selection;
  const single = range.endIndex - range.startIndex === 1;
  if (single && state.selection instanceof TextSelection && range.parent.child(range.startIndex).isTextblock) {
    tr.setSelection(TextSelection.create(tr.doc, anchor + 2, head + 2));
  } else {
    tr.setSelection(TextSelection.between(tr.doc.resolve(range.start), tr.doc.resolve(range.start + content.size)));
  }
  dispatch(tr.scrollIntoView());
  return true;
}

/** Enter in an item: two items; in an empty one: one level out. */
export function splitItem(state, dispatch) {
  const { $from, $to, empty } = state.selection;
  if ($from.depth < 2 || $from.node(-1).type !== nodes.item || !$from.sameParent($to)) return false;
  if (empty && !$from.parent.content.size) return outdent(state, dispatch);
  if (!dispatch) return true;
  const tr = state.tr.deleteSelection();
  tr.split(tr.selection.from, 2);
  dispatch(tr.scrollIntoView());
  return true;
}

/** Backspace at the beginning of an item: one level out. */
export function outdentAtStart(state, dispatch) {
  const { $from, empty } = state.selection;
  if (!empty || $from.parentOffset || $from.depth < 2 || $from.node(-1).type !== nodes.item) return false;
  return outdent(state, dispatch);
}

/** Return whether every list of a document is at most LIST_DEPTH_MAX deep. */
export function listsAreShallow(doc) {
  const depthOf = (list) => {
    let deepest = 1;
    list.forEach((item) => {
      if (item.childCount > 1) deepest = Math.max(deepest, 1 + depthOf(item.child(1)));
    });
    return deepest;
  };
  let shallow = true;
  doc.forEach((node) => {
    if (node.type === nodes.list && depthOf(node) > LIST_DEPTH_MAX) shallow = false;
  });
  return shallow;
}
