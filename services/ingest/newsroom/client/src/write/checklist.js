/** The list of checks beside the text: what is done, what blocks, what is advised; each leads to its place. */

import { el } from "../dom.js";
import { t } from "../texts.js";

const MARKS = { done: "✓", blocking: "✕", advice: "!" };

export class Checklist {
  /** `go(target)` leads to a place of the page. */
  constructor(place, go) {
    this.go = go;
    this.count = el("span", { class: "count" });
    this.list = el("ul");
    this.root = el(
      "details",
      { class: "card checklist", open: true },
      el("summary", {}, t("checks"), " ", this.count),
      this.list,
    );
    place.prepend(this.root);
  }

  /** Show checks; rows that stay the same are not touched. */
  show(checks) {
    const key = JSON.stringify(checks);
    if (key === this.shown) return;
    this.shown = key;
    this.count.textContent = `${checks.filter((one) => one.isDone).length}/${checks.length}`;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.list.replaceChildren(...checks.map((one) => this.row(one)));
    if (focused) this.list.querySelector(`[data-name="${focused}"]`)?.focus();
  }

  row({ name, level, isDone, values, target }) {
    const kind = isDone ? "done" : level === "advice" ? "advice" : "blocking";
    const mark = el("span", { class: "mark", "aria-hidden": "true" }, MARKS[kind]);
    const state = el("span", { class: "unseen" }, `${t(`check_${isDone ? "done" : level}`)}: `);
    const text = t(`check_${name}${isDone ? "_done" : ""}`, values);
    const label = isDone
      ? el("span", {}, state, text)
      : el("button", { type: "button", "data-name": name, onclick: () => this.go(target) }, state, text);
    return el("li", { class: kind }, mark, label);
  }
}
