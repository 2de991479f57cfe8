/**
 * The page of the live version: puts the editor in place of the body of its form, which is sent as it is without scripts.
 *
 * What it expects of the page: `<form id="live">` with a `<textarea name="body">` and the input `csrf`, and
 * `<script type="application/json" id="stored">` with the live version as the API returns it.
 */

import { normalizedBlocks } from "../blocks.js";
import { Editor } from "../editor/editor.js";
import { Transfers } from "../editor/transfers.js";
import { t } from "../texts.js";
import { Api } from "./api.js";
import { bodyPlace, Notice } from "./body_place.js";
import { blocking, checksOf } from "./checks.js";
import { editorOptions } from "./editor_options.js";
import { areReadable, readForm } from "./form.js";
import { goTo, leadingTo } from "./places.js";
import { Session } from "./session.js";

export class LivePage {
  constructor(form) {
    this.form = form;
    const { id, site, body } = JSON.parse(document.getElementById("stored").textContent);
    const session = new Session(form, () => this.editor.view.composing);
    const csrf = () => session.csrf;
    const onEnded = () => session.ended();
    const api = new Api({ csrf, onEnded });
    const transfers = new Transfers({ site, csrf, onEnded });
    const { area, place } = bodyPlace(form);
    const notice = new Notice(place);
    this.notify = (text, ...actions) => notice.show(text, ...actions);
    this.area = area;
    this.editor = new Editor(place, body, {
      ...editorOptions({ api, transfers, site, id, notify: this.notify }),
      onChange: () => (this.isChanged = true),
    });
    form.addEventListener("submit", (event) => this.submit(event));
    addEventListener("beforeunload", (event) => this.isChanged && !this.isSent && event.preventDefault());
    session.read();
  }

  /** Send the form once, with the blocks; or say what readers would miss. */
  submit(event) {
    const faults = blocking(checksOf(readForm(this.form), this.editor.blocks, this.editor.uploads.missing()), "live");
    if (this.isSent || this.editor.view.composing || faults.length || !areReadable(this.form)) {
      event.preventDefault();
      if (faults.length) this.refuse(faults);
      return;
    }
    this.area.value = JSON.stringify(normalizedBlocks(this.editor.blocks));
    this.isSent = true;
    this.form.setAttribute("aria-busy", "true");
  }

  refuse(faults) {
    goTo(faults[0].target, this);
    this.notify(t("checks_block"), ...leadingTo(faults, this));
  }
}
