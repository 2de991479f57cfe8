/** Keeps what is typed: every second in the journal of the browser, two seconds after a pause on the server. */

import { clock, t } from "../texts.js";

const PAUSE_MS = 2_000;
const JOURNAL_MS = 1_000;
const RETRY_MS = [3_000, 6_000, 12_000, 30_000];

export class Autosave {
  /**
   * `path` of the slot, null where the server has none; `read()` returns {fields, base_version}; `isComposing()`; `show(text)` shows the state;
   * `closed(id)`: another tab has made an article of this text.
   */
  constructor({ api, journal, path, tab, more = {}, read, isComposing, show, closed }) {
    Object.assign(this, { api, journal, path, tab, more, read, isComposing, show, closed });
    this.sequence = 0;
    this.changes = 0;
    this.match = null; // the slot of another tab that this one replaces
    this.isDirty = false;
    this.failures = 0;
    addEventListener("online", () => this.isDirty && this.send());
    addEventListener("pagehide", () => this.flush());
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
  }

  /** Send nothing until `reading` is done, which reads the slot: what was typed meanwhile must not replace it. */
  async hold(reading) {
    this.isHeld = true;
    try {
      await reading;
    } finally {
      this.isHeld = false;
      if (this.isDirty) this.changed();
    }
  }

  /** Note a change. */
  changed() {
    this.isDirty = true;
    this.changes += 1; // a time is the same for two changes of a millisecond
    this.journalTimer ??= setTimeout(() => this.writeJournal(), JOURNAL_MS);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), PAUSE_MS);
  }

  /** Whether nothing was written yet: a new article of which only a section was chosen is not worth an offer. */
  get isNothing() {
    if (!this.more.isNew || this.sequence) return false;
    const { title, lead, body } = this.read().fields;
    return !title && !lead && body.every((block) => block.type === "paragraph" && !block.html);
  }

  entry() {
    return { ...this.read(), sequence: this.sequence, ...this.more };
  }

  async writeJournal() {
    clearTimeout(this.journalTimer);
    this.journalTimer = null;
    if (!this.isDirty || this.isNothing) return;
    await this.journal.write(this.entry());
    if (!this.path && this.isDirty) this.say(t("kept_here", { time: clock() }));
  }

  /** Store the text on the server, never within a composition and never twice at once. */
  async send() {
    clearTimeout(this.timer);
    if (!this.path || !this.isDirty || this.isNothing || this.isHeld) return;
    if (this.isComposing()) {
      this.timer = setTimeout(() => this.send(), 300);
      return;
    }
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = this.put();
    await this.running;
    this.running = null;
    if (this.again) {
      this.again = false;
      this.send();
    }
  }

  async put() {
    const { changes } = this;
    this.say(t("autosaving"));
    try {
      const headers = this.match ? { "if-match": this.match } : {};
      const saved = await this.api.call("PUT", this.path, this.body(), { headers });
      this.match = null;
      this.failures = 0;
      if (this.changes === changes) this.isDirty = false;
      this.say(t("autosaved", { time: clock(new Date(saved.saved_at)) }));
    } catch (problem) {
      this.failed(problem);
    }
  }

  body() {
    const { fields, base_version: version } = this.read();
    this.sequence = Math.max(this.sequence + 1, Date.now()); // rises from tab to tab, too
    return { tab: this.tab, sequence: this.sequence, base_version: version, fields, ...this.more.sent };
  }

  failed(problem) {
    if (problem.code === "autosave_closed") {
      this.isDirty = false;
      this.closed(problem.problem.article);
      return;
    }
    if (problem.code === "autosave_elsewhere") {
      this.match = "*"; // this tab is where somebody writes; the other tab's text is in its journal
      this.timer = setTimeout(() => this.send(), 200);
      return;
    }
    const isTemporary = !problem.status || problem.status >= 500 || problem.status === 429;
    this.say(problem.status ? t("autosave_failed", { reason: problem.message }) : t("autosave_offline"));
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    if (isTemporary || problem.code === "autosave_outdated") this.timer = setTimeout(() => this.send(), wait);
  }

  /** Show a state, once no composition is open. */
  say(text) {
    clearTimeout(this.saying);
    if (this.isComposing()) this.saying = setTimeout(() => this.say(text), 300);
    else this.show(text);
  }

  /** Store everything at once, as the page may never run again. Leaving it is harmless. */
  flush() {
    if (!this.isDirty || this.isNothing) return;
    this.journal.writeAtOnce(this.entry());
    this.writeJournal();
    if (!this.path) return;
    const headers = this.match ? { "if-match": this.match } : {};
    this.api.call("PUT", this.path, this.body(), { headers, keepalive: true, quiet: true }).catch(() => {});
  }

  /** The text was saved as a version, or made public: forget it, also what is on its way, and nothing that is newer. */
  async saved() {
    const { sequence } = this;
    const now = Date.now();
    clearTimeout(this.timer);
    clearTimeout(this.journalTimer);
    this.journalTimer = null;
    this.isDirty = false;
    await this.running;
    await this.journal.clear(now);
    if (!sequence || this.more.isNew) return; // that of a new article is closed by its key
    const query = `tab=${this.tab}&sequence=${sequence}`;
    await this.api.call("DELETE", `${this.path}?${query}`, undefined, { quiet: true }).catch(() => {});
  }
}
