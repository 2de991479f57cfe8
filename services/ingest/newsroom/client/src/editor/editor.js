/** The editor of a body: a view of the document with its keys, rules, toolbar, pictures and paste. */

import { dropCursor } from "prosemirror-dropcursor";
import { gapCursor } from "prosemirror-gapcursor";
import { closeHistory, history, redo, undo } from "prosemirror-history";
import { undoInputRule } from "prosemirror-inputrules";
import { keymap } from "prosemirror-keymap";
import { EditorState, Plugin, TextSelection } from "prosemirror-state";
import { tableEditing } from "prosemirror-tables";
import { EditorView } from "prosemirror-view";
import { blocksToDoc, docToBlocks } from "../blocks.js";
import { el } from "../dom.js";
import { schema } from "../schema.js";
import { t } from "../texts.js";
import { clipboard } from "./clipboard.js";
import { comments } from "./comments.js";
import { KEYS } from "./commands.js";
import { editAtom, editLink } from "./dialogs.js";
import { FigureView } from "./figure_view.js";
import { rules } from "./input_rules.js";
import { listsAreShallow } from "./lists.js";
import { RelatedView } from "./related_view.js";
import { Toolbar } from "./toolbar.js";
import { SETTLED, Uploads } from "./uploads.js";

const SCROLL_MARGIN = { top: 130, right: 0, bottom: 40, left: 0 };

/** Keeps what the model asks of a document: a line to write in at its end, and lists that are not too deep. */
const shape = new Plugin({
  filterTransaction: (tr) => !tr.docChanged || listsAreShallow(tr.doc),
  appendTransaction: (_, before, after) => {
    const last = after.doc.lastChild;
    if (before.doc === after.doc || last.type === schema.nodes.paragraph || last.type === schema.nodes.heading) return null;
    return after.tr.insert(after.doc.content.size, schema.nodes.paragraph.create()).setMeta("addToHistory", false);
  },
});

export class Editor {
  /**
   * Put an editor into `place`.
   *
   * `sendPicture(file, onProgress)` resolves with an image, `sendFile` with the attributes of a file block;
   * `onChange()` is called after each change of the text, `notify(text, action)` shows a line with a button;
   * `chooseStored()` resolves with pictures of the library, `comment()` asks for a comment; `articles` chooses other
   * articles for cards and knows their titles.
   */
  constructor(place, blocks, given) {
    const { sendPicture, sendFile, onChange = () => {}, notify = () => {}, chooseStored, comment, articles } = given;
    this.uploads = new Uploads(sendPicture);
    this.onChange = onChange;
    this.pictures = el("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
    this.pictures.addEventListener("change", () => {
      const files = [...this.pictures.files];
      this.pictures.value = "";
      this.uploads.insert(files, this.view.state.selection.from);
    });
    const text = el("div", { class: "editor-text" });
    this.root = el("div", { class: "editor" }, text, this.pictures);
    place.append(this.root);
    this.view = new EditorView(
      { mount: text },
      {
        state: this.stateOf(blocks, { notify, sendFile, comment, articles }),
        attributes: (state) => ({
          role: "textbox",
          "aria-multiline": "true",
          "aria-label": t("body"),
          "data-placeholder": t("body_placeholder"),
          class: isEmpty(state.doc) ? "editor-text is-empty" : "editor-text",
          spellcheck: "false",
        }),
        nodeViews: {
          figure: (node, view, getPos) => new FigureView(node, view, getPos, this.uploads),
          ...(articles ? { related: (node) => new RelatedView(node, articles.titleOf) } : {}),
        },
        dispatchTransaction: (tr) => this.apply(tr),
        handleDOMEvents: { compositionend: () => void setTimeout(() => this.refresh(), 100) },
        scrollThreshold: SCROLL_MARGIN, // the bars at the top cover the text
        scrollMargin: SCROLL_MARGIN,
        handleDoubleClickOn: (view, position, node) => {
          if (node.isAtom) editAtom(view, { sendFile, articles });
          return false;
        },
      },
    );
    this.uploads.view = this.view;
    const openLibrary = chooseStored && (async () => {
      const { from } = this.view.state.selection;
      const items = await chooseStored();
      if (items.length) this.uploads.insertStored(items, Math.min(from, this.view.state.doc.content.size));
      this.view.focus();
    });
    const context = { choosePictures: () => this.pictures.click(), uploadFile: sendFile, openLibrary, articles, comment };
    this.toolbar = new Toolbar(this.view, context);
    this.root.prepend(this.toolbar.dom);
  }

  stateOf(blocks, { notify, sendFile, comment, articles }) {
    return EditorState.create({
      doc: this.documentOf(blocks),
      plugins: [
        rules,
        keymap({
          "Mod-z": undo,
          "Mod-y": redo,
          "Shift-Mod-z": redo,
          Backspace: undoInputRule,
          "Mod-k": (state, dispatch, view) => (view && editLink(view), true),
          "Alt-F10": () => (this.toolbar.focus(), true),
          ...(comment ? { "Mod-Alt-m": () => (comment(), true) } : {}),
          Enter: (state, dispatch, view) => {
            if (!state.selection.node?.isAtom) return false;
            editAtom(view, { sendFile, articles });
            return true;
          },
        }),
        keymap(KEYS),
        history(),
        tableEditing(),
        dropCursor({ width: 2, class: "drop-cursor", color: false }),
        gapCursor(),
        clipboard({ uploads: this.uploads, notify }),
        comments(),
        shape,
      ],
    });
  }

  documentOf(blocks) {
    const json = blocksToDoc(blocks);
    if (this.view) this.uploads.carry(json.content);
    const doc = schema.nodeFromJSON(json);
    doc.check();
    return doc;
  }

  apply(tr) {
    const { view } = this;
    let { state, transactions } = view.state.applyTransaction(tr);
    const changed = transactions.some((one) => one.docChanged);
    if (changed && !tr.getMeta(SETTLED) && !view.composing) {
      const settled = this.uploads.transaction(state); // undo and redo may bring back a figure that waits
      if (settled) state = state.apply(settled);
    }
    view.updateState(state);
    this.refresh();
    if (changed) this.onChange();
  }

  /** Show the state of the selection in the toolbar with the next frame, or after the composition. */
  refresh() {
    if (this.refreshing || this.view.composing) return;
    this.refreshing = true;
    requestAnimationFrame(() => {
      this.refreshing = false;
      if (!this.view.isDestroyed && !this.view.composing) this.toolbar.update();
    });
  }

  /** The body as it is now. */
  get blocks() {
    return docToBlocks(this.view.state.doc.toJSON());
  }

  /** Replace the body, as one step that can be undone. The caret stays in its block. */
  setBlocks(blocks) {
    this.readCaret();
    const { state } = this.view;
    const doc = this.documentOf(blocks);
    const start = state.doc.content.findDiffStart(doc.content);
    if (start === null) return;
    let { a, b } = state.doc.content.findDiffEnd(doc.content);
    const overlap = start - Math.min(a, b);
    if (overlap > 0) {
      a += overlap;
      b += overlap;
    }
    const tr = closeHistory(state.tr.replace(start, a, doc.slice(start, b)));
    const { $head: caret } = state.selection;
    if (caret.depth && caret.pos > start && caret.pos < a) {
      const at = beginOf(tr.doc, caret.node(1), caret.index(0)) + caret.pos - caret.before(1);
      tr.setSelection(TextSelection.near(tr.doc.resolve(Math.min(at, tr.doc.content.size))));
    }
    this.view.dispatch(tr);
  }

  /** Take over a caret that was just set, of which the browser has not told the view yet. */
  readCaret() {
    const { view } = this;
    const { isCollapsed, focusNode, focusOffset } = getSelection();
    if (!isCollapsed || !view.hasFocus() || !view.dom.contains(focusNode)) return;
    const { tr, selection } = view.state;
    const at = view.posAtDOM(focusNode, focusOffset);
    if (at !== selection.head) view.dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(at))));
  }

  focus() {
    this.view.focus();
  }
}

/** Return where the block like `node` begins that is nearest to `index`; without one, the block nearest to `index`. */
function beginOf(doc, node, index) {
  let [begin, distance] = [0, Infinity];
  doc.forEach((one, offset, at) => {
    const far = Math.abs(at - index) + (one.eq(node) ? 0 : doc.childCount);
    if (far < distance) [begin, distance] = [offset, far];
  });
  return begin;
}

const isEmpty = (doc) => doc.childCount === 1 && doc.firstChild.type === schema.nodes.paragraph && !doc.firstChild.content.size;
