/**
 * The page of a static page such as "Giới thiệu": what is typed is kept in this browser until it is saved.
 *
 * What it expects beyond `writing_page.js`: `<form id="page">`.
 */

import { Autosave } from "./autosave.js";
import { checksOf } from "./checks.js";
import { composed } from "./composition.js";
import { fromFields, readForm, toFields } from "./form.js";
import { Journal } from "./journal.js";
import { Presence } from "./presence.js";
import { isSameText, offerText, restore } from "./unsaved.js";
import { WritingPage } from "./writing_page.js";

const ENDS = ["withdraw", "delete"];
const CHECKS = ["title", "files", "captions", "alts"]; // a contact page may have no text of its own

export class StaticPage extends WritingPage {
  get texts() {
    return { saved: "page_saved", merged: "page_merged", restored: "page_restored" };
  }

  listen() {
    super.listen();
    addEventListener("beforeunload", (event) => this.isUnsaved && !this.isLeaving && event.preventDefault());
  }

  get isUnsaved() {
    const isChanged = this.autosave ? this.autosave.isDirty : this.isChangedEarly;
    return Boolean(isChanged) && !isSameText(this.text, this.base);
  }

  get text() {
    return { values: readForm(this.form), body: this.body };
  }

  /** Start the journal, and bring back what was not saved. A new page has one place for each beginning. */
  async start() {
    const me = await this.session.read();
    const place = this.id ? `page:${this.id}` : `new-page:${this.site}:${new URL(location.href).searchParams.get("mau") ?? ""}`;
    const journal = new Journal(me?.id ?? "?", place, this.tab);
    const fields = ({ values, body }) => toFields(values, body);
    this.autosave = new Autosave({
      api: this.api,
      journal,
      path: null,
      tab: this.tab,
      read: () => ({ fields: fields(this.text), base_version: this.version, base: fields(this.base) }),
      isComposing: () => this.isComposing,
      show: (text) => this.say(text),
    });
    if (this.id) await this.autosave.hold(restore(this, journal));
    else await this.offer(journal);
    if (this.isChangedEarly) this.autosave.changed();
    await composed(() => this.isComposing); // what follows moves the text
    if (this.id) this.followOthers();
  }

  /** Show who else has the page open, and that somebody has saved it. */
  followOthers() {
    this.presence = new Presence({
      api: this.api,
      path: `/pages/${this.id}`,
      tab: this.tab,
      place: this.place,
      isWriting: () => this.autosave.isDirty,
      isComposing: () => this.isComposing,
      version: () => this.version,
      texts: ["page_others_here", "page_newer"],
    });
  }

  /** Offer the text of a new page that was never saved. */
  async offer(journal) {
    const [found] = await journal.read();
    if (!found) return;
    const { values, body } = fromFields(found.fields);
    await offerText(this, { at: found.at, title: values.title, names: ["page_unsaved_new", "page_discard"] }, {
      reopen: () => this.use({ values, body }),
      forget: () => journal.clear(found.at),
    });
  }

  checks() {
    const found = checksOf(readForm(this.form), this.editor.blocks, this.editor.uploads.missing());
    return found.filter(({ name }) => CHECKS.includes(name));
  }

  take(head) {
    super.take(head);
    document.querySelector("main > .notice")?.remove(); // it was about the version before
  }

  /** Taking down and deleting ask on a page of their own; what is typed here stays in this browser. */
  submit(event) {
    if (!ENDS.includes(event.submitter?.value)) return super.submit(event);
    this.isLeaving = true;
    this.area.value = JSON.stringify(this.body);
    return this.autosave?.writeJournal();
  }

  leave(button) {
    this.isLeaving = true;
    super.leave(button);
  }
}
