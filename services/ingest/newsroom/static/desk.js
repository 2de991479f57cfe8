// The desk: keys, and how many people read each live article. The page works without this.
const links = [...document.querySelectorAll("td.name > a")];
const dialog = document.querySelector("#keys");
for (const one of document.querySelectorAll("p.script")) one.hidden = false;

function move(by) {
  const now = links.indexOf(document.activeElement?.closest("tr")?.querySelector("td.name > a"));
  const next = links[Math.min(Math.max(now + by, 0), links.length - 1)];
  next?.focus();
}
const keys = {
  j: () => move(1),
  k: () => move(-1),
  x: () => document.activeElement?.closest("tr")?.querySelector("input[type=checkbox]")?.click(),
  "/": () => document.querySelector("#search").focus(),
  n: () => document.querySelector("header .primary")?.click(),
  "?": () => dialog.showModal(),
};
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
  if (isTyping || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = keys[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

const box = document.querySelector("[data-stats='/stats']");
if (box) {
  for (const one of box.querySelectorAll(".script")) one.hidden = false;
  const format = new Intl.NumberFormat(document.documentElement.lang);
  const show = async (row) => {
    const { site, article } = row.dataset;
    const found = await fetch(`/stats/${site}/articles/${article}/counter`).catch(() => null);
    const counter = found?.ok ? await found.json().catch(() => null) : null; // null: the network ended it
    if (!counter) return;
    row.querySelector("[data-online]").textContent = format.format(counter.online);
    row.querySelector("[data-today]").textContent = format.format(counter.today);
  };
  const waiting = new Set();
  let isBusy = false;
  const work = async () => {
    if (isBusy) return;
    isBusy = true;
    while (waiting.size) {
      const some = [...waiting].slice(0, 4);
      for (const row of some) waiting.delete(row);
      await Promise.all(some.map(show));
    }
    isBusy = false;
  };
  const rows = [...box.querySelectorAll("tr[data-article]")];
  const seen = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      seen[isIntersecting ? "add" : "delete"](target);
      if (isIntersecting) waiting.add(target);
    }
    work();
  });
  for (const row of rows) watcher.observe(row);
  setInterval(() => {
    if (document.hidden) return;
    for (const row of seen) waiting.add(row);
    work();
  }, 30_000);
}
