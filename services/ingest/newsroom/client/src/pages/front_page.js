/**
 * The page "front page": its slots are dragged, or moved by keys and by their buttons. Nothing is saved before the form
 * is sent, as without scripts. Texts are in the list's attributes: `data-handle`, `data-name`, `data-moved`,
 * `data-unsaved`; `data-until` is the end that a filled slot begins with.
 */

import { el } from "../dom.js";

const EDGE = 60; // of the screen, in pixels, where dragging scrolls
const STEP = 14;

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

class Slots {
  constructor(list) {
    this.list = list;
    this.texts = list.dataset;
    this.said = el("p", { class: "unsaved soft", role: "status" });
    list.after(this.said);
    for (const row of this.rows) this.prepare(row);
    this.number();
  }

  get rows() {
    return [...this.list.children];
  }

  prepare(row) {
    const handle = el("button", { type: "button", class: "handle", onkeydown: (event) => this.key(event, row) }, "⠿");
    handle.addEventListener("pointerdown", (event) => this.grab(event, row));
    row.prepend(handle);
    const [choice] = row.getElementsByTagName("select");
    choice.addEventListener("change", () => {
      const until = row.querySelector("input[name=until]");
      if (choice.value && !until.value) until.value = this.texts.until;
      this.changed(row);
    });
    for (const button of row.querySelectorAll("button[name=move]")) {
      button.addEventListener("click", (event) => {
        event.preventDefault();
        this.move(row, this.rows.indexOf(row) + (button.value.startsWith("up") ? -1 : 1));
        if (!button.disabled) button.focus();
      });
    }
  }

  /** Give each row the words of its place. */
  number() {
    const last = this.rows.length - 1;
    for (const [at, row] of this.rows.entries()) {
      const number = at + 1;
      row.querySelector(".handle").setAttribute("aria-label", filled(this.texts.handle, { number }));
      row.getElementsByTagName("select")[0].setAttribute("aria-label", filled(this.texts.name, { number }));
      for (const button of row.querySelectorAll("button[name=move]")) {
        button.disabled = button.value.startsWith("up") ? at === 0 : at === last;
      }
    }
  }

  move(row, to) {
    const at = this.rows.indexOf(row);
    const place = Math.max(0, Math.min(to, this.rows.length - 1));
    if (place === at) return;
    this.list.insertBefore(row, this.rows[place > at ? place + 1 : place] ?? null);
    this.changed(row);
  }

  changed(row) {
    this.number();
    const [choice] = row.getElementsByTagName("select");
    const title = choice.selectedOptions[0]?.textContent ?? "";
    this.said.textContent = `${filled(this.texts.moved, { title, number: this.rows.indexOf(row) + 1 })} ${this.texts.unsaved}`;
  }

  key(event, row) {
    const at = this.rows.indexOf(row);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: this.rows.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.move(row, to);
    event.currentTarget.focus();
  }

  /** Drag a row by its handle, with a mouse, a pen or a finger; Escape puts it back. */
  grab(event, row) {
    if (event.button !== 0) return;
    event.preventDefault();
    const handle = event.currentTarget;
    const before = this.rows;
    const ended = new AbortController();
    handle.focus();
    row.classList.add("dragged");
    const drag = ({ clientY: y }) => {
      if (y < EDGE) scrollBy(0, -STEP);
      else if (y > innerHeight - EDGE) scrollBy(0, STEP);
      const others = this.rows.filter((one) => one !== row);
      const next = others.find((one) => {
        const box = one.getBoundingClientRect();
        return y < box.top + box.height / 2;
      });
      if ((next ?? null) !== row.nextElementSibling) this.list.insertBefore(row, next ?? null);
    };
    const stop = (isKept) => {
      ended.abort();
      row.classList.remove("dragged");
      if (!isKept) this.list.replaceChildren(...before);
      if (this.rows.some((one, at) => one !== before[at])) this.changed(row);
      handle.focus();
    };
    // Of the window: a row that moves in the document loses the capture of a pointer.
    const listeners = {
      pointermove: drag,
      pointerup: () => stop(true),
      pointercancel: () => stop(false),
      keydown: (pressed) => pressed.key === "Escape" && stop(false),
    };
    for (const [name, act] of Object.entries(listeners)) addEventListener(name, act, { signal: ended.signal });
  }
}

const list = document.querySelector("ol.slots[data-handle]");
if (list) new Slots(list);
