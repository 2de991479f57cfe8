/** Comments of editors: below their paragraphs, and below the text those on the whole article. */

import { normalizedBlocks } from "../blocks.js";
import { ask, el, labelled } from "../dom.js";
import { blockPlaces, showThreads } from "../editor/comments.js";
import { matchBlocks } from "../merge.js";
import { beginning } from "../text/limits.js";
import { dayAndClock, t } from "../texts.js";

const REFRESH_MS = 20_000;
const TEXT_CHARACTERS_MAX = 2_000;
const EXCERPT_CHARACTERS = 120;

export class Comments {
  /**
   * `base()` is the body of the version that the page was made from, `version()` its number; `notify(text)` shows a
   * line. `mayWrite`: the person may comment.
   */
  constructor({ api, article, editor, place, base, version, isComposing, notify }) {
    Object.assign(this, { api, article, editor, base, version, isComposing, notify });
    this.rest = el("div", { class: "threads" });
    const add = el("button", { type: "button", onclick: () => this.add(null) }, t("comment_article"));
    this.panel = el("section", { class: "comments", "aria-label": t("comments") }, el("h2", {}, t("comments")), this.rest, add);
    place.after(this.panel);
    this.load();
    setInterval(() => !document.hidden && this.load(), REFRESH_MS);
  }

  get path() {
    return `/articles/${this.article}/comments`;
  }

  /** Read the comments and show them. */
  async load() {
    const found = await this.api.call("GET", this.path, undefined, { quiet: true }).catch(() => null);
    if (!found || this.isComposing()) return;
    const key = JSON.stringify([found, this.version()]);
    if (key === this.shown) return;
    this.shown = key;
    this.show(found.comments);
  }

  show(all) {
    const places = blockPlaces(this.editor.view.state.doc);
    const now = matchBlocks(normalizedBlocks(this.base()), normalizedBlocks(this.editor.blocks));
    const byPlace = new Map();
    const rest = [];
    for (const comment of all) {
      const place = comment.block_now === null ? undefined : places[now.get(comment.block_now)];
      if (place) byPlace.set(place, [...(byPlace.get(place) ?? []), comment]);
      else rest.push(comment);
    }
    const threads = [...byPlace].map(([place, comments]) => ({
      ...place,
      key: JSON.stringify(comments),
      isOpen: comments.some((one) => !one.resolved_at),
      make: () => this.thread(comments),
    }));
    showThreads(this.editor.view, threads);
    this.rest.replaceChildren(...rest.map((comment) => this.row(comment, comment.block !== null)));
  }

  thread(comments) {
    const open = comments.filter((one) => !one.resolved_at);
    const done = comments.filter((one) => one.resolved_at);
    return el(
      "aside",
      { class: "thread", contenteditable: "false", "aria-label": t("comments") },
      ...open.map((one) => this.row(one)),
      done.length
        ? el("details", {}, el("summary", {}, t("comments_resolved", { count: done.length })), ...done.map((one) => this.row(one)))
        : null,
    );
  }

  row(comment, hasExcerpt = false) {
    const { id, who, text, created_at: at, resolved_at: resolved, resolved_by: by, is_yours: isYours } = comment;
    const when = dayAndClock(new Date(at));
    const button = (name, act) => el("button", { type: "button", onclick: act }, t(name));
    return el(
      "div",
      { class: resolved ? "comment resolved" : "comment" },
      el("p", { class: "who" }, el("strong", {}, who), ` · ${when}`, resolved ? ` · ${t("comment_resolved_by", { who: by ?? "" })}` : ""),
      hasExcerpt ? el("blockquote", {}, comment.excerpt || "…") : null,
      el("p", { class: "words" }, text),
      el(
        "p",
        { class: "buttons" },
        button(resolved ? "comment_reopen" : "comment_resolve", () => this.change("PATCH", id, { is_resolved: !resolved })),
        isYours ? button("comment_delete", () => this.change("DELETE", id)) : null,
      ),
    );
  }

  async change(method, id, value) {
    try {
      await this.api.call(method, `${this.path}/${id}`, value);
    } catch (problem) {
      this.notify(problem.status ? problem.message : t("no_network"));
    }
    this.load();
    this.editor.focus();
  }

  /** Ask for a comment on the block of the cursor. */
  addHere() {
    const { doc, selection } = this.editor.view.state;
    const index = blockPlaces(doc).findIndex(({ from, to }) => from <= selection.from && selection.from < to);
    const now = matchBlocks(normalizedBlocks(this.base()), normalizedBlocks(this.editor.blocks));
    const block = [...now].find(([, at]) => at === index)?.[0];
    if (index < 0) return;
    if (block === undefined) this.notify(t("comment_save_first"));
    else this.add(block, doc.nodeAt(blockPlaces(doc)[index].from).textContent);
  }

  async add(block, excerpt = "") {
    const text = el("textarea", { name: "text", rows: "4", maxlength: TEXT_CHARACTERS_MAX, required: true });
    const about = excerpt.length > EXCERPT_CHARACTERS ? `${beginning(excerpt, EXCERPT_CHARACTERS)}…` : excerpt;
    const send = async () => {
      if (!text.value.trim()) throw new Error(t("comment_empty"));
      return this.api.call("POST", this.path, { version: this.version(), block, text: text.value.trim() });
    };
    const title = block === null ? t("comment_article") : t("comment");
    const controls = [about ? el("blockquote", {}, about) : null, labelled(t("comment_text"), text)];
    const made = await ask(title, controls.filter(Boolean), send, { submit: t("comment_send"), cancel: t("cancel") });
    if (made) await this.load();
    this.editor.focus();
  }
}
