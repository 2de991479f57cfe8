/** Inline HTML of blocks (a, em, strong, br, sub, sup) ↔ inline content of the document, as JSON. Pure, without a DOM. */

import { decodeEntities, escapeAttribute, escapeText } from "./entities.js";
import { linkUrl } from "./urls.js";

/** Names of marks from the outermost element to the innermost: the order of marks in the schema, too. */
export const MARKS = ["link", "strong", "em", "sub", "sup"];
const MARK_OF = { a: "link", strong: "strong", em: "em", sub: "sub", sup: "sup" };
const TAG_OF = { link: "a", strong: "strong", em: "em", sub: "sub", sup: "sup" };
const TOKEN = /<(\/?)(a|strong|em|sub|sup|br)\b([^>]*)>|<[^>]*>|[^<]+|</gi;
const ATTRIBUTE = /(href|title)="([^"]*)"/gi;

/** Return inline HTML as a list of text and br nodes. */
export function parseInline(html) {
  const nodes = [];
  const open = [];
  for (const [token, closing, tag, attributes] of html.matchAll(TOKEN)) {
    if (tag === undefined) {
      if (!token.startsWith("<") || token === "<") append(nodes, textNode(decodeEntities(token), marksOf(open)));
    } else if (tag.toLowerCase() === "br") {
      append(nodes, withMarks({ type: "br" }, marksOf(open)));
    } else if (closing) {
      const at = open.findLastIndex((one) => one.tag === tag.toLowerCase());
      if (at >= 0) open.splice(at, 1);
    } else {
      open.push({ tag: tag.toLowerCase(), mark: markOf(tag.toLowerCase(), attributes) });
    }
  }
  return nodes;
}

function markOf(tag, attributes) {
  if (tag !== "a") return { type: MARK_OF[tag] };
  const found = Object.fromEntries([...attributes.matchAll(ATTRIBUTE)].map(([, name, value]) => [name, decodeEntities(value)]));
  const href = linkUrl(found.href);
  return href === null ? null : { type: "link", attrs: { href, title: found.title || null } };
}

function marksOf(open) {
  const marks = new Map();
  for (const { mark } of open) if (mark && !marks.has(mark.type)) marks.set(mark.type, mark);
  return MARKS.filter((name) => marks.has(name)).map((name) => marks.get(name));
}

const withMarks = (node, marks) => (marks.length ? { ...node, marks } : node);

/** Return a text node. */
export const textNode = (text, marks = []) => withMarks({ type: "text", text }, marks);

/** Append a node to a list; a text after a text with the same marks becomes a part of it. */
export function append(nodes, node) {
  const last = nodes.at(-1);
  if (node.type === "text" && !node.text) return;
  if (last?.type === "text" && node.type === "text" && sameMarks(last.marks, node.marks)) {
    nodes[nodes.length - 1] = { ...last, text: last.text + node.text };
  } else {
    nodes.push(node);
  }
}

const sameMarks = (first = [], second = []) =>
  first.length === second.length && first.every((mark, index) => sameMark(mark, second[index]));

const sameMark = (first, second) =>
  first.type === second.type &&
  first.attrs?.href === second.attrs?.href &&
  (first.attrs?.title ?? null) === (second.attrs?.title ?? null);

/** Return inline content as HTML: elements nested in the order of MARKS, opened and closed as rarely as possible. */
export function serializeInline(nodes = []) {
  let html = "";
  let open = [];
  for (const node of nodes) {
    const marks = node.marks ?? [];
    let kept = 0;
    while (kept < open.length && kept < marks.length && sameMark(open[kept], marks[kept])) kept += 1;
    html += endTags(open.slice(kept)) + marks.slice(kept).map(startTag).join("");
    html += node.type === "br" ? "<br>" : escapeText(node.text);
    open = marks;
  }
  return html + endTags(open);
}

const endTags = (marks) => marks.toReversed().map((mark) => `</${TAG_OF[mark.type]}>`).join("");

function startTag(mark) {
  if (mark.type !== "link") return `<${TAG_OF[mark.type]}>`;
  const title = mark.attrs.title ? ` title="${escapeAttribute(mark.attrs.title)}"` : "";
  return `<a href="${escapeAttribute(mark.attrs.href)}"${title}>`;
}

/** Return inline HTML as the document would write it. */
export const canonicalInline = (html) => serializeInline(parseInline(html));

/** Return the text of inline nodes; a line break is a blank. */
export const inlineText = (nodes = []) => nodes.map((node) => (node.type === "br" ? " " : node.text)).join("");
