/**
 * HTML or text of the clipboard → nodes of the document, and what was left out. Pure, without a DOM.
 *
 * Knows the habits of Word (lists as paragraphs, pictures on the writer's disk), Google Docs (formatting in spans),
 * Excel (formatting in classes), Zalo (lines in one element) and web pages.
 */

import { linesToLists } from "../blocks.js";
import { append, inlineText, MARKS, textNode } from "../text/inline_html.js";
import { beginning, LIST_DEPTH_MAX } from "../text/limits.js";
import { imageUrl, linkUrl } from "../text/urls.js";
import { parseHtml } from "./html_tree.js";
import { detectFont, fontEncoding, isCapitalFont, toUnicode } from "./legacy_fonts.js";

const HEADINGS = { h1: 2, h2: 2, h3: 3, h4: 4, h5: 4, h6: 4 };
const BLOCKS = new Set(
  "address article aside body center dd details div dl dt fieldset figcaption footer form header html main nav p section summary".split(" "),
);
const SCRIPTS = new Set(["script", "noscript", "template", "object", "applet", "embed"]);
const SILENT = new Set(
  "head style title meta link xml col colgroup base param source track button option canvas map area audio video annotation annotation-xml".split(" "),
);
const FIELDS = new Set(["input", "textarea", "select"]);
const MATH_SCRIPTS = { msup: "sup", msub: "sub" };
/** A copy of a formula for screen readers, beside the one that is shown. */
const FORMULA_COPY = /\b(katex-mathml|mjx-assistive-mml)\b/;
const STRUCK = new Set(["s", "strike"]);
const FRAMES = new Set(["iframe", "frame", "frameset"]);
const FORMATS = { b: "strong", strong: "strong", i: "em", em: "em", cite: "em", dfn: "em", var: "em", sub: "sub", sup: "sup" };
/** Signs that no font shows, and no text may have. */
const UNSEEN = /[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f\u200b\u2060\ufeff]/g;
const ICON_PIXELS = 40;
/** A line of a PDF is as long as its column; lines of chats and poems are shorter. */
const WRAPPED_CHARACTERS_MIN = 50;
const BOLD = /^(bold|bolder|[6-9]00)$/;

/** Return {nodes, dropped, font, pictures} of HTML. `dropped` has counts and flags by name. */
export function htmlToNodes(html) {
  const { root, styles } = parseHtml(html.replaceAll("\0", ""));
  const walker = new Walker(classStyles(styles));
  walker.children(root, walker.start);
  return walker.result();
}

/** Return the same of plain text: a paragraph for each line, but for lines that a PDF has broken within a sentence. */
export function textToNodes(text) {
  const walker = new Walker(new Map());
  for (const one of wholeLines(text.split(/\r\n?|[\n\v\f\u0085\u2028\u2029]/))) {
    walker.text(one.replace(/\t/g, " "), walker.start);
    walker.endLine();
  }
  return walker.result();
}

function wholeLines(lines) {
  const whole = [];
  let former = "";
  for (const line of lines.map((one) => one.trim())) {
    const isWrapped = former.length >= WRAPPED_CHARACTERS_MIN;
    if (isWrapped && /[\p{L}\d]-$/u.test(former) && /^[\p{L}\d]/u.test(line)) whole.push(whole.pop() + line);
    else if (isWrapped && /[\p{L}\d,]$/u.test(former) && /^\p{Ll}/u.test(line)) whole.push(`${whole.pop()} ${line}`);
    else whole.push(line);
    former = line;
  }
  return whole;
}

/** Return the formatting that style sheets give to classes: {class: declarations}. */
function classStyles(css) {
  const found = new Map();
  for (const [, name, declarations] of css.matchAll(/\.([\w-]+)[^{},]*\{([^}]*)\}/g)) {
    const { "font-weight": weight, "font-style": style, "font-family": family } = declarationsOf(declarations);
    found.set(name.toLowerCase(), { "font-weight": weight, "font-style": style, "font-family": family });
  }
  return found;
}

function declarationsOf(style) {
  const found = {};
  for (const one of style.split(";")) {
    const at = one.indexOf(":");
    if (at > 0) found[one.slice(0, at).trim().toLowerCase()] = one.slice(at + 1).trim();
  }
  return found;
}

/** Walks a tree and collects lines, lists, tables and pictures. */
class Walker {
  constructor(classes, dropped = {}) {
    this.classes = classes;
    this.dropped = dropped;
    this.start = { marks: {}, kind: null, isPre: false, family: "" };
    this.parts = []; // nodes, and {line: {depth, ordered, paragraph}} of lists
    this.inline = [];
    this.kind = null;
    this.font = "";
  }

  drop(name, count = 1) {
    this.dropped[name] = (this.dropped[name] ?? 0) + count;
  }

  children(node, context) {
    for (const child of node.children) {
      if (typeof child === "string") this.text(child, context);
      else this.element(child, context);
    }
  }

  element(node, outer) {
    const { tag } = node;
    if (SCRIPTS.has(tag)) return this.drop("scripts");
    if (FRAMES.has(tag)) return this.drop("frames");
    if (SILENT.has(tag) || FORMULA_COPY.test(node.attributes.class ?? "")) return undefined;
    if (tag === "svg") return this.drop("icons");
    if (FIELDS.has(tag)) return node.attributes.type === "hidden" ? undefined : this.drop("fields");
    const style = this.styleOf(node);
    if (isHidden(node, style)) return undefined;
    if (/comment/.test(style["mso-element"] ?? "") || /\bmsocom/i.test(node.attributes.class ?? "")) {
      return this.drop("comments");
    }
    if (/ignore/i.test(style["mso-list"] ?? "")) return this.marker(node, outer);
    if (tag === "del" || /\bmsodel\b/i.test(node.attributes.class ?? "")) return this.drop("deletions"); // tracked changes
    const context = this.contextOf(node, style, outer);
    if (tag === "br") return this.lineBreak(context);
    if (tag === "img") return this.picture(node);
    if (tag === "hr") return this.endLine();
    if (tag === "table") return this.table(node, context);
    if (tag === "ul" || tag === "ol") return this.list(node, context, 1);
    if (tag === "li") return this.list({ tag: "ul", attributes: {}, children: [node] }, context, 1);
    if (tag === "blockquote") return this.quote(node, context);
    if (tag === "figure") return this.figure(node, context);
    if (tag === "math") this.dropped.formulas = true;
    if (MATH_SCRIPTS[tag] || tag === "mfrac") return this.formulaParts(node, context);
    if (HEADINGS[tag] || BLOCKS.has(tag) || tag === "pre") return this.block(node, style, context);
    return this.children(node, context);
  }

  /** Words of a formula stay: what is above or below as it is, a fraction as 1/2. */
  formulaParts(node, context) {
    const mark = MATH_SCRIPTS[node.tag];
    const marks = mark ? { ...context.marks, [mark]: { type: mark } } : context.marks;
    node.children.filter((child) => child.tag).forEach((child, index) => {
      if (index && !mark) this.text("/", context);
      this.element(child, index ? { ...context, marks } : context);
    });
  }

  styleOf(node) {
    const style = declarationsOf(node.attributes.style ?? "");
    for (const name of (node.attributes.class ?? "").toLowerCase().split(/\s+/)) {
      const known = this.classes.get(name);
      if (known) for (const one in known) style[one] ??= known[one];
    }
    return style;
  }

  /** Return what the text in an element inherits: its marks, font and white space. */
  contextOf(node, style, outer) {
    const marks = { ...outer.marks };
    const format = FORMATS[node.tag];
    if (format) marks[format] = { type: format };
    const weight = style["font-weight"];
    if (weight && BOLD.test(weight)) marks.strong = { type: "strong" };
    else if (weight) delete marks.strong;
    if (/^(italic|oblique)/.test(style["font-style"] ?? "")) marks.em = { type: "em" };
    else if (style["font-style"] === "normal") delete marks.em;
    if (style["vertical-align"] === "super") marks.sup = { type: "sup" };
    if (style["vertical-align"] === "sub") marks.sub = { type: "sub" };
    if (node.tag === "a") this.link(node, marks);
    this.note(node, style);
    const family = style["font-family"] ?? (node.tag === "font" ? node.attributes.face : undefined) ?? outer.family;
    const space = style["white-space"];
    const isPre = node.tag === "pre" || (space ? /^(pre|break-spaces)/.test(space) : outer.isPre);
    return { ...outer, marks, family, isPre };
  }

  link(node, marks) {
    const { href } = node.attributes;
    delete marks.link;
    if (!href || href.startsWith("#")) return;
    const url = linkUrl(href.trim());
    if (url === null) this.drop("links");
    else marks.link = { type: "link", attrs: { href: url, title: beginning(node.attributes.title?.trim() ?? "", 200) || null } };
  }

  note(node, style) {
    const colour = style.color ?? "";
    const hasColour = colour && !/^(black|windowtext|inherit|initial|#000|rgb\(0, ?0, ?0\))/i.test(colour);
    if (node.tag === "font" || hasColour || style.background || style["background-color"] || style["font-size"]) {
      this.dropped.styles = true;
    }
    if (STRUCK.has(node.tag) || /line-through/.test(style["text-decoration"] ?? "")) this.dropped.strike = true;
    if (node.tag === "u" || (/underline/.test(style["text-decoration"] ?? "") && node.tag !== "a")) {
      this.dropped.underline = true;
    }
  }

  block(node, style, context) {
    this.endLine();
    const level = headingLevel(node);
    const list = /\blevel(\d+)\b/i.exec(style["mso-list"] ?? "");
    this.kind = list && !level ? { depth: Number(list[1]), ordered: false } : level ? { level } : null;
    this.children(node, { ...context, kind: this.kind });
    this.endLine();
  }

  /** The number or the bullet that Word writes into a paragraph of a list. */
  marker(node, context) {
    const mark = allText(node).trim();
    if (/^\p{L}{2,}\s+[0-9ivxlcdm]/iu.test(mark)) {
      this.kind = null; // "Điều 1.", "Chương II": no list has it, and nobody may cite the text without it
      return this.text(`${mark} `, context);
    }
    if (!this.kind?.depth) this.kind = { depth: 1, ordered: false };
    this.kind.ordered = /^[\s(]*([0-9]+|[a-zđ]|[ivxlcdm]+)([.][0-9]+)*\s*[.)]/i.test(mark);
    return undefined;
  }

  text(text, context) {
    const encoding = fontEncoding(context.family);
    if (encoding && text.trim()) {
      text = toUnicode(text, encoding);
      if (isCapitalFont(context.family)) text = text.toUpperCase();
      this.dropped.font = encoding;
    }
    text = text.replace(/[\u00a0\u2007\u202f]/g, " ").replace(UNSEEN, "");
    if (context.isPre && /[\r\n]/.test(text)) {
      text.split(/\r\n?|\n/).forEach((one, index) => {
        if (index) this.endLine();
        this.append(one.replace(/[ \t]+/g, " "), context);
      });
      return;
    }
    this.append(text.replace(/[ \t\r\n\f]+/g, " "), context);
  }

  append(text, context) {
    const last = this.inline.at(-1);
    if (!last || last.type === "br" || last.text.endsWith(" ")) text = text.replace(/^ /, "");
    const names = MARKS.filter((name) => context.marks[name] && !(name === "strong" && this.kind?.level));
    append(this.inline, textNode(text, names.map((name) => context.marks[name])));
  }

  /** Two breaks in a row end a paragraph, as web pages and chats write it. */
  lineBreak(context) {
    const last = this.inline.at(-1);
    if (!last) return;
    if (last.type === "br") {
      this.inline.pop();
      const { kind } = this;
      this.endLine();
      this.kind = kind;
    } else if (context.isPre && !this.kind) this.endLine();
    else this.inline.push({ type: "br" });
  }

  endLine() {
    const content = trimmed(this.inline);
    const { kind } = this;
    this.inline = [];
    this.kind = null;
    if (!content.length) return;
    const paragraph = { type: "paragraph", content };
    if (kind?.depth) {
      if (kind.depth > LIST_DEPTH_MAX) this.dropped.depth = true;
      this.parts.push({ line: { depth: kind.depth, ordered: kind.ordered, paragraph } });
    } else if (kind?.level) this.parts.push({ type: "heading", attrs: { level: kind.level }, content });
    else this.parts.push(paragraph);
  }

  /** Walk an element by itself; return its parts. */
  inside(node, context) {
    const walker = new Walker(this.classes, this.dropped);
    walker.children(node, { ...context, kind: null });
    walker.endLine();
    return walker.parts;
  }

  list(node, context, depth) {
    this.endLine();
    const ordered = node.tag === "ol";
    for (const child of node.children) {
      if (typeof child === "string") {
        if (child.trim()) this.item({ children: [child] }, context, depth, ordered);
      } else if (child.tag === "ul" || child.tag === "ol") this.list(child, context, depth + 1);
      else this.item(child, context, depth, ordered);
    }
  }

  item(node, context, depth, ordered) {
    const level = Number(node.attributes?.["aria-level"] ?? node.attributes?.["data-aria-level"]) || depth;
    const inner = this.contextOf({ tag: "li", attributes: {}, ...node }, this.styleOf({ attributes: {}, ...node }), context);
    const parts = this.inside(node, inner);
    const text = parts.filter((part) => part.type === "paragraph" || part.type === "heading");
    const content = text.flatMap((part, index) => (index ? [{ type: "br" }, ...part.content] : part.content));
    if (level > LIST_DEPTH_MAX) this.dropped.depth = true;
    if (content.length) this.parts.push({ line: { depth: level, ordered, paragraph: { type: "paragraph", content } } });
    for (const { line } of parts.filter((part) => part.line)) {
      this.parts.push({ line: { ...line, depth: line.depth + (content.length ? level : level - 1) } });
    }
    const others = parts.filter((part) => !part.line && !text.includes(part));
    this.parts.push(...others);
  }

  quote(node, context) {
    this.endLine();
    const parts = this.inside(node, context);
    const paragraphs = parts.flatMap((part) => {
      if (part.line) return [part.line.paragraph];
      if (part.type === "quote") return part.content.filter(({ type }) => type === "paragraph"); // a mail in a mail
      return part.type === "paragraph" || part.type === "heading" ? [{ type: "paragraph", content: part.content }] : [];
    });
    const others = parts.filter((part) => part.type === "figure" || part.type === "table");
    if (paragraphs.length) this.parts.push({ type: "quote", content: [...paragraphs, { type: "cite" }] });
    this.parts.push(...others);
  }

  figure(node, context) {
    this.endLine();
    const caption = { children: [] };
    const rest = { ...node, children: [] };
    for (const child of node.children) (child.tag === "figcaption" ? caption : rest).children.push(...(child.tag === "figcaption" ? child.children : [child]));
    const parts = this.inside(rest, context);
    const text = lineText(this.inside(caption, context));
    const figure = parts.find((part) => part.type === "figure");
    if (figure && text) figure.content[0] = { type: "caption", content: [textNode(beginning(text, 500))] };
    else if (text) parts.push({ type: "paragraph", content: [textNode(text)] });
    this.parts.push(...parts);
  }

  picture(node) {
    const { src = "", alt = "", width, height } = node.attributes;
    const pixels = [width, height].map((value) => Number.parseInt(value, 10));
    if (pixels.some((value) => value > 0 && value <= ICON_PIXELS)) return this.drop("icons");
    const attrs = pictureAttributes(src.trim(), beginning(alt.trim(), 300));
    if (attrs === null) return this.drop("pictures");
    const { kind } = this;
    this.endLine();
    this.kind = kind;
    this.parts.push({ type: "figure", attrs, content: [{ type: "caption" }, { type: "credit" }] });
    return undefined;
  }

  table(node, context) {
    this.endLine();
    const rows = tableRows(node);
    if (rows.length === 1 && cellsOf(rows[0]).length === 1) {
      this.children(cellsOf(rows[0])[0], context);
      return this.endLine();
    }
    const after = [];
    const made = rows
      .map((row) => ({
        type: "table_row",
        content: cellsOf(row).map((cell) => this.cell(cell, context, after)),
      }))
      .filter((row) => row.content.length);
    const caption = node.children.find((child) => child.tag === "caption");
    const title = caption ? beginning(lineText(this.inside(caption, context)), 500) : "";
    if (made.some((row) => row.content.some((cell) => cell.content[0].content))) {
      this.parts.push({ type: "table", attrs: { caption: title }, content: made });
    }
    this.parts.push(...after);
    return undefined;
  }

  cell(node, context, after) {
    const inner = this.contextOf(node, this.styleOf(node), context);
    const parts = this.inside(node, inner);
    const lines = parts.flatMap(partLines);
    after.push(...parts.filter((part) => part.type === "figure"));
    const content = lines.flatMap((line, index) => (index ? [{ type: "br" }, ...line] : line));
    const span = (name, most) => Math.min(most, Math.max(1, Number.parseInt(node.attributes[name], 10) || 1));
    return {
      type: node.tag === "th" ? "table_header" : "table_cell",
      attrs: { colspan: span("colspan", 100), rowspan: span("rowspan", 500), colwidth: null },
      content: [{ type: "paragraph", ...(content.length ? { content } : {}) }],
    };
  }

  result() {
    this.endLine();
    let parts = this.parts;
    const text = parts.flatMap(partLines).map(inlineText).join("\n");
    const font = detectFont(text);
    if (font) parts = JSON.parse(JSON.stringify(parts), (name, value) => (name === "text" ? toUnicode(value, font) : value));
    const nodes = [];
    let lines = [];
    for (const part of [...parts, null]) {
      if (part?.line) {
        lines.push(part.line);
        continue;
      }
      if (lines.length) nodes.push(...linesToLists(lines));
      lines = [];
      if (part) nodes.push(part);
    }
    const pictures = nodes.filter((node) => node.type === "figure").length;
    const { font: byName = "", ...dropped } = this.dropped;
    return { nodes: normalized(nodes), dropped, font: font || byName, pictures };
  }
}

/** Return the level of a heading, also of Word for the web; null of another block. */
function headingLevel({ tag, attributes }) {
  const level = attributes.role === "heading" ? Number.parseInt(attributes["aria-level"], 10) || 2 : 0;
  if (level) return HEADINGS[`h${Math.min(level, 6)}`];
  return HEADINGS[tag] ?? (/\bMsoTitle\b/i.test(attributes.class ?? "") ? 2 : null);
}

const normalized = (nodes) =>
  JSON.parse(JSON.stringify(nodes), (name, value) => (name === "text" ? value.normalize("NFC") : value));

function isHidden(node, style) {
  return style.display === "none" || /^all$/.test(style["mso-hide"] ?? "") || "hidden" in node.attributes;
}

const allText = (node) => node.children.map((child) => (typeof child === "string" ? child : allText(child))).join("");

/** Return the lines of inline content in a part. */
export function partLines(part) {
  if (part.line) return [part.line.paragraph.content ?? []];
  if (part.type === "paragraph" || part.type === "heading") return part.content ? [part.content] : [];
  if (["caption", "credit", "cite"].includes(part.type)) return part.content ? [part.content] : [];
  return (part.content ?? []).flatMap(partLines);
}

const lineText = (parts) => parts.flatMap(partLines).map(inlineText).join(" ").replace(/\s+/g, " ").trim();

function trimmed(nodes) {
  const content = [...nodes];
  const isBlank = (node) => node && (node.type === "br" || !node.text.trim());
  while (isBlank(content[0])) content.shift();
  while (isBlank(content.at(-1))) content.pop();
  if (!content.length) return content;
  const first = content[0];
  if (first.text) content[0] = { ...first, text: first.text.trimStart() };
  const last = content.at(-1);
  if (last.text) content[content.length - 1] = { ...last, text: last.text.trimEnd() };
  return content;
}

/** Return the attributes of a figure for the address of a picture; null for one that cannot be kept. */
function pictureAttributes(src, alt) {
  const pending = (more) => ({ image: null, pending: { id: null, alt, ...more } });
  if (/^data:image\/(png|jpe?g|webp|gif|avif);base64,/i.test(src)) return pending({ name: alt || "ảnh", state: "data", src });
  if (/^(data|javascript|vbscript|about):/i.test(src) || !src) return null;
  if (/^\/(?!\/)/.test(src) && imageUrl(src)) {
    return { image: { url: src, alt, width: null, height: null, media: null, renditions: [], focus: null, bytes: null, crops: [] }, pending: null };
  }
  const name = fileName(src) || alt || "ảnh";
  return pending({ name, state: "missing", elsewhere: /^(https?:)?\/\//i.test(src) });
}

function fileName(src) {
  const path = src.replace(/[?#].*$/, "").replace(/^cid:/i, "");
  const name = path.split(/[/\\]/).at(-1);
  try {
    return beginning(decodeURIComponent(name), 120);
  } catch {
    return beginning(name, 120);
  }
}

function tableRows(node) {
  return node.children.flatMap((child) => {
    if (child.tag === "tr") return [child];
    return ["tbody", "thead", "tfoot"].includes(child.tag) ? tableRows(child) : [];
  });
}

const cellsOf = (row) => row.children.filter((child) => child.tag === "td" || child.tag === "th");
