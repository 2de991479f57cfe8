/** Comments below their blocks: widgets that are no part of the document, and move with it. */

import { Plugin, PluginKey } from "prosemirror-state";
import { Decoration, DecorationSet } from "prosemirror-view";
import { nodeToBlock } from "../blocks.js";

const THREADS = new PluginKey("comments");

/** The decorations of a document. The meta value is a list of {position, key, make}: a widget at the end of a block. */
export const comments = () =>
  new Plugin({
    key: THREADS,
    state: {
      init: () => DecorationSet.empty,
      apply: (tr, set) => {
        const threads = tr.getMeta(THREADS);
        return threads ? DecorationSet.create(tr.doc, threads.flatMap(decorations)) : set.map(tr.mapping, tr.doc);
      },
    },
    props: { decorations: (state) => THREADS.getState(state) },
  });

function decorations({ from, to, key, make, isOpen }) {
  const widget = Decoration.widget(to, make, { key, side: -1, stopEvent: () => true, ignoreSelection: true });
  return isOpen ? [Decoration.node(from, to, { class: "commented" }), widget] : [widget];
}

/** Return the places of the blocks of a document: {from, to}. Lines that were left empty are no blocks. */
export function blockPlaces(doc) {
  const places = [];
  doc.forEach((node, from) => {
    if (nodeToBlock(node.toJSON()) !== null) places.push({ from, to: from + node.nodeSize });
  });
  return places;
}

/** Show threads: {from, to, key, make(), isOpen}. */
export function showThreads(view, threads) {
  view.dispatch(view.state.tr.setMeta(THREADS, threads).setMeta("addToHistory", false));
}
