/** The dialog that chooses pictures of the site's library: search, and several at once. */

import { ask, el, labelled } from "../dom.js";
import { t } from "../texts.js";

const ROWS = 24;
const SEARCH_MS = 300;

/** Return the address of a small copy of an image. */
export function thumbnail(image) {
  const copies = [...(image.renditions ?? [])].sort((one, other) => one.width - other.width);
  return (copies.find((one) => one.width >= 320) ?? copies.at(-1) ?? image).url;
}

/** Resolve with the chosen pictures as the API has them, in the order of the clicks; with none after "cancel". */
export async function choosePictures(api, site, { several = true } = {}) {
  const chosen = new Map();
  const list = el("ul", { class: "library" });
  const said = el("p", { role: "status", class: "soft" });
  const more = el("button", { type: "button", hidden: true, onclick: () => read(next) }, t("library_more"));
  const search = el("input", { type: "search", name: "q", autocomplete: "off" });
  let next = null;
  let timer = null;
  let asked = 0;

  const row = (item) => {
    const box = el("input", { type: several ? "checkbox" : "radio", name: "picture", value: item.id });
    box.checked = chosen.has(item.id);
    box.addEventListener("change", () => {
      if (!several) chosen.clear();
      if (box.checked) chosen.set(item.id, item);
      else chosen.delete(item.id);
      said.textContent = t("library_chosen", { count: chosen.size });
    });
    const name = item.caption || item.image.alt || item.file_name || item.id.slice(0, 8);
    const picture = el("img", { src: thumbnail(item.image), alt: "", loading: "lazy" });
    return el("li", {}, el("label", {}, box, picture, el("span", {}, name)));
  };
  const read = async (cursor) => {
    asked += 1;
    const number = asked;
    const query = new URLSearchParams({ site, limit: String(ROWS), ...(search.value.trim() ? { q: search.value.trim() } : {}) });
    if (cursor) query.set("cursor", cursor);
    const found = await api.call("GET", `/media?${query}`).catch((problem) => problem);
    if (number !== asked) return;
    if (found instanceof Error) {
      said.textContent = found.status ? found.message : t("no_network");
      return;
    }
    next = found.next;
    more.hidden = !next;
    if (cursor) list.append(...found.media.map(row));
    else list.replaceChildren(...found.media.map(row));
    if (!found.media.length && !cursor) said.textContent = t("library_none");
    else if (!chosen.size) said.textContent = "";
  };
  search.addEventListener("input", (event) => {
    if (event.isComposing) return;
    clearTimeout(timer);
    timer = setTimeout(() => read(null), SEARCH_MS);
  });
  search.addEventListener("compositionend", () => search.dispatchEvent(new Event("input")));
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (!event.isComposing && event.keyCode !== 229) read(null);
  });
  read(null);
  const take = () => {
    if (!chosen.size) throw new Error(t("library_choose"));
    return [...chosen.values()];
  };
  const controls = [labelled(t("library_search"), search), list, more, said];
  return (await ask(t("library"), controls, take, { submit: t("insert"), cancel: t("cancel"), className: "wide" })) ?? [];
}
