// <access-counter site="haihau"></access-counter>: the four numbers, live.
// Attributes: site; base (where Presstally is, default: where this script came from); lang (vi, en);
// separator (of thousands). What stands inside the tag shows until the first numbers come.
const base = new URL(import.meta.url).origin;
const words = {
  vi: { title: "Thống kê truy cập", online: "Đang online", today: "Hôm nay", week: "Trong tuần", total: "Tất cả" },
  en: { title: "Visitors", online: "Online", today: "Today", week: "This week", total: "All time" },
};
const poll = 5000;

class AccessCounter extends HTMLElement {
  connectedCallback() {
    const lang = this.getAttribute("lang") || document.documentElement.lang || "vi";
    this.words = words[lang.slice(0, 2)] || words.en;
    this.url = `${this.getAttribute("base") || base}/stats/${encodeURIComponent(this.getAttribute("site"))}/`;
    this.watchVisibility = () => (document.hidden ? this.pause() : this.resume());
    document.addEventListener("visibilitychange", this.watchVisibility);
    this.watchVisibility();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.watchVisibility);
    this.pause();
  }

  resume() {
    this.pause();
    this.events = new EventSource(`${this.url}live`);
    this.events.onmessage = (event) => this.show(JSON.parse(event.data));
    this.events.onerror = () => { // the browser tries again by itself; a refusal is final, so ask now and then
      if (this.events?.readyState === EventSource.CLOSED) this.timer ??= setInterval(() => this.ask(), poll);
    };
  }

  pause() {
    this.events?.close();
    clearInterval(this.timer);
    this.events = this.timer = undefined;
  }

  async ask() {
    const answer = await fetch(`${this.url}counter`).catch(() => undefined);
    if (answer?.ok) this.show(await answer.json());
  }

  show(numbers) {
    if (!this.list) {
      const title = Object.assign(document.createElement("strong"), { textContent: this.words.title });
      this.list = document.createElement("dl");
      this.fields = {};
      for (const name of ["online", "today", "week", "total"]) {
        const row = document.createElement("div");
        const term = Object.assign(document.createElement("dt"), { textContent: this.words[name] });
        this.fields[name] = document.createElement("dd");
        this.fields[name].dataset.counter = name;
        row.append(term, this.fields[name]);
        this.list.append(row);
      }
      this.replaceChildren(title, this.list);
    }
    for (const [name, field] of Object.entries(this.fields)) {
      const text = String(numbers[name]).replace(/\B(?=(\d{3})+$)/g, this.getAttribute("separator") ?? ",");
      if (field.textContent !== text) field.textContent = text;
    }
  }
}

customElements.define("access-counter", AccessCounter);
