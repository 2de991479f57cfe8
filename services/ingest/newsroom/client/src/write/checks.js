/** What an article should have before it is sent. Pure. */

import { inlineText, parseInline } from "../text/inline_html.js";
import { parsePicture } from "../text/picture_line.js";

export const TITLE_CHARACTERS_ADVISED = 110; // that of the API's hints
export const LEAD_CHARACTERS_ADVISED = 400;

/** Return the links of a body: {href, at}, with the number of their block. */
function linksOf(blocks) {
  const found = [];
  const read = (at, html) => {
    for (const node of parseInline(html ?? "")) {
      for (const mark of node.marks ?? []) if (mark.type === "link") found.push({ href: mark.attrs.href, at });
    }
  };
  const items = (at, list) => {
    for (const item of list) {
      read(at, item.html);
      items(at, item.items ?? []);
    }
  };
  for (const [at, block] of blocks.entries()) {
    read(at, block.html);
    for (const html of block.paragraphs ?? []) read(at, html);
    items(at, block.items ?? []);
    for (const row of block.rows ?? []) for (const cell of row) read(at, cell.html);
  }
  return found;
}

/** Return whether readers cannot follow a link: to this computer, to the newsroom, or to nothing. */
export function isOwnLink(href) {
  if (href === "#" || /^\/(ban-bien-tap|api)(\/|$)/.test(href)) return true;
  if (!/^https?:/i.test(href)) return false;
  const { hostname, pathname } = new URL(href);
  return /^(localhost|127\.|192\.168\.|10\.|\[::1\])|\.local$/.test(hostname) || /^\/ban-bien-tap(\/|$)/.test(pathname);
}

const length = (text) => [...(text ?? "").trim()].length;

/**
 * Return the checks of an article, in the order of the page.
 *
 * Each is {name, level, isDone, values, target}. `level`: "always", nothing can be sent without it; "public", it cannot
 * be published; "advice". `target`: where to mend it: {field} or {id} of the form, or {block, part} of the body.
 *
 * @param values The fields of the form. @param blocks The body. @param missing Names of pictures without a file.
 */
export function checksOf(values, blocks, missing) {
  const title = length(values.title);
  const lead = length(values.lead);
  const pictures = [...blocks.entries()].filter(([, block]) => block.type === "figure");
  const shown = pictures.filter(([, block]) => block.image);
  const firstOf = (found, part) => ({ block: found[0]?.[0] ?? null, part });
  const noCaption = pictures.filter(([, block]) => !length(block.caption));
  const leading = parsePicture(values.lead_image ?? "");
  const leadGap = !leading || (length(leading.caption) && length(leading.image.alt)) ? null : length(leading.caption) ? "alt" : "caption";
  const noAlt = shown.filter(([, block]) => !length(block.image.alt));
  const elsewhere = shown.filter(([, block]) => !/^[/]/.test(block.image.url));
  const links = linksOf(blocks);
  const wrong = links.filter((one) => isOwnLink(one.href));
  const hasText = blocks.some((block) => block.type !== "paragraph" || length(inlineText(parseInline(block.html))));
  const check = (name, level, isDone, target, more = {}) => ({ name, level, isDone, target, values: more });
  return [
    check("title", "always", title > 0, { field: "title" }),
    check("title_short", "advice", title <= TITLE_CHARACTERS_ADVISED, { field: "title" }, { count: title, limit: TITLE_CHARACTERS_ADVISED }),
    check("lead", "advice", lead > 0, { field: "lead" }),
    check("lead_short", "advice", lead <= LEAD_CHARACTERS_ADVISED, { field: "lead" }, { count: lead, limit: LEAD_CHARACTERS_ADVISED }),
    check("section", "always", Boolean(values.section), { field: "section" }),
    check("text", "public", hasText || Boolean(values.lead_image), { block: 0, part: "text" }),
    check("pictures", "advice", shown.length > 0 || Boolean(values.lead_image), { tool: "image" }),
    check("files", "always", missing.length === 0, { block: null, part: "missing" }, { names: missing.join(", ") }),
    check("captions", "public", noCaption.length === 0, firstOf(noCaption, "caption"), { count: noCaption.length }),
    check("alts", "public", noAlt.length === 0, firstOf(noAlt, "alt"), { count: noAlt.length }),
    check("lead_picture", "public", !leadGap, { id: `lead-image-${leadGap ?? "caption"}` }),
    check("elsewhere", "advice", elsewhere.length === 0, firstOf(elsewhere, "caption"), { count: elsewhere.length }),
    check("author", "advice", length(values.authors) > 0 || length(values.source_name) > 0, { field: "authors" }),
    check("links", "advice", wrong.length === 0, { block: wrong[0]?.at ?? null, part: "text" }, { count: wrong.length, total: links.length }),
  ].filter((one) => isRelevant(one, { values, pictures, links, missing }));
}

/** What an article has none of needs no check, nor has a field that the form has not. */
function isRelevant({ name, isDone, target }, { values, pictures, links, missing }) {
  if (target.field && !(target.field in values)) return false;
  if (name === "title_short" || name === "lead_short") return length(values[target.field]) > 0;
  if (name === "lead" && isDone) return false; // its length says so
  if (["captions", "alts", "elsewhere"].includes(name)) return pictures.length > 0 && (name !== "elsewhere" || !isDone);
  if (name === "lead_picture") return Boolean(values.lead_image);
  if (name === "links") return links.length > 0;
  if (name === "files") return pictures.length > 0 || missing.length > 0;
  return true;
}

/** Return the checks without which an action is refused. */
export function blocking(checks, action) {
  if (action === "save") return checks.filter((one) => !one.isDone && ["title", "section"].includes(one.name));
  const levels = ["publish", "approve", "live"].includes(action) ? ["always", "public"] : ["always"];
  return checks.filter((one) => !one.isDone && levels.includes(one.level));
}
