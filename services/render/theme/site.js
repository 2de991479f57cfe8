// Optional features of a page: without this script only these buttons are missing.
const root = document.documentElement;
const show = (name) => document.querySelectorAll(`[data-with-script~="${name}"]`).forEach((part) => (part.hidden = false));
const on = (name, act) => document.querySelectorAll(`[data-do="${name}"]`).forEach((part) => part.addEventListener("click", () => act(part)));

// Text size and contrast, remembered in this browser alone.
const sizes = ["small", "", "large", "larger"];
const remember = () => {
  const look = { size: root.dataset.size, contrast: root.dataset.contrast };
  try { localStorage.setItem("presstally-look", JSON.stringify(look)); } catch { /* then it applies to this page only */ }
};
const resize = (step) => {
  const next = sizes[Math.min(sizes.length - 1, Math.max(0, sizes.indexOf(root.dataset.size || "") + step))];
  if (next) root.dataset.size = next; else delete root.dataset.size;
  remember();
};
on("larger", () => resize(1));
on("smaller", () => resize(-1));
const showContrast = () => document.querySelectorAll('[data-do="contrast"]').forEach((part) => part.setAttribute("aria-pressed", String(root.dataset.contrast === "high")));
on("contrast", () => {
  if (root.dataset.contrast) delete root.dataset.contrast; else root.dataset.contrast = "high";
  remember();
  showContrast();
});
showContrast();
show("look");

on("print", () => print());
on("copy", async (part) => {
  await navigator.clipboard.writeText(part.dataset.url);
  part.textContent = part.dataset.done;
});
show("print");
if (navigator.clipboard) show("copy");

// Most read: made by the counter, and kept out of pages, so that these stay the same bytes.
for (const place of document.querySelectorAll("[data-fetch]")) {
  fetch(place.dataset.fetch).then(async (answer) => {
    const text = answer.ok ? (await answer.text()).trim() : "";
    if (!text.includes("<li")) return;
    place.querySelector("[data-here]").innerHTML = text;
    place.hidden = false;
  }).catch(() => { /* the rest of the page does without */ });
}
