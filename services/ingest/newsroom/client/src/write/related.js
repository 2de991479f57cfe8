/** The dialog that chooses another article of the site for a card in the text, and the titles of chosen ones. */

import { ask, el, labelled } from "../dom.js";
import { t } from "../texts.js";

const ROWS = 12;
const SEARCH_MS = 300;
const ADDRESS = /^(?:https?:\/\/[^/\s]+)?\/([^?#\s]*?)-?(\d+)\.html(?:[?#]\S*)?$/;

/** Return {words, number} of what was typed: an address of an article is the words of its slug and its number. */
export function typedArticle(text) {
  const found = ADDRESS.exec(text.trim());
  if (!found) return { words: text.trim(), number: null };
  return { words: found[1].split("/").at(-1).replaceAll("-", " "), number: Number(found[2]) };
}

/** What the editor asks about other articles of the site. */
export class OtherArticles {
  /** `own`: the ID of this article, null while it is not stored. */
  constructor(api, site, own) {
    Object.assign(this, { api, site, own });
    this.titles = new Map();
  }

  /** Resolve with the title of an article; null if there is none that this person may read. */
  title(id) {
    if (!this.titles.has(id)) {
      const asked = this.api.call("GET", `/articles/${encodeURIComponent(id)}`).then((one) => one.title, () => null);
      this.titles.set(id, asked);
    }
    return this.titles.get(id);
  }

  /** Return the articles that were typed, the newest first. */
  async search(text) {
    const { words, number } = typedArticle(text);
    const query = new URLSearchParams({ site: this.site, fields: "short", limit: String(ROWS), ...(words ? { q: words } : {}) });
    const { articles } = await this.api.call("GET", `/articles?${query}`);
    return articles.filter((one) => one.id !== this.own && (number === null || one.number === number));
  }

  /** Resolve with {article, number} of the chosen article; with null after "cancel". */
  async choose(known = null) {
    let chosen = known;
    let timer = null;
    let asked = 0;
    const list = el("ul", { class: "library articles" });
    const said = el("p", { role: "status", class: "soft" });
    const search = el("input", { type: "search", name: "q", autocomplete: "off" });
    const row = (one) => {
      const box = el("input", { type: "radio", name: "article", value: one.id });
      box.checked = chosen?.article === one.id;
      box.addEventListener("change", () => {
        chosen = { article: one.id, number: one.number };
        this.titles.set(one.id, Promise.resolve(one.title));
      });
      const isLive = one.live_state === "published";
      const state = isLive ? (one.published_at ?? "").slice(0, 10) : t("related_not_public");
      return el("li", {}, el("label", {}, box, el("span", {}, one.title), el("small", {}, state)));
    };
    const read = async () => {
      asked += 1;
      const number = asked;
      const found = await this.search(search.value).catch((problem) => problem);
      if (number !== asked) return;
      if (found instanceof Error) {
        said.textContent = found.status ? found.message : t("no_network");
        return;
      }
      list.replaceChildren(...found.map(row));
      said.textContent = found.length ? "" : t("related_none");
    };
    search.addEventListener("input", (event) => {
      if (event.isComposing) return;
      clearTimeout(timer);
      timer = setTimeout(read, SEARCH_MS);
    });
    search.addEventListener("compositionend", () => search.dispatchEvent(new Event("input")));
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (!event.isComposing && event.keyCode !== 229) read();
    });
    read();
    const take = () => {
      if (!chosen) throw new Error(t("related_choose"));
      return chosen;
    };
    const controls = [labelled(t("related_search"), search), list, said];
    return ask(t("related"), controls, take, { submit: t("insert"), cancel: t("cancel"), className: "wide" });
  }
}
