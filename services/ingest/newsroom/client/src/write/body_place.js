/** Where the editor of a form stands, and what a page says above it. */

import { el } from "../dom.js";
import { t } from "../texts.js";

/** Hide the text area of a form's body and what explains it; return {area, place}: it, and the place of the editor. */
export function bodyPlace(form) {
  const area = form.elements.namedItem("body");
  const label = area.closest("label") ?? area;
  const place = el("div", { class: "editor-place" });
  form.noValidate = true; // what is missing is named by the checks, in the language of the page
  label.after(place);
  label.hidden = true;
  area.required = false;
  for (const one of document.querySelectorAll("#writing-hint, .plain")) one.hidden = true;
  form.append(el("input", { type: "hidden", name: "body_format", value: "blocks" }));
  return { area, place };
}

/** A line above the editor, with buttons; the next one replaces it. */
export class Notice {
  constructor(place) {
    this.place = place;
  }

  show(text, ...actions) {
    this.line?.remove();
    const close = () => this.line?.remove();
    const buttons = actions.map(({ label, run, stays = false }) =>
      el("button", { type: "button", onclick: () => (stays || close(), run()) }, label),
    );
    this.line = el("div", { class: "editor-panel notice", role: "status" }, el("span", {}, text), ...buttons);
    this.line.append(el("button", { type: "button", onclick: close }, t("close")));
    this.place.before(this.line);
  }
}
