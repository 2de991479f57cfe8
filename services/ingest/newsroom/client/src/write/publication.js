/** Follows a version on its way to the public address, until the portal serves it. */

import { el } from "../dom.js";
import { t } from "../texts.js";
import { composed } from "./composition.js";

const WAIT = "2s"; // of one question, after which the step is shown
const RETRY_MS = 2_000;
const STEPS = { queued: 1, rendering: 2, live: 3 };

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Publication {
  /** `place` is shown below the panel; nothing changes while `isComposing()`. */
  constructor({ api, article, place, isComposing }) {
    Object.assign(this, { api, article, place, isComposing });
  }

  /** Show the way of a version, and return its last status; a later call replaces the panel. */
  async follow(version) {
    document.querySelector(".editor-panel.publication")?.remove();
    this.text = el("span");
    this.bar = el("progress", { max: STEPS.live, value: "0", "aria-label": t("publication") });
    this.panel = el("div", { class: "editor-panel notice publication", role: "status" }, this.text, " ", this.bar);
    this.place.before(this.panel);
    this.show(t("publication_queued"), STEPS.queued);
    for (;;) {
      const status = await this.ask(version);
      if (!this.panel.isConnected) return null;
      await composed(this.isComposing);
      if (status === null) this.show(t("publication_offline"), null);
      else if (status.status === "queued") this.show(t("publication_queued"), STEPS.queued);
      else if (status.status === "rendering") this.show(t("publication_rendering"), STEPS.rendering);
      else return this.end(status);
      if (status === null) await pause(RETRY_MS);
    }
  }

  ask(version) {
    const path = `/articles/${this.article}/publication?version=${version}&wait=${WAIT}`;
    return this.api.call("GET", path, undefined, { quiet: true }).catch(() => null);
  }

  show(text, step) {
    if (this.text.textContent !== text) this.text.textContent = text;
    if (step !== null && this.bar.value !== step) this.bar.value = step;
  }

  end(status) {
    this.bar.remove();
    if (status.status === "live") {
      this.text.replaceChildren(t("publication_live"), " ", el("a", { href: status.url, target: "_blank" }, status.url));
    } else {
      this.panel.classList.replace("notice", "warning");
      this.panel.setAttribute("role", "alert");
      const name = status.status === "failed" ? "publication_failed" : "publication_none";
      this.text.textContent = t(name, { reason: status.reason ?? "" });
    }
    this.panel.append(el("button", { type: "button", onclick: () => this.panel.remove() }, t("close")));
    return status;
  }
}
