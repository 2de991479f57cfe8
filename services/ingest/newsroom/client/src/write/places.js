/** Leads to a place of the write page: a field of its form, a block of the body, a tool. */

import { NodeSelection, Selection, TextSelection } from "prosemirror-state";
import { blockPlaces } from "../editor/comments.js";
import { schema } from "../schema.js";
import { t } from "../texts.js";

const PARTS = { caption: 0, credit: 1 };

/** `target` is that of a check: {field}, {id}, {tool}, or {block, part}. */
export function goTo(target, { form, editor }) {
  if (target.field) {
    const field = form.elements.namedItem(target.field);
    field.closest("details")?.setAttribute("open", "");
    field.focus();
    return;
  }
  if (target.id) {
    document.getElementById(target.id)?.focus();
    return;
  }
  if (target.tool) {
    editor.toolbar.show(target.tool);
    return;
  }
  const { view } = editor;
  const place = target.part === "missing" ? firstMissing(view.state.doc) : blockPlaces(view.state.doc)[target.block];
  if (!place) {
    editor.focus();
    return;
  }
  view.dispatch(view.state.tr.setSelection(selectionIn(view.state.doc, place.from, target.part)).scrollIntoView());
  const alt = target.part === "alt" ? view.nodeDOM(place.from)?.querySelector(".alt input") : null;
  if (alt) alt.focus();
  else view.focus();
}

/** Return a button for each of some checks, which leads to its place and leaves the line with the others. */
export function leadingTo(faults, page) {
  return faults.map(({ name, values, target }) => ({
    label: t(`check_${name}`, values),
    run: () => goTo(target, page),
    stays: true,
  }));
}

function selectionIn(doc, from, part) {
  const node = doc.nodeAt(from);
  if (node.type === schema.nodes.figure && part in PARTS) {
    let inside = from + 1;
    for (let line = 0; line < PARTS[part]; line += 1) inside += node.child(line).nodeSize;
    return TextSelection.create(doc, inside + 1 + node.child(PARTS[part]).content.size);
  }
  return part === "missing" || node.isAtom ? NodeSelection.create(doc, from) : Selection.near(doc.resolve(from + 1));
}

function firstMissing(doc) {
  let found = null;
  doc.forEach((node, from) => {
    if (!found && node.attrs.pending && !node.attrs.image) found = { from };
  });
  return found;
}
