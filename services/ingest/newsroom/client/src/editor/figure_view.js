/** A picture in the editor: the image with its focus point, caption and credit as text, alt in a field, uploads. */

import { el } from "../dom.js";
import { schema } from "../schema.js";
import { ALT_CHARACTERS_MAX } from "../text/limits.js";
import { t } from "../texts.js";
import { askFocus } from "./focus_dialog.js";

export class FigureView {
  /** `uploads` starts and reports uploads: see uploads.js. */
  constructor(node, view, getPos, uploads) {
    Object.assign(this, { node, view, getPos, uploads });
    this.picture = el("div", { class: "picture" });
    this.alt = el("input", {
      type: "text",
      maxlength: ALT_CHARACTERS_MAX,
      autocomplete: "off",
      oninput: () => this.setImage({ alt: this.alt.value }),
      onkeydown: (event) => this.keyInField(event),
    });
    this.focus = el("button", { type: "button", onclick: () => this.chooseFocus() }, t("focus"));
    this.file = el("input", { type: "file", accept: "image/*", hidden: true, onchange: () => this.chosen() });
    this.choose = el("button", { type: "button", onclick: () => this.file.click() }, t("choose_picture"));
    const remove = el("button", { type: "button", onclick: () => this.remove() }, t("remove_picture"));
    this.fields = el(
      "div",
      { class: "fields", contenteditable: "false" },
      el("label", { class: "alt" }, el("span", {}, t("alt")), this.alt),
      this.focus,
      this.choose,
      this.file,
      remove,
    );
    this.frame = el("div", { class: "frame", contenteditable: "false" }, this.picture);
    this.contentDOM = el("div", { class: "lines" });
    this.dom = el("figure", {}, this.frame, this.contentDOM, this.fields);
    this.show();
  }

  show() {
    const { image, pending } = this.node.attrs;
    this.dom.classList.toggle("pending", pending !== null);
    this.focus.hidden = image === null || !image.media;
    this.choose.hidden = image !== null || ["waiting", "uploading"].includes(pending?.state);
    this.alt.parentElement.hidden = image === null;
    if (image && document.activeElement !== this.alt) this.alt.value = image.alt;
    this.alt.toggleAttribute("aria-invalid", image !== null && !image.alt.trim());
    const key = JSON.stringify([image?.url, image?.focus, pending]);
    if (key === this.shown) return;
    this.shown = key;
    this.picture.replaceChildren(...(image ? [this.imageElement(image)] : pending ? [this.pendingElement(pending)] : []));
  }

  imageElement(image) {
    const narrow = (image.renditions ?? []).filter((one) => one.width >= 640).sort((a, b) => a.width - b.width)[0];
    const { url } = narrow ?? image;
    if (!url.startsWith("/") && !url.startsWith("blob:")) {
      return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url);
    }
    const picture = el("img", { src: url, alt: "", width: image.width, height: image.height, draggable: "false" });
    if (!image.focus) return picture;
    const dot = el("span", { class: "focus-dot" });
    dot.style.left = `${100 * image.focus.x}%`;
    dot.style.top = `${100 * image.focus.y}%`;
    return el("span", { class: "focused" }, picture, dot);
  }

  pendingElement(pending) {
    const values = { name: pending.name, percent: pending.percent ?? 0, reason: pending.reason ?? "" };
    const texts = {
      waiting: "upload_waits",
      uploading: pending.percent === 100 ? "upload_processed" : "uploading",
      failed: "upload_failed",
      missing: pending.elsewhere ? "picture_elsewhere" : "picture_missing",
    };
    const retry =
      pending.state === "failed" && this.uploads.has(pending.id)
        ? el("button", { type: "button", onclick: () => this.uploads.retry(pending.id) }, t("retry"))
        : null;
    const bar =
      pending.state === "uploading"
        ? el("progress", {
            max: 100,
            value: pending.percent === 100 ? null : String(pending.percent ?? 0), // then the server works
            "aria-label": pending.name,
          })
        : null;
    return el("p", { class: `pending-note ${pending.state}` }, t(texts[pending.state], values), bar, retry);
  }

  setImage(change) {
    const position = this.getPos();
    const image = { ...this.node.attrs.image, ...change };
    if (position !== undefined) this.view.dispatch(this.view.state.tr.setNodeAttribute(position, "image", image));
  }

  /** Enter leaves the field, and submits nothing; the end of a composition stays in it. */
  keyInField(event) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    if (event.key === "Enter") event.preventDefault();
    if (!event.isComposing && event.keyCode !== 229) this.view.focus();
  }

  async chooseFocus() {
    const focus = await askFocus(this.node.attrs.image);
    if (focus) this.setImage({ focus: focus.point });
    this.view.focus();
  }

  chosen() {
    const [file] = this.file.files;
    this.file.value = "";
    if (file) this.uploads.replace(this.getPos(), file);
  }

  remove() {
    const position = this.getPos();
    const { state } = this.view;
    this.view.dispatch(state.tr.delete(position, position + this.node.nodeSize).scrollIntoView());
    this.view.focus();
  }

  update(node) {
    if (node.type !== schema.nodes.figure) return false;
    this.node = node;
    this.show();
    return true;
  }

  selectNode() {
    this.dom.classList.add("selected");
  }

  deselectNode() {
    this.dom.classList.remove("selected");
  }

  stopEvent(event) {
    return this.fields.contains(event.target) || event.target.closest?.(".pending-note button") !== null;
  }

  ignoreMutation(mutation) {
    return mutation.type !== "selection" && !this.contentDOM.contains(mutation.target);
  }
}
