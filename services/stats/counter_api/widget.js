// <access-counter site="haihau"></access-counter>: the four numbers of a site, live; docs/counters.md has the
// attributes. The content of the tag shows where this script does not run; its numbers stay until newer ones
// arrive. Parts to style: title, list, row, label, value.
const here = new URL("./", import.meta.url).href;
// words: made by `make words`
const words = {
  en: { title: "Visitor statistics", online: "Online", today: "Today", week: "This week", total: "All time",
    views: "Views", visits: "Visits", visitors: "Visitors" },
  vi: { title: "Thống kê truy cập", online: "Đang online", today: "Hôm nay", week: "Trong tuần", total: "Tất cả",
    views: "Lượt xem", visits: "Lượt truy cập", visitors: "Khách truy cập" },
};
// end of words
const all = ["online", "today", "week", "total"];
const POLL_MS = 5000, PATIENCE_MS = 4000, RETRY_LIVE_MS = 60000;
// :where gives way to whatever the page says about the parts; everything else is inherited from the page.
const style = new CSSStyleSheet();
style.replaceSync(`:host{display:block}:host([hidden]){display:none}
:where(strong){display:block}:where(dl,dd){margin:0}
:where(dl div){display:flex;justify-content:space-between;gap:1em}
:where(dd){flex:1;font-variant-numeric:tabular-nums;font-weight:bold;text-align:end}`);

class AccessCounter extends HTMLElement {
  static observedAttributes = ["site", "article", "base", "lang", "separator", "measure", "window", "show"];

  connectedCallback() {
    document.addEventListener("visibilitychange", this);
    this.begin();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this);
    this.pause();
  }

  attributeChangedCallback(name, before, now) {
    if (this.fields && before !== now) this.begin();
  }

  handleEvent() {
    document.hidden ? this.pause() : this.resume();
  }

  begin() {
    this.pause();
    const get = (name) => this.getAttribute(name);
    const article = get("article"), base = get("base");
    const query = new URLSearchParams();
    for (const name of ["measure", "window"]) if (get(name)) query.set(name, get(name));
    const site = `${base ? `${base}/stats/` : here}${encodeURIComponent(get("site"))}/`;
    const of = article === null ? "" : `articles/${encodeURIComponent(article)}/`;
    this.url = `${site}${of}counter?${query}`.replace(/\?$/, "");
    this.live = article === null && `${site}live?${query}`.replace(/\?$/, "");
    this.shownAt = 0; // other numbers
    this.draw(article, get("show"));
    if (!document.hidden) this.resume();
  }

  // Drawn at once, with the numbers of the fallback if it has some, so that the layout does not shift later. Words and
  // numbers are slotted elements of the page, which its searches and styles reach; the parts are in the shadow tree.
  draw(article, show) {
    const lang = this.closest("[lang]")?.lang || "vi";
    const known = [lang, lang.split("-")[0]].find((one) => Object.hasOwn(words, one)) ?? "en", own = words[known];
    const make = (tag, set, ...inside) => {
      const made = Object.assign(document.createElement(tag), set);
      made.append(...inside);
      return made;
    };
    const part = (tag, part, slot) => make(tag, { part }, make("slot", { name: slot }));
    const text = (slot, text) => make("div", { slot, lang: known }, text);
    const list = make("dl", { part: "list" }), inside = [];
    const names = (show ?? (article === null ? all.join(" ") : "total")).split(" ").filter((name) => all.includes(name));
    const fields = {};
    for (const name of names) {
      list.append(make("div", { part: "row" }, part("dt", "label", `${name}-label`), part("dd", `value ${name}`, name)));
      const label = article !== null && name === "total" ? own[this.getAttribute("measure")] ?? own.views : own[name];
      fields[name] = text(name, this.querySelector(`[data-counter=${name}]`)?.textContent ?? "…");
      fields[name].dataset.counter = name;
      inside.push(text(`${name}-label`, label), fields[name]);
    }
    this.fields = fields;
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [style];
    shadow.replaceChildren(list);
    if (article === null) {
      list.before(part("strong", "title", "title"));
      inside.unshift(text("title", own.title));
    }
    this.replaceChildren(...inside);
  }

  resume() {
    this.pause();
    if (!this.live || !self.EventSource) return this.poll();
    this.events = new EventSource(this.live);
    this.events.onmessage = (event) => {
      this.stopPolling();
      this.show(JSON.parse(event.data));
    };
    this.events.onerror = () => { // the browser reconnects by itself, unless the server rejected it
      if (this.events?.readyState !== EventSource.CLOSED) return;
      this.poll();
      this.again = setTimeout(() => this.resume(), RETRY_LIVE_MS);
    };
    this.patience = setTimeout(() => this.poll(), PATIENCE_MS); // a proxy may buffer the stream
  }

  pause() {
    this.events?.close();
    clearTimeout(this.again);
    this.stopPolling();
  }

  poll() {
    this.stopPolling();
    const ask = async () => {
      const answer = await fetch(this.url, { cache: "no-cache" }).catch(() => {}); // a browser's cache may be older
      if (answer?.ok && this.timer) this.show(await answer.json());
    };
    this.timer = setInterval(ask, POLL_MS * (1 + Math.random() / 5));
    ask();
  }

  stopPolling() {
    clearTimeout(this.patience);
    clearInterval(this.timer);
    this.timer = 0;
  }

  // No live region: a screen reader reads the numbers when its user goes there, and does not announce each change.
  // What is older than what is shown is not shown, whichever server, cache or stream it comes from.
  show(numbers) {
    const at = Date.parse(numbers.as_of);
    this.toggleAttribute("stale", !!numbers.stale);
    if (at < this.shownAt) return;
    this.shownAt = at;
    const separator = this.getAttribute("separator") ?? ",";
    for (const [name, field] of Object.entries(this.fields)) {
      const text = String(numbers[name]).replace(/\B(?=(\d{3})+$)/g, () => separator);
      if (field.textContent !== text) field.textContent = text;
    }
  }
}

customElements.get("access-counter") || customElements.define("access-counter", AccessCounter);
