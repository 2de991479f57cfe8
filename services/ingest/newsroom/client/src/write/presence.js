/** Who else has the article or the static page open: asked every five seconds while the page is visible. Nothing is locked. */

import { el } from "../dom.js";
import { clock, t } from "../texts.js";

const SECONDS = 5;

export class Presence {
  /**
   * `path` of the article or page in the API; `isWriting()`, `isComposing()`; `version()` is the version that this page was
   * made from; `texts`: what it says of others who are here, and of a newer version.
   */
  constructor({ api, path, tab, place, isWriting, isComposing, version, texts = ["others_here", "newer_version"] }) {
    Object.assign(this, { api, path: `${path}/presence`, tab, isWriting, isComposing, version, texts });
    this.people = el("p", { class: "presence", role: "status" });
    this.newer = el("p", { class: "newer", role: "status" });
    this.panel = el("div", { class: "editor-panel", hidden: true }, this.people, this.newer);
    place.before(this.panel);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.leave() : this.enter()));
    addEventListener("pagehide", () => this.leave());
    if (!document.hidden) this.enter();
  }

  async enter() {
    clearTimeout(this.timer);
    try {
      const seen = await this.api.call("PUT", this.path, { tab: this.tab, is_writing: this.isWriting() }, { quiet: true });
      if (!this.isComposing()) this.show(seen);
    } catch {
      // offline, or the session has ended: autosave says so
    }
    if (!document.hidden) this.timer = setTimeout(() => this.enter(), SECONDS * 1000);
  }

  leave() {
    clearTimeout(this.timer);
    const path = `${this.path}?tab=${encodeURIComponent(this.tab)}`;
    this.api.call("DELETE", path, undefined, { keepalive: true, quiet: true }).catch(() => {});
  }

  show({ others, version, changed_by: who }) {
    const names = others.map(({ who: name, since }) => t("other_since", { name, time: clock(new Date(since)).slice(0, 5) }));
    setText(this.people, names.length ? t(this.texts[0], { names: names.join(", ") }) : "");
    const isNewer = this.version() !== null && version > this.version();
    setText(this.newer, isNewer ? t(this.texts[1], { name: who ?? t("somebody"), version }) : "");
    this.panel.hidden = !names.length && !isNewer;
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
