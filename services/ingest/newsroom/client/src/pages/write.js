/**
 * The page "write": puts the editor in place of the body of its form, keeps what is typed, and saves it.
 *
 * What it expects of the page: `<form id="write">` with a `<textarea name="body">` and the inputs `csrf`, `version` and,
 * for a new article, `key` and `site`; `<script type="application/json" id="article">` with the article as the API
 * returns it, or null; the language of the person in `<html lang>`. The form is sent as it is sent without scripts,
 * except that `body` is the list of blocks as JSON and `body_format` is `blocks`. Its responses mean: a redirect, it is
 * saved; 412, another version is newer; 401 and 403, the session has ended; anything else is shown by the server.
 */

import { normalizedBlocks } from "../blocks.js";
import { el } from "../dom.js";
import { Editor } from "../editor/editor.js";
import { Transfers } from "../editor/transfers.js";
import { merge } from "../merge.js";
import { countText } from "../text/count.js";
import { BLOCKS_MAX } from "../text/limits.js";
import { clock, setLanguage, t } from "../texts.js";
import { Api } from "../write/api.js";
import { Autosave } from "../write/autosave.js";
import { showConflicts } from "../write/conflicts.js";
import { fillForm, fromFields, readForm, readPage, toFields } from "../write/form.js";
import { Journal } from "../write/journal.js";
import { Presence } from "../write/presence.js";
import { Session } from "../write/session.js";

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

  get version() {
    return Number(this.field("version")?.value) || null;
  }

  makeEditor() {
    this.area = this.field("body");
    const label = this.area.closest("label") ?? this.area;
    this.place = el("div", { class: "editor-place" });
    label.after(this.place);
    label.hidden = true;
    this.area.required = false;
    for (const hint of document.querySelectorAll("#writing-hint")) hint.hidden = true;
    this.state = el("span", { class: "state-text", role: "status" });
    this.count = el("span", { class: "count-text" });
    this.editor = new Editor(this.place, this.base.body, {
      sendPicture: (file, onProgress) => this.transfers.sendPicture(file, onProgress),
      sendFile: (file, onProgress) => this.transfers.sendFile(file, onProgress),
      onChange: () => this.changed(),
      notify: (text, action) => this.notify(text, action),
    });
    this.editor.root.append(el("div", { class: "editor-status" }, this.state, this.count));
    this.form.append(el("input", { type: "hidden", name: "body_format", value: "blocks" }));
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
    });
    if (this.isChangedEarly) this.autosave.changed();
    if (this.id) await this.restore(journal);
    else await this.offerNew(journal);
    if (this.id) {
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
    const { words, characters, blocks } = countText(this.editor.blocks);
    const number = (value) => value.toLocaleString(document.documentElement.lang || "vi");
    const text = t("count", { words: number(words), characters: number(characters) });
    this.count.textContent = blocks > BLOCKS_MAX ? `${text} · ${t("too_many_blocks", { limit: BLOCKS_MAX })}` : text;
  }

  say(text) {
    if (this.state.textContent !== text) this.state.textContent = text;
  }

  /** Show a line above the editor, with buttons; it replaces the former one. */
  notify(text, ...actions) {
    this.notice?.remove();
    const close = () => this.notice?.remove();
    const buttons = actions.map(({ label, run }) =>
      el("button", { type: "button", onclick: () => (close(), run()) }, label),
    );
    this.notice = el("div", { class: "editor-panel notice", role: "status" }, el("span", {}, text), ...buttons);
    this.notice.append(el("button", { type: "button", onclick: close }, t("close")));
    this.place.before(this.notice);
  }

  /** Bring back an unsaved text of this person: the newest of the server's and the browser's. */
  async restore(journal) {
    const found = await this.unsaved(journal);
    if (!found || this.isChangedEarly) return;
    const { values, body } = fromFields(found.fields);
    const isSame = (mine, saved) => JSON.stringify(mine) === JSON.stringify(saved);
    const merged = { ...this.base.values, ...values };
    if (isSame(normalizedBlocks(body), normalizedBlocks(this.base.body)) && isSame(merged, this.base.values)) return;
    const time = clock(new Date(found.at));
    const saved = { values: this.base.values, body: this.base.body };
    const useSaved = { label: t("use_saved"), run: () => this.use(saved, { label: t("use_mine"), run: useMine }) };
    const mine = { values: merged, body };
    const useMine = () => this.use(mine, useSaved);
    if (found.base_version && found.base_version < this.version) {
      const base = await this.revision(found.base_version);
      const { fields, conflicts } = merge(
        { ...this.base.values, ...(base ?? {}), body: base?.body ?? [] },
        { ...merged, body },
        { ...this.base.values, body: this.base.body },
      );
      const { body: both, ...others } = fields;
      this.use({ values: others, body: both });
      this.conflicts(conflicts);
      this.notify(t("restored_both", { time, version: this.version }), useSaved);
      return;
    }
    this.use(mine);
    this.notify(t("restored", { time }), useSaved);
  }

  /** Return the newest unsaved text: {fields, base_version, at}; null without one. */
  async unsaved(journal) {
    const [local] = await journal.read();
    const stored = await this.api.call("GET", this.autosave.path, undefined, { quiet: true }).catch(() => null);
    if (stored) this.autosave.match = `"${stored.sequence}"`;
    const server = stored ? { ...stored, at: Date.parse(stored.saved_at) } : null;
    if (!server || !local) return server ?? local ?? null;
    const isJournalNewer = local.tab === server.tab ? local.at > server.sequence : local.at > server.at;
    return isJournalNewer ? local : server;
  }

  async revision(version) {
    const found = await this.api.call("GET", `/articles/${this.id}/revisions/${version}`, undefined, { quiet: true }).catch(() => null);
    return found && { body: found.body, title: found.title, lead: found.lead };
  }

  /** Put values and a body into the page. */
  use({ values, body }, ...actions) {
    fillForm(this.form, values);
    this.editor.setBlocks(body);
    this.changed();
    if (actions.length) this.notify(t("restored", { time: clock() }), ...actions);
  }

  /** Offer the newest text of a new article that was never saved. */
  async offerNew(journal) {
    const [found] = await journal.readNew(this.site);
    if (!found) return;
    const title = found.fields.title || t("untitled");
    const forget = () => new Journal(found.person, found.place, found.tab).clear();
    const reopen = () => {
      this.field("key").value = found.place;
      Object.assign(this.autosave, { path: `/autosaves/${found.place}`, match: "*" });
      journal.place = found.place;
      this.use(fromFields(found.fields));
    };
    const time = clock(new Date(found.at));
    this.notify(t("unsaved_new", { time, title }), { label: t("reopen"), run: reopen }, { label: t("discard"), run: forget });
  }

  /** Send the form; a second click while it is sent does nothing. */
  async submit(event) {
    const button = event.submitter;
    const action = button?.value ?? "save";
    if (this.isComposing || this.sending) {
      event.preventDefault();
      return;
    }
    const missing = this.editor.uploads.missing();
    if (missing.length && action !== "save") {
      event.preventDefault();
      this.notify(t("pictures_block", { count: missing.length, names: missing.join(", ") }));
      return;
    }
    this.area.value = JSON.stringify(this.body);
    if (action === PREVIEW) return; // opens in another tab
    event.preventDefault();
    this.sending = true;
    this.form.setAttribute("aria-busy", "true");
    this.say(t("saving"));
    try {
      await this.send(button, action);
    } catch (error) {
      this.say(t("save_failed", { reason: error.message }));
    } finally {
      this.sending = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  async send(button, action, isAgain = false) {
    const data = new URLSearchParams(new FormData(this.form, button));
    const response = await fetch(button?.formAction || this.form.action, { method: "POST", body: data }).catch(() => {
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
    this.leave(button); // the server says what is wrong, beside the fields
    return undefined;
  }

  leave(button) {
    const name = button ? el("input", { type: "hidden", name: button.name, value: button.value }) : "";
    this.form.append(name);
    this.form.submit();
  }

  /** The form was saved: go on writing if nothing but the version has changed, else to the page of the result. */
  async saved(url, action) {
    const isNew = this.id === null;
    await this.autosave?.saved();
    if (isNew) {
      const path = this.autosave?.path;
      if (path) await this.api.call("DELETE", path, undefined, { quiet: true }).catch(() => {});
    }
    const head = isNew || action !== "save" ? null : await this.readHead();
    if (!head || head.article.state !== this.article.state || head.article.id !== this.id) {
      location.assign(url);
      return;
    }
    this.base = { body: head.article.body, values: head.values };
    this.article = head.article;
    this.field("version").value = String(head.article.version);
    this.say(t("saved", { version: head.article.version, time: clock() }));
  }

  /** Return {values, article} of the newest version, from its own page; null if there is no answer. */
  async readHead() {
    const response = await fetch(this.form.action || location.pathname).catch(() => null);
    return response?.ok ? readPage(await response.text()) : null;
  }

  /** Another version is newer: merge it by field and by block, and save if nothing needs a choice. */
  async mergeAndSave(button, action) {
    const head = await this.readHead();
    if (!head?.article) throw new Error(t("no_network"));
    const { fields, conflicts } = merge(
      { ...this.base.values, body: this.base.body },
      { ...readForm(this.form), body: this.body },
      { ...head.values, body: head.article.body },
    );
    const { body, ...values } = fields;
    this.base = { body: head.article.body, values: head.values };
    this.article = head.article;
    this.field("version").value = String(head.article.version);
    this.use({ values, body });
    this.conflicts(conflicts);
    if (!conflicts.length && action === "save") {
      this.area.value = JSON.stringify(this.body);
      return this.send(button, action);
    }
    this.say(t("merged", { version: head.article.version }));
    return undefined;
  }

  conflicts(conflicts) {
    showConflicts(conflicts, {
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

const form = document.getElementById("write");
if (form?.elements.namedItem("body")) {
  setLanguage(document.documentElement.lang);
  new WritePage(form).start();
}
