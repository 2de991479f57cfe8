/** Uploads of pictures into figures of the document. An upload is known by an id, which its figure has. */

import { Fragment, Slice } from "prosemirror-model";
import { nodeToBlock, normalizedBlocks } from "../blocks.js";
import { schema } from "../schema.js";

export const SETTLED = "uploads$";
const RUNNING_MAX = 2; // the server decodes two pictures at once

export class Uploads {
  /** `send(file, onProgress)` uploads a file and resolves with its image; it rejects with the reason. */
  constructor(send) {
    this.send = send;
    this.known = new Map();
    this.waiting = [];
    this.running = 0;
    this.whenIdle = [];
    this.view = null;
  }

  has(id) {
    return this.known.has(id);
  }

  /** Register a file; return what a figure has until it is uploaded. The upload begins when `start` is called. */
  add(file, name = file.name) {
    const id = crypto.randomUUID();
    const pending = { id, name: name || "ảnh", state: "waiting", percent: 0 };
    this.known.set(id, { file, pending, image: null });
    return pending;
  }

  /** Upload the files of all figures that wait for one. */
  start() {
    this.figures((node) => {
      const one = this.known.get(node.attrs.pending?.id);
      if (one && !one.image) this.queue(one);
    });
  }

  retry(id) {
    const one = this.known.get(id);
    if (one) this.queue(one);
  }

  /** Upload a file when its turn has come. */
  queue(one) {
    if (one.isQueued) return;
    one.isQueued = true;
    this.waiting.push(one);
    this.report(one, { state: "waiting" });
    this.next();
  }

  next() {
    while (this.running < RUNNING_MAX && this.waiting.length) this.run(this.waiting.shift());
  }

  async run(one) {
    this.running += 1;
    this.report(one, { state: "uploading", percent: 0 });
    try {
      one.image = await this.send(one.file, (percent) => this.report(one, { percent }));
    } catch (error) {
      this.report(one, { state: "failed", reason: error.message });
    }
    one.isQueued = false;
    this.running -= 1;
    this.settle();
    this.next();
    if (!this.running) for (const done of this.whenIdle.splice(0)) done();
  }

  /** Resolve once no upload runs or waits for its turn. */
  finished() {
    return this.running ? new Promise((done) => this.whenIdle.push(done)) : Promise.resolve();
  }

  report(one, change) {
    one.pending = { ...one.pending, ...change };
    this.settle();
  }

  /** Put the progress or the image into the figures, without a step of undo, and outside of compositions. */
  settle() {
    if (!this.view || this.view.isDestroyed) return;
    if (this.view.composing) {
      this.view.dom.addEventListener("compositionend", () => setTimeout(() => this.settle(), 50), { once: true });
      return;
    }
    const tr = this.transaction(this.view.state);
    if (tr) this.view.dispatch(tr);
  }

  transaction(state) {
    if (!this.known.size) return null;
    const tr = state.tr;
    state.doc.forEach((node, position) => {
      const one = node.type === schema.nodes.figure && this.known.get(node.attrs.pending?.id);
      if (!one) return;
      if (one.image) {
        tr.setNodeAttribute(position, "image", { ...one.image, alt: node.attrs.image?.alt ?? one.image.alt ?? "" });
        tr.setNodeAttribute(position, "pending", null);
      } else if (node.attrs.pending !== one.pending) {
        tr.setNodeAttribute(position, "pending", one.pending);
      }
    });
    return tr.docChanged ? tr.setMeta("addToHistory", false).setMeta(SETTLED, true) : null;
  }

  /** Give figures without a picture, as JSON of another document, what the same figures of this one wait for. */
  carry(content) {
    const waiting = [];
    this.figures((node) => {
      const { image, pending } = node.attrs;
      if (pending && !image) waiting.push({ key: keyOf(node.toJSON()), pending });
    });
    for (const node of content) {
      if (node.type !== "figure" || node.attrs.image !== null) continue;
      const key = keyOf(node);
      const at = waiting.findIndex((one) => one.key === key);
      if (at >= 0) node.attrs.pending = waiting.splice(at, 1)[0].pending;
    }
  }

  /** Give a figure that has no file this one. */
  replace(position, file) {
    const pending = this.add(file);
    const tr = this.view.state.tr.setNodeAttribute(position, "pending", pending);
    this.view.dispatch(tr.setMeta("addToHistory", false));
    this.start();
  }

  /** Insert figures for files at a position of the document. */
  insert(files, position) {
    this.put(files.map((file) => figure({ pending: this.add(file) })), position);
    this.start();
  }

  /** Insert pictures of the library, as the API has them, with their texts. */
  insertStored(items, position) {
    const made = items.map(({ image, caption, credit }) => figure({ image: { ...image, crops: [] } }, caption, credit));
    this.put(made, position);
  }

  put(made, position) {
    const { state } = this.view;
    const $at = state.doc.resolve(position);
    const top = $at.depth ? $at.node(1) : null;
    const isEmpty = top?.type === schema.nodes.paragraph && !top.content.size;
    const from = $at.depth ? (isEmpty ? $at.before(1) : $at.after(1)) : position;
    const to = isEmpty ? $at.after(1) : from;
    this.view.dispatch(state.tr.replace(from, to, new Slice(Fragment.from(made), 0, 0)).scrollIntoView());
  }

  /** Return the names of pictures that have no file, or are not uploaded yet. */
  missing() {
    const names = [];
    this.figures((node) => {
      if (node.attrs.pending && !node.attrs.image) names.push(node.attrs.pending.name);
    });
    return names;
  }

  figures(visit) {
    this.view.state.doc.forEach((node, position) => {
      if (node.type === schema.nodes.figure) visit(node, position);
    });
  }
}

/** What a figure says: two that say the same wait for the same picture. */
const keyOf = (node) => JSON.stringify(normalizedBlocks([nodeToBlock(node)]));

function figure(attrs, caption = "", credit = "") {
  const line = (type, text) => type.create(null, text ? schema.text(text) : null);
  return schema.nodes.figure.create(attrs, [line(schema.nodes.caption, caption), line(schema.nodes.credit, credit)]);
}
