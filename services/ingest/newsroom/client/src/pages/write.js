/**
 * The page "write": puts the editor in place of the body of its form.
 *
 * What it expects of the page: `<form id="write">` with a `<textarea name="body">`, an input `csrf` and an input
 * `version`; `<script type="application/json" id="article">` with the article as the API returns it, or null for a new
 * one; the language of the person in `<html lang>`. The form is sent as without scripts, except that `body` is the
 * list of blocks as JSON and `body_format` is `blocks`.
 */

import { normalizedBlocks } from "../blocks.js";
import { el } from "../dom.js";
import { Editor } from "../editor/editor.js";
import { Transfers } from "../editor/transfers.js";
import { setLanguage } from "../texts.js";

function start(form) {
  setLanguage(document.documentElement.lang);
  const article = JSON.parse(document.getElementById("article")?.textContent || "null");
  const area = form.elements.namedItem("body");
  const site = article?.site ?? form.elements.namedItem("site")?.value ?? new URLSearchParams(location.search).get("site");
  const transfers = new Transfers({ site, csrf: () => form.elements.namedItem("csrf")?.value ?? "" });
  const place = el("div", { class: "editor-place" });
  (area.closest("label") ?? area).after(place);
  (area.closest("label") ?? area).hidden = true;
  area.required = false;
  const format = el("input", { type: "hidden", name: "body_format", value: "blocks" });
  form.append(format);
  const editor = new Editor(place, article?.body ?? [], {
    sendPicture: (file, onProgress) => transfers.sendPicture(file, onProgress),
    sendFile: (file, onProgress) => transfers.sendFile(file, onProgress),
  });
  form.addEventListener("submit", () => {
    area.value = JSON.stringify(normalizedBlocks(editor.blocks));
  });
  return editor;
}

const form = document.getElementById("write");
if (form) start(form);
