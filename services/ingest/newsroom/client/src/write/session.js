/** The log-in over the text, when the session has ended. */

import { ask, el, labelled } from "../dom.js";
import { t } from "../texts.js";
import { composed } from "./composition.js";

const LOG_IN_PAGE = "/ban-bien-tap/dang-nhap";

export class Session {
  /** `form` has the field `csrf`; `me` is the caller as GET /api/me returns it, once it is known. */
  constructor(form, isComposing) {
    this.isComposing = isComposing;
    this.field = form.elements.namedItem("csrf");
    this.me = null;
    this.asking = null;
  }

  get csrf() {
    return this.field?.value ?? "";
  }

  /** Read who this is. Returns null if nobody is logged in or the server does not answer. */
  async read() {
    try {
      const response = await fetch("/api/me", { headers: { accept: "application/json" } });
      if (!response.ok) return null;
      const me = await response.json();
      if (this.me === null || this.me.id === me.id) {
        this.me = me;
        if (this.field && me.csrf_token) this.field.value = me.csrf_token;
      }
      return me;
    } catch {
      return null;
    }
  }

  /** Ask for the log-in, once for all requests that wait; resolves when the same person is logged in. */
  ended() {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
    });
    return this.asking;
  }

  async ask() {
    await composed(this.isComposing); // a dialog would end the word
    const email = el("input", { type: "email", name: "email", autocomplete: "username", value: this.me?.email ?? "" });
    const password = el("input", { type: "password", name: "password", autocomplete: "current-password", required: true });
    const code = el("input", { type: "text", name: "code", inputmode: "numeric", autocomplete: "one-time-code" });
    const elsewhere = el("a", { href: LOG_IN_PAGE, target: "_blank", rel: "noopener" }, t("log_in_elsewhere"));
    let close = () => {};
    const returned = async () => {
      if (!document.hidden && (await this.isBack())) close();
    };
    document.addEventListener("visibilitychange", returned);
    const controls = [
      el("p", {}, t("log_in_again")),
      labelled(t("email"), email),
      labelled(t("password"), password),
      labelled(t("code"), code),
      el("p", {}, elsewhere),
    ];
    const logIn = () => this.logIn(email.value, password.value, code.value);
    const asked = ask(t("log_in"), controls, logIn, { submit: t("log_in"), className: "log-in" });
    const closed = new Promise((resolve) => {
      close = resolve;
    });
    await Promise.race([asked, closed]);
    document.removeEventListener("visibilitychange", returned);
    for (const dialog of document.querySelectorAll("dialog.log-in")) dialog.remove();
  }

  async isBack() {
    const me = await this.read();
    return me !== null && me.id === (this.me?.id ?? me.id);
  }

  async logIn(email, password, code) {
    const response = await fetch("/api/sessions", {
      method: "POST",
      headers: { "content-type": "application/json", "accept-language": document.documentElement.lang || "vi" },
      body: JSON.stringify({ email, password, ...(code ? { code } : {}) }),
    }).catch(() => {
      throw new Error(t("no_network"));
    });
    if (!response.ok) throw new Error((await response.json().catch(() => null))?.detail ?? `HTTP ${response.status}`);
    if (!(await this.isBack())) throw new Error(t("log_in_other", { email: this.me?.email ?? this.me?.name ?? "" }));
    return true;
  }
}
