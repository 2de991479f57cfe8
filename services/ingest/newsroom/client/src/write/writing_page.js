/**
 * A page in which somebody writes: the editor stands in place of the body of its form; the form is sent by the script, and
 * what others have saved meanwhile is merged.
 *
 * What it expects of the page: a form with a `<textarea name="body">` and the inputs `csrf`, `version` and, for something
 * new, `site`; `<script type="application/json" id="stored">` with what is stored as the API returns it, or null; the
 * language of the person in `<html lang>`; the site's time zone in `data-zone` of the form. The form is sent as it is sent
 * without scripts, except that `body` is the list of blocks as JSON and `body_format` is `blocks`. Its responses mean: a
 * redirect, it is saved; 412, another version is newer; 401 and 403, the session has ended; anything else says what is
 * wrong.
 */

import { normalizedBlocks } from "../blocks.js";
import { copyOf, el } from "../dom.js";
import { Editor } from "../editor/editor.js";
import { Transfers } from "../editor/transfers.js";
import { merge } from "../merge.js";
import { countText } from "../text/count.js";
import { BLOCKS_MAX } from "../text/limits.js";
import { clock, t } from "../texts.js";
import { Api } from "./api.js";
import { bodyPlace, Notice } from "./body_place.js";
import { blocking } from "./checks.js";
import { composed } from "./composition.js";
import { showConflicts } from "./conflicts.js";
import { editorOptions } from "./editor_options.js";
import { areReadable, fillForm, readForm, readPage, showErrors } from "./form.js";
import { goTo, leadingTo } from "./places.js";
import { Session } from "./session.js";
import { isSameText } from "./unsaved.js";

const COUNT_MS = 400;
const SHOWN = ["state", "addresses"]; // parts that say what is stored
export const PREVIEW = "preview";

/** A subclass has `checks(body)`, and `autosave` once it keeps what is typed. */
export class WritingPage {
  constructor(form) {
    this.form = form;
    const stored = JSON.parse(document.getElementById("stored")?.textContent || "null");
    this.stored = stored?.id ? stored : null;
    this.id = this.stored?.id ?? null;
    this.site = this.stored?.site ?? this.field("site")?.value ?? "";
    this.session = new Session(form, () => this.isComposing);
    const onEnded = () => this.session.ended();
    this.api = new Api({ csrf: () => this.session.csrf, onEnded });
    this.transfers = new Transfers({ site: this.site, csrf: () => this.session.csrf, onEnded });
    this.base = { body: stored?.body ?? [], values: readForm(form) };
    this.unanswered = []; // texts that were sent; nobody knows whether they were saved
    this.tab = crypto.randomUUID();
    this.makeEditor();
    this.listen();
    this.showCount();
  }

  /** Names of the texts that say what became of the text; those of pages with numbered versions. */
  get texts() {
    return { saved: "saved", merged: "merged", restored: "restored_both" };
  }

  /** What the button for comments does; undefined where there are none. */
  get comment() {
    return undefined;
  }

  field(name) {
    return this.form.elements.namedItem(name);
  }

  /** The address of the form; its property `action` is its buttons, which have this name. */
  get address() {
    return new URL(this.form.getAttribute("action") ?? "", location.href).href;
  }

  get version() {
    return Number(this.field("version")?.value) || null;
  }

  makeEditor() {
    Object.assign(this, bodyPlace(this.form));
    this.notice = new Notice(this.place);
    this.state = el("span", { class: "state-text", role: "status" });
    this.count = el("span", { class: "count-text" });
    this.editor = new Editor(this.place, this.base.body, {
      ...editorOptions({ ...this, notify: (text, action) => this.notify(text, action) }),
      onChange: () => this.changed(),
      comment: this.comment,
    });
    this.editor.root.append(el("div", { class: "editor-status" }, this.state, this.count));
  }

  listen() {
    const { form } = this;
    form.addEventListener("input", (event) => {
      if (!event.target.closest(".editor")) this.changed();
    });
    form.addEventListener("compositionstart", () => (this.composing = true), true);
    form.addEventListener("compositionend", () => (this.composing = false), true);
    form.addEventListener("keydown", (event) => this.key(event));
    form.addEventListener("submit", (event) => this.submit(event));
    const bar = form.querySelector(".bar");
    if (bar && getComputedStyle(bar).position === "sticky") {
      new ResizeObserver(() => form.style.setProperty("--bar", `${bar.offsetHeight}px`)).observe(bar);
    }
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  get isComposing() {
    return this.composing || this.editor.view.composing;
  }

  /** Enter in a line goes on to the next field and submits nothing; Ctrl+S saves. */
  key(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key.toLowerCase() === "s" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      const save = buttonOf(this.form, "save");
      if (save) this.form.requestSubmit(save);
      return;
    }
    const { target } = event;
    if (event.key !== "Enter" || target.closest(".editor-text")) return;
    const isLine = target.tagName === "INPUT" && !["checkbox", "radio", "submit", "button"].includes(target.type);
    if (!isLine && !["title", "lead"].includes(target.name)) return;
    event.preventDefault();
    if (target.name === "title") (this.field("lead") ?? this.editor).focus();
    else if (target.name === "lead") this.editor.focus();
  }

  /** The body as it is sent. */
  get body() {
    return normalizedBlocks(this.editor.blocks);
  }

  changed() {
    this.isSent = false;
    if (this.autosave) this.autosave.changed();
    else this.isChangedEarly = true;
    clearTimeout(this.counting);
    this.counting = setTimeout(() => this.showCount(), COUNT_MS);
  }

  showCount() {
    if (this.isComposing) {
      this.counting = setTimeout(() => this.showCount(), COUNT_MS);
      return;
    }
    const body = this.editor.blocks;
    const { words, characters, blocks } = countText(body);
    const number = (value) => value.toLocaleString(document.documentElement.lang || "vi");
    const text = t("count", { words: number(words), characters: number(characters) });
    this.count.textContent = blocks > BLOCKS_MAX ? `${text} · ${t("too_many_blocks", { limit: BLOCKS_MAX })}` : text;
  }

  say(text) {
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  /** Show a line above the editor, with buttons; it replaces the former one. */
  notify(text, ...actions) {
    this.notice.show(text, ...actions);
  }

  /** Put values and a body into the page. */
  use({ values, body }, ...actions) {
    fillForm(this.form, values);
    this.editor.setBlocks(body);
    this.changed();
    if (actions.length) this.notify(t("restored", { time: clock() }), ...actions);
  }

  /** Send the form; a second click while it is sent does nothing. */
  async submit(event) {
    const button = event.submitter;
    const action = button?.value ?? "save";
    if (this.isComposing || this.sending) {
      event.preventDefault();
      return;
    }
    const faults = action === PREVIEW ? [] : blocking(this.checks(), action);
    if (faults.length || !areReadable(this.form)) {
      event.preventDefault();
      if (faults.length) this.refuse(faults, action);
      return;
    }
    this.area.value = JSON.stringify(this.body);
    if (action === PREVIEW) return; // opens in another tab
    event.preventDefault();
    this.sending = true;
    this.form.setAttribute("aria-busy", "true");
    try {
      if (this.id === null) await this.uploaded();
      this.say(t("saving"));
      await this.send(button, action);
    } catch (error) {
      this.say(t("save_failed", { reason: error.message }));
    } finally {
      this.sending = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  /** Wait for the pictures of something new: the page that follows it would not have them. */
  async uploaded() {
    this.say(t("saving_after_uploads"));
    await this.editor.uploads.finished();
  }

  /** Say what keeps the text from being sent, and lead to the first place. */
  refuse(faults, action) {
    goTo(faults[0].target, this);
    this.notify(t(action === "save" ? "checks_save" : "checks_block"), ...leadingTo(faults, this));
  }

  /** Send the text as it is now: what was typed while a response or a log-in was waited for belongs to it. */
  async send(button, action, isAgain = false) {
    this.isSent = true;
    this.area.value = JSON.stringify(this.body);
    this.sent = { values: readForm(this.form), body: JSON.parse(this.area.value) };
    const data = new URLSearchParams(new FormData(this.form, button));
    const { sent } = this;
    const response = await fetch(this.address, { method: "POST", body: data }).catch(() => null);
    if (!response || response.status >= 500) {
      this.unanswered.push(sent);
      throw new Error(t("no_network"));
    }
    if (response.redirected && response.ok) return this.saved(response.url, action);
    if (response.status === 401) {
      await this.session.ended();
      return this.send(button, action);
    }
    if (response.status === 403 && !isAgain && (await this.session.read())) return this.send(button, action, true);
    if (response.status === 412) return this.mergeAndSave(button, action);
    await this.autosave?.writeJournal();
    const page = readPage(await response.text(), this.form.id);
    if (page?.stored?.id && page.stored.id === this.id) this.refused(page);
    else this.leave(button); // the server says what is wrong, beside the fields
    return undefined;
  }

  /** The server has refused a step or a field: say so, beside the fields; what it has saved is saved. */
  refused(page) {
    if (page.stored.version !== this.version) this.take(page);
    this.say("");
    this.notify(page.problem || t("save_refused"));
    showErrors(this.form, page.errors);
  }

  /** What is typed from now on changes this version, which has this text. */
  begin(version, text) {
    this.field("version").value = String(version);
    this.base = text;
    this.unanswered = [];
  }

  /** Go on from another version of what is stored, as its page has it. */
  take({ stored, values, part }) {
    this.begin(stored.version, { body: stored.body, values });
    this.stored = stored;
    for (const id of SHOWN) {
      const tree = part(id);
      if (tree) document.getElementById(id)?.replaceChildren(...copyOf(tree).childNodes);
    }
    showErrors(this.form, {});
  }

  /** Let the browser send the form, and show the answer. */
  leave(button) {
    const name = button ? el("input", { type: "hidden", name: button.name, value: button.value }) : "";
    this.form.append(name);
    this.form.submit();
  }

  /** The form was saved: go on writing if nothing but the version has changed, else to the page of the result. */
  async saved(url, action) {
    const isWhole = this.isSent; // nothing was typed since then
    const made = Number(new URL(url).searchParams.get("version"));
    const forgotten = this.autosave?.saved();
    if (made && this.id !== null) this.begin(made, this.sent);
    if (!isWhole) this.changed(); // at once: to forget the unsaved text may take long
    const head = this.id === null || action !== "save" ? null : await this.readHead();
    if (!head || head.stored.state !== this.stored.state || head.stored.id !== this.id) {
      await forgotten;
      // The way back must not lead to the form of something new, which would make another one.
      if (this.id === null) location.replace(url);
      else location.assign(url);
      return;
    }
    const { version } = head.stored;
    const isOwn = !made || made === version;
    if (isOwn) this.take(head);
    else await this.mergeIn(head, this.sent); // somebody has saved since then
    this.say(t(isOwn ? this.texts.saved : this.texts.merged, { version, time: clock() }));
  }

  /** Return {values, stored} of the newest version, from its own page; null if there is no answer. */
  async readHead() {
    const response = await fetch(this.address).catch(() => null);
    return response?.ok ? readPage(await response.text(), this.form.id) : null;
  }

  /**
   * Another version is newer: merge it by field and by block, and save if nothing needs a choice. Any other step goes on
   * only if the result is what the person sees, such as their own text, whose first response was lost.
   */
  async mergeAndSave(button, action) {
    const head = await this.readHead();
    if (!head?.stored) throw new Error(t("no_network"));
    const theirs = { values: head.values, body: head.stored.body };
    const own = this.unanswered.find((one) => isSameText(one, theirs)); // was saved, and its response was lost
    const { conflicts, isSeen } = await this.mergeIn(head, own ?? this.base);
    if (!conflicts.length && (action === "save" || isSeen)) return this.send(button, action);
    this.say(t(this.texts.merged, { version: head.stored.version }));
    return undefined;
  }

  /**
   * Merge a newer version into what is shown, once no word is composed; both were made from `base`. Returns what needs a
   * choice, and whether nothing shown changes. The focus stays with somebody who types on.
   */
  async mergeIn(head, base) {
    await composed(() => this.isComposing);
    const isFocused = this.isSent;
    const mine = { ...readForm(this.form), body: this.editor.blocks }; // a space at the end stays
    const { fields, conflicts } = merge({ ...base.values, body: base.body }, mine, {
      ...head.values,
      body: head.stored.body,
    });
    const isSeen = Object.keys(fields).every((name) => JSON.stringify(fields[name]) === JSON.stringify(mine[name]));
    const { body, ...values } = fields;
    this.take(head);
    this.use({ values, body });
    this.conflicts(conflicts, { isFocused });
    return { conflicts, isSeen };
  }

  conflicts(conflicts, { isFocused = true } = {}) {
    showConflicts(conflicts, {
      isFocused,
      place: this.place,
      editor: this.editor,
      setField: (name, value) => {
        fillForm(this.form, { [name]: value });
        this.changed();
      },
    });
  }
}

const buttonOf = (form, action) => form.querySelector(`button[name="action"][value="${action}"]`);
