/** The block model of articles as a schema: what shared/articles.py has, and nothing else. */

import { Schema } from "prosemirror-model";
import { tableNodes } from "prosemirror-tables";
import { imageUrl, linkUrl } from "./text/urls.js";
import { t } from "./texts.js";

const block = (tag, content, more = {}) => ({
  content,
  group: "block",
  parseDOM: [{ tag }],
  toDOM: () => [tag, 0],
  ...more,
});

/** A line of plain text that belongs to a figure or a quotation. */
const plain = (tag, name, more = {}) => ({
  content: "text*",
  marks: "",
  defining: true,
  isolating: true,
  parseDOM: [{ tag: `${tag}.${name}` }],
  toDOM: () => [tag, { class: name, role: "group", "data-placeholder": t(`${name}_placeholder`), "aria-label": t(name) }, 0],
  ...more,
});

const source = { default: null, validate: "string|null" };
const LEVELS = [2, 2, 3, 4, 4, 4];

function checkImage(image) {
  if (image === null) return;
  const urls = [image.url, ...(image.renditions ?? []).map((one) => one.url)].filter((url) => url);
  if (!urls.every((url) => imageUrl(url) === url)) throw new RangeError("the address of an image is not allowed");
}

function checkLink(href) {
  if (linkUrl(href) !== href) throw new RangeError("the target of a link is not allowed");
}

function checkFile(url) {
  if (url && imageUrl(url) !== url) throw new RangeError("the address of a file is not allowed");
}

const table = tableNodes({ tableGroup: "block", cellContent: "paragraph", cellAttributes: {} });

export const schema = new Schema({
  nodes: {
    doc: { content: "block+" },
    paragraph: block("p", "inline*", { attrs: { source } }),
    heading: {
      content: "inline*",
      group: "block",
      attrs: { level: { default: 2, validate: "number" }, source },
      defining: true,
      parseDOM: LEVELS.map((level, index) => ({ tag: `h${index + 1}`, attrs: { level } })),
      toDOM: (node) => [`h${node.attrs.level}`, 0],
    },
    list: {
      content: "item+",
      group: "block",
      attrs: { ordered: { default: false, validate: "boolean" } },
      parseDOM: [{ tag: "ul" }, { tag: "ol", attrs: { ordered: true } }],
      toDOM: (node) => [node.attrs.ordered ? "ol" : "ul", 0],
    },
    item: {
      content: "paragraph list?",
      attrs: { ordered: { default: false, validate: "boolean" } },
      defining: true,
      parseDOM: [{ tag: "li" }],
      toDOM: () => ["li", 0],
    },
    quote: block("blockquote", "paragraph+ cite", { defining: true }),
    cite: plain("footer", "cite"),
    figure: {
      content: "caption credit",
      group: "block",
      attrs: { image: { default: null, validate: checkImage }, pending: { default: null } },
      isolating: true,
      draggable: true,
      toDOM: () => ["figure", 0],
    },
    caption: plain("figcaption", "caption"),
    credit: plain("div", "credit"),
    embed: {
      group: "block",
      atom: true,
      draggable: true,
      attrs: { provider: { validate: "string" }, id: { validate: "string" }, title: { default: "", validate: "string" } },
      toDOM: ({ attrs }) => [
        "div",
        { class: "atom embed" },
        `▶ ${{ youtube: "YouTube", vimeo: "Vimeo" }[attrs.provider]} · ${attrs.title || attrs.id}`,
      ],
    },
    file: {
      group: "block",
      atom: true,
      draggable: true,
      attrs: {
        url: { default: "", validate: checkFile },
        name: { validate: "string" },
        media: { default: null, validate: "string|null" },
        bytes: { default: null, validate: "number|null" },
        media_type: { default: "", validate: "string" },
      },
      toDOM: ({ attrs }) => ["div", { class: "atom file" }, `⬇ ${attrs.name || attrs.url}`],
    },
    related: {
      group: "block",
      atom: true,
      draggable: true,
      attrs: { article: { validate: "string" }, number: { default: null, validate: "number|null" } },
      toDOM: ({ attrs }) => ["div", { class: "atom related" }, `№ ${attrs.number ?? ""}`],
    },
    ...table,
    table: {
      ...table.table,
      attrs: { caption: { default: "", validate: "string" } },
      parseDOM: [{ tag: "table" }],
      toDOM: ({ attrs }) => [
        "div",
        { class: "table" },
        ["table", ["tbody", 0]],
        ["p", { class: "table-caption", contenteditable: "false" }, attrs.caption],
      ],
    },
    text: { group: "inline" },
    br: { inline: true, group: "inline", selectable: false, parseDOM: [{ tag: "br" }], toDOM: () => ["br"] },
  },
  marks: {
    link: {
      attrs: { href: { validate: checkLink }, title: { default: null, validate: "string|null" } },
      inclusive: false,
      parseDOM: [
        {
          tag: "a[href]",
          getAttrs: (dom) => {
            const href = linkUrl(dom.getAttribute("href"));
            return href === null ? false : { href, title: dom.getAttribute("title") || null };
          },
        },
      ],
      toDOM: ({ attrs }) => ["a", { href: attrs.href, ...(attrs.title ? { title: attrs.title } : {}) }, 0],
    },
    strong: {
      parseDOM: [{ tag: "strong" }, { tag: "b", getAttrs: (dom) => dom.style.fontWeight !== "normal" && null }],
      toDOM: () => ["strong", 0],
    },
    em: { parseDOM: [{ tag: "em" }, { tag: "i" }], toDOM: () => ["em", 0] },
    sub: { excludes: "", parseDOM: [{ tag: "sub" }], toDOM: () => ["sub", 0] },
    sup: { excludes: "", parseDOM: [{ tag: "sup" }], toDOM: () => ["sup", 0] },
  },
});
