/** The field "picture for lists": chosen from the library or uploaded, with its words. Its line is what the form sends. */

import { el, labelled } from "../dom.js";
import { ALT_CHARACTERS_MAX, CAPTION_CHARACTERS_MAX } from "../text/limits.js";
import { formatPicture, parsePicture } from "../text/picture_line.js";
import { t } from "../texts.js";
import { choosePictures, thumbnail } from "./library.js";

const CREDIT_CHARACTERS_MAX = 200;

/** Return the lead picture of a write page; null if its form has no such field. */
export function leadPictureOf({ field, stored, base, api, site, transfers, page }) {
  if (!field) return null;
  const figures = [stored?.lead_image, ...base.body.filter((block) => block.type === "figure")];
  const known = figures.flatMap((one) => one?.image ?? []);
  return new LeadPicture(field, { api, site, transfers, known, changed: () => page.changed() });
}

class LeadPicture {
  /** `field` has the line; `known` are pictures whose addresses are known; `changed()` is called after each change. */
  constructor(field, { api, site, transfers, known, changed }) {
    Object.assign(this, { field, api, site, transfers, changed });
    this.addresses = new Map(known.map((image) => [image.media ?? image.url, thumbnail(image)]));
    this.uploading = null;
    this.finished = Promise.resolve(); // of the last upload
    this.picture = el("div", { class: "picture" });
    this.said = el("p", { class: "soft", role: "status" });
    const line = (name, maxlength) =>
      el("input", { type: "text", id: `lead-image-${name}`, maxlength, autocomplete: "off", oninput: () => this.words() });
    this.caption = line("caption", CAPTION_CHARACTERS_MAX);
    this.alt = line("alt", ALT_CHARACTERS_MAX);
    this.credit = line("credit", CREDIT_CHARACTERS_MAX);
    const names = ["caption", "alt", "credit"];
    this.lines = el("div", { class: "lines" }, ...names.map((name) => labelled(t(name), this[name])));
    this.file = el("input", { type: "file", accept: "image/*", hidden: true, onchange: () => (this.finished = this.upload()) });
    const button = (text, run) => el("button", { type: "button", onclick: run }, t(text));
    this.chosen = button("lead_library", () => this.choose());
    this.remove = button("remove_picture", () => this.set(null));
    const buttons = el("div", { class: "buttons" }, this.chosen, button("choose_picture", () => this.file.click()), this.remove);
    const label = field.closest("label");
    this.root = el(
      "fieldset",
      { class: "lead-picture" },
      el("legend", {}, label.firstChild.textContent.trim()),
      ...[this.picture, this.said, this.lines, this.file, buttons],
    );
    label.before(this.root);
    this.show();
  }

  /** Show what the field has, unless it is that already; what is no picture is left to the field itself. */
  show() {
    if (this.field.value === this.shown) return;
    this.shown = this.field.value;
    this.value = parsePicture(this.shown);
    const isOther = Boolean(this.shown.trim()) && !this.value;
    this.field.closest("label").hidden = !isOther;
    this.lines.hidden = this.remove.hidden = !this.value;
    this.picture.replaceChildren();
    if (!this.value) return;
    const { image, caption, credit } = this.value;
    for (const [control, text] of [[this.alt, image.alt], [this.caption, caption], [this.credit, credit]]) {
      if (control.value !== text) control.value = text;
    }
    this.showPicture(image);
  }

  async showPicture({ media, url }) {
    const key = media ?? url;
    if (!this.addresses.has(key) && media) {
      const query = new URLSearchParams({ site: this.site });
      const found = await this.api.call("GET", `/media/${media}?${query}`, undefined, { quiet: true }).catch(() => null);
      if (found) this.addresses.set(key, thumbnail(found.image));
    }
    if ((this.value?.image.media ?? this.value?.image.url) !== key) return;
    const address = this.addresses.get(key) ?? url ?? "";
    const isOwn = address.startsWith("/");
    this.picture.replaceChildren(isOwn ? el("img", { src: address, alt: "" }) : el("span", { class: "soft" }, address || key));
  }

  /** Take over what is typed into the lines. */
  words() {
    const { image } = this.value;
    this.value = { caption: this.caption.value, credit: this.credit.value, image: { ...image, alt: this.alt.value } };
    this.write();
  }

  write() {
    this.shown = this.field.value = this.value ? formatPicture(this.value) : "";
    this.changed();
  }

  set(value) {
    this.field.value = value ? formatPicture(value) : "";
    this.show();
    this.changed();
    (value ? this.caption : this.chosen).focus();
  }

  put({ image, caption = "", credit = "" }) {
    this.addresses.set(image.media, thumbnail(image));
    const { alt = "", focus = null, media } = image;
    this.set({ caption, credit: credit ?? "", image: { alt, focus, media } });
  }

  async choose() {
    const [item] = await choosePictures(this.api, this.site, { several: false });
    if (item) this.put(item);
    else this.chosen.focus();
  }

  async upload() {
    const [file] = this.file.files;
    this.file.value = "";
    if (!file) return;
    this.uploading = file.name;
    const say = (percent) => {
      this.said.textContent = t(percent === 100 ? "upload_processed" : "uploading", { name: file.name, percent });
    };
    say(0);
    this.changed();
    try {
      const image = await this.transfers.sendPicture(file, say);
      this.said.textContent = "";
      this.put({ image });
    } catch (error) {
      this.said.textContent = t("upload_failed", { name: file.name, reason: error.message });
    } finally {
      this.uploading = null;
      this.changed();
    }
  }

  /** Return the names of pictures that are not uploaded yet. */
  missing() {
    return this.uploading ? [this.uploading] : [];
  }
}
