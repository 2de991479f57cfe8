/**
 * The page "write": what is typed is kept on the server; it has a checklist, comments, and shows who else is there.
 *
 * What it expects beyond `writing_page.js`: `<form id="write">` with the input `key` for a new article. A page whose address
 * has `publication=4` follows version 4 to its address.
 */

import { el } from "../dom.js";
import { t } from "../texts.js";
import { Autosave } from "./autosave.js";
import { Checklist } from "./checklist.js";
import { checksOf } from "./checks.js";
import { Comments } from "./comments.js";
import { composed } from "./composition.js";
import { readForm, toFields } from "./form.js";
import { Journal } from "./journal.js";
import { leadPictureOf } from "./lead_picture.js";
import { goTo } from "./places.js";
import { Presence } from "./presence.js";
import { Publication } from "./publication.js";
import { offerNew, restore } from "./unsaved.js";
import { WritingPage } from "./writing_page.js";

export class ArticlePage extends WritingPage {
  get comment() {
    return this.id === null ? undefined : () => this.started.then(() => this.comments.addHere());
  }

  makeEditor() {
    super.makeEditor();
    this.form.append(el("input", { type: "hidden", name: "tab", value: this.tab }));
    const side = this.form.querySelector(".side") ?? el("div");
    if (!side.isConnected) this.place.after(side);
    this.checklist = new Checklist(side, (target) => goTo(target, this));
    this.leadPicture = leadPictureOf({ ...this, field: this.field("lead_image"), page: this });
  }

  /** Start what needs to know who this is: the journal, autosave, presence; and bring back what was not saved. */
  async start() {
    const me = await this.session.read();
    const key = this.field("key")?.value ?? "";
    const journal = new Journal(me?.id ?? "?", this.id ?? key, this.tab);
    this.autosave = new Autosave({
      api: this.api,
      journal,
      path: this.id ? `/articles/${this.id}/autosave` : `/autosaves/${key}`,
      tab: this.tab,
      more: this.id ? {} : { isNew: true, site: this.site, sent: { site: this.site } },
      read: () => ({ fields: toFields(readForm(this.form), this.body), base_version: this.version }),
      isComposing: () => this.isComposing,
      show: (text) => this.say(text),
      closed: (id) => this.notify(t("made_elsewhere"), { label: t("open_it"), run: () => location.assign(id) }),
    });
    if (this.isChangedEarly) this.autosave.changed();
    if (this.id) await this.autosave.hold(restore(this, journal));
    else await offerNew(this, journal);
    await composed(() => this.isComposing); // what follows moves the text
    if (this.id) this.followOthers();
  }

  /** Show what others do with the article: its way to its address, comments, who is there. */
  followOthers() {
    this.followPublication();
    this.comments = new Comments({
      api: this.api,
      article: this.id,
      editor: this.editor,
      place: this.place,
      base: () => this.base.body,
      version: () => this.version,
      isComposing: () => this.isComposing,
      notify: (text) => this.notify(text),
    });
    this.presence = new Presence({
      api: this.api,
      path: `/articles/${this.id}`,
      tab: this.tab,
      place: this.place,
      isWriting: () => this.autosave.isDirty,
      isComposing: () => this.isComposing,
      version: () => this.version,
    });
  }

  /** Show the way of the version that was just published to its address. */
  followPublication() {
    const address = new URL(location.href);
    const version = Number(address.searchParams.get("publication"));
    if (!version) return;
    address.searchParams.delete("publication");
    history.replaceState(null, "", address); // a reload does not ask again
    const { api, id: article, place } = this;
    new Publication({ api, article, place, isComposing: () => this.isComposing }).follow(version);
  }

  showCount() {
    super.showCount();
    if (this.isComposing) return;
    this.leadPicture?.show();
    this.checklist.show(this.checks());
  }

  checks(body = this.editor.blocks) {
    const missing = [...this.editor.uploads.missing(), ...(this.leadPicture?.missing() ?? [])];
    return checksOf(readForm(this.form), body, missing);
  }

  async uploaded() {
    await Promise.all([super.uploaded(), this.leadPicture?.finished]);
  }

  take(head) {
    super.take(head);
    this.comments?.load();
  }
}
