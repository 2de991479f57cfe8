// Optional features of a page: without this script only its buttons and what is most read are missing.
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

// Most read: made by the counter, and kept out of pages, so that these stay the same bytes. Its places are kept from the
// first paint on; where nothing was read they are given up.
for (const place of document.querySelectorAll("[data-fetch]")) {
  fetch(place.dataset.fetch).then(async (answer) => {
    const text = answer.ok ? (await answer.text()).trim() : "";
    if (!text.includes("<li")) throw new Error("nothing was read");
    const here = place.querySelector("[data-here]");
    if (here.localName === "ol") {
      const read = new DOMParser().parseFromString(text, "text/html").querySelectorAll("li");
      [...here.children].forEach((empty, number) => read[number] && empty.replaceWith(read[number]));
    } else here.innerHTML = text;
    place.hidden = false;
  }).catch(() => place.remove()); // the rest of the page does without
}

// Menus close with Escape, the one of phones also with a click beside it.
const phoneMenu = document.querySelector(".sections-phone");
const menu = document.querySelector(".menu");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (phoneMenu?.open) {
    phoneMenu.open = false;
    phoneMenu.querySelector("summary").focus();
  } else if (menu) {
    menu.classList.add("shut");
    menu.addEventListener("mouseover", () => menu.classList.remove("shut"), { once: true });
    menu.addEventListener("focusout", () => menu.classList.remove("shut"), { once: true });
  }
});
for (const below of document.querySelectorAll(".menu li > ul")) {
  const keepOnScreen = () => {
    below.classList.remove("back");
    below.classList.toggle("back", below.getBoundingClientRect().right > root.clientWidth);
  };
  for (const reached of ["pointerenter", "focusin"]) below.parentElement.addEventListener(reached, keepOnScreen);
}
document.addEventListener("click", (event) => {
  if (phoneMenu?.open && !phoneMenu.contains(event.target)) phoneMenu.open = false;
});

// A banner without its picture is its words.
for (const image of document.querySelectorAll(".banners img")) {
  const lost = () => image.closest("figure").classList.add("lost");
  if (image.complete && !image.naturalWidth) lost();
  image.addEventListener("error", lost);
}
