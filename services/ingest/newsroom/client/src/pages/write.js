/**
 * The page "write", and that of the live version (`../write/live.js`): puts the editor in place of the body of its form, keeps what is typed, and saves it.
 *
 * What it expects of the page: `<form id="write">` with a `<textarea name="body">` and the inputs `csrf`, `version` and,
 * for a new article, `key` and `site`; `<script type="application/json" id="article">` with the article as the API
 * returns it, or null; the language of the person in `<html lang>`; the site's time zone in `data-zone` of the form. The
 * form is sent as it is sent without scripts, except that `body` is the list of blocks as JSON and `body_format` is
 * `blocks`. Its responses mean: a redirect, it is saved; 412, another version is newer; 401 and 403, the session has
 * ended; anything else says what is wrong. A page whose address has `publication=4` follows version 4 to its address.
 */

import { normalizedBlocks } from "../blocks.js";
import { copyOf, el } from "../dom.js";
import { Editor } from "../editor/editor.js";
import { Transfers } from "../editor/transfers.js";
import { merge } from "../merge.js";
import { countText } from "../text/count.js";
import { BLOCKS_MAX } from "../text/limits.js";
import { clock, setLanguage, setZone, t } from "../texts.js";
import { Api } from "../write/api.js";
import { Autosave } from "../write/autosave.js";
import { bodyPlace, Notice } from "../write/body_place.js";
import { Checklist } from "../write/checklist.js";
import { blocking, checksOf } from "../write/checks.js";
import { Comments } from "../write/comments.js";
import { composed } from "../write/composition.js";
import { showConflicts } from "../write/conflicts.js";
import { editorOptions } from "../write/editor_options.js";
import { areReadable, fillForm, readForm, readPage, showErrors, toFields } from "../write/form.js";
import { Journal } from "../write/journal.js";
import { leadPictureOf } from "../write/lead_picture.js";
import { LivePage } from "../write/live.js";
import { goTo, leadingTo } from "../write/places.js";
import { Presence } from "../write/presence.js";
import { Publication } from "../write/publication.js";
import { Session } from "../write/session.js";
import { offerNew, restore } from "../write/unsaved.js";

const COUNT_MS = 400;
const PREVIEW = "preview";

class WritePage {
  constructor(form) {
    this.form = form;
    this.article = JSON.parse(document.getElementById("article")?.textContent || "null");
    if (!this.article?.id) this.article = this.article?.body ? { body: this.article.body } : null;
    this.id = this.article?.id ?? null;
    this.site = this.article?.site ?? this.field("site")?.value ?? "";
    this.tab = crypto.randomUUID();
    this.session = new Session(form, () => this.isComposing);
    const onEnded = () => this.session.ended();
    this.api = new Api({ csrf: () => this.session.csrf, onEnded });
    this.transfers = new Transfers({ site: this.site, csrf: () => this.session.csrf, onEnded });
    this.base = { body: this.article?.body ?? [], values: readForm(form) };
    this.makeEditor();
    this.listen();
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
      comment: this.id === null ? undefined : () => this.started.then(() => this.comments.addHere()),
    });
    this.editor.root.append(el("div", { class: "editor-status" }, this.state, this.count));
    this.form.append(el("input", { type: "hidden", name: "tab", value: this.tab }));
    const side = this.form.querySelector(".side") ?? el("div");
    if (!side.isConnected) this.place.after(side);
    this.checklist = new Checklist(side, (target) => goTo(target, this));
    this.leadPicture = leadPictureOf({ ...this, field: this.field("lead_image"), page: this });
    this.showCount();
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
    if (target.name === "title") this.field("lead")?.focus();
    else if (target.name === "lead") this.editor.focus();
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
    if (this.id) {
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
        article: this.id,
        tab: this.tab,
        place: this.place,
        isWriting: () => this.autosave.isDirty,
        isComposing: () => this.isComposing,
        version: () => this.version,
      });
    }
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

  /** The body as it is sent. */
  get body() {
    return normalizedBlocks(this.editor.blocks);
  }

  changed() {
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
    this.leadPicture?.show();
    const body = this.editor.blocks;
    const { words, characters, blocks } = countText(body);
    this.checklist.show(this.checks(body));
    const number = (value) => value.toLocaleString(document.documentElement.lang || "vi");
    const text = t("count", { words: number(words), characters: number(characters) });
    this.count.textContent = blocks > BLOCKS_MAX ? `${text} · ${t("too_many_blocks", { limit: BLOCKS_MAX })}` : text;
  }

  checks(body = this.editor.blocks) {
    const missing = [...this.editor.uploads.missing(), ...(this.leadPicture?.missing() ?? [])];
    return checksOf(readForm(this.form), body, missing);
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
      this.area.value = JSON.stringify(this.body);
      await this.send(button, action);
    } catch (error) {
      this.say(t("save_failed", { reason: error.message }));
    } finally {
      this.sending = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  /** Wait for the pictures of a new article: the page that follows it would not have them. */
  async uploaded() {
    this.say(t("saving_after_uploads"));
    await Promise.all([this.editor.uploads.finished(), this.leadPicture?.finished]);
  }

  /** Say what keeps the article from being sent, and lead to the first place. */
  refuse(faults, action) {
    goTo(faults[0].target, this);
    this.notify(t(action === "save" ? "checks_save" : "checks_block"), ...leadingTo(faults, this));
  }

  async send(button, action, isAgain = false) {
    const data = new URLSearchParams(new FormData(this.form, button));
    const response = await fetch(this.address, { method: "POST", body: data }).catch(() => {
      throw new Error(t("no_network"));
    });
    if (response.redirected && response.ok) return this.saved(response.url, action);
    if (response.status === 401) {
      await this.session.ended();
      return this.send(button, action);
    }
    if (response.status === 403 && !isAgain && (await this.session.read())) return this.send(button, action, true);
    if (response.status === 412) return this.mergeAndSave(button, action);
    if (response.status >= 500) throw new Error(t("no_network"));
    await this.autosave?.writeJournal();
    const page = readPage(await response.text());
    if (page?.article?.id && page.article.id === this.id) this.refused(page);
    else this.leave(button); // the server says what is wrong, beside the fields
    return undefined;
  }

  /** The server has refused a step or a field: say so, beside the fields; what it has saved is saved. */
  refused(page) {
    if (page.article.version !== this.version) this.take(page);
    this.say("");
    this.notify(page.problem || t("save_refused"));
    showErrors(this.form, page.errors);
  }

  /** Go on from another version of the article, as its page has it. */
  take({ article, values, state }) {
    this.base = { body: article.body, values };
    this.article = article;
    this.field("version").value = String(article.version);
    if (state) document.getElementById("state")?.replaceChildren(...copyOf(state).childNodes);
    showErrors(this.form, {});
    this.comments?.load();
  }

  leave(button) {
    const name = button ? el("input", { type: "hidden", name: button.name, value: button.value }) : "";
    this.form.append(name);
    this.form.submit();
  }

  /** The form was saved: go on writing if nothing but the version has changed, else to the page of the result. */
  async saved(url, action) {
    await this.autosave?.saved();
    const head = this.id === null || action !== "save" ? null : await this.readHead();
    if (!head || head.article.state !== this.article.state || head.article.id !== this.id) {
      // The way back must not lead to the form of a new article, which would make another one.
      if (this.id === null) location.replace(url);
      else location.assign(url);
      return;
    }
    this.take(head);
    this.say(t("saved", { version: head.article.version, time: clock() }));
  }

  /** Return {values, article} of the newest version, from its own page; null if there is no answer. */
  async readHead() {
    const response = await fetch(this.address).catch(() => null);
    return response?.ok ? readPage(await response.text()) : null;
  }

  /**
   * Another version is newer: merge it by field and by block, and save if nothing needs a choice. Any other step goes on
   * only if the result is what the person sees, such as their own text, whose first response was lost.
   */
  async mergeAndSave(button, action) {
    const head = await this.readHead();
    if (!head?.article) throw new Error(t("no_network"));
    const mine = { ...readForm(this.form), body: this.editor.blocks }; // a space at the end stays
    const { fields, conflicts } = merge({ ...this.base.values, body: this.base.body }, mine, {
      ...head.values,
      body: head.article.body,
    });
    const isSeen = Object.keys(fields).every((name) => JSON.stringify(fields[name]) === JSON.stringify(mine[name]));
    const { body, ...values } = fields;
    this.take(head);
    this.use({ values, body });
    this.conflicts(conflicts);
    if (!conflicts.length && (action === "save" || isSeen)) {
      this.area.value = JSON.stringify(this.body);
      return this.send(button, action);
    }
    this.say(t("merged", { version: head.article.version }));
    return undefined;
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

const form = document.querySelector("#write, #live");
if (form?.elements.namedItem("body")) {
  setLanguage(document.documentElement.lang);
  setZone(form.dataset.zone);
  const page = form.id === "live" ? new LivePage(form) : new WritePage(form);
  page.started = page.start?.();
}
