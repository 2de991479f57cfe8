/**
 * Blocks of an article ↔ document of the editor, both as JSON. Pure, without a DOM.
 *
 * Blocks → document → blocks is the identity. HTML that the editor would write differently, such as <em> around
 * <strong>, is kept in the attribute `source` of its line until the line is changed.
 */

import { inlineText, parseInline, serializeInline, textNode } from "./text/inline_html.js";
import { LIST_DEPTH_MAX } from "./text/limits.js";

/** Return the document of a body; an empty body is one empty paragraph. */
export function blocksToDoc(blocks) {
  const content = blocks.map(blockToNode);
  return { type: "doc", content: content.length ? content : [{ type: "paragraph" }] };
}

/** Return the node of a block. */
export function blockToNode(block) {
  switch (block.type) {
    case "paragraph":
      return line("paragraph", block.html);
    case "heading":
      return line("heading", block.html, { level: block.level });
    case "list":
      return listToNode(block.items, block.ordered);
    case "quote":
      return {
        type: "quote",
        content: [...block.paragraphs.map((html) => line("paragraph", html)), plain("cite", block.cite)],
      };
    case "figure":
      return figureToNode(block);
    case "table":
      return { type: "table", attrs: { caption: block.caption }, content: block.rows.map(rowToNode) };
    default: {
      const { type, ...attrs } = block;
      return { type, attrs };
    }
  }
}

/** A picture without a file, whose caption is the name of the file in brackets, waits for it: `figureBlock` writes it so. */
function figureToNode({ image, caption, credit }) {
  const name = image === null && /^\[([^[\]]+)\]$/.exec(caption)?.[1];
  return {
    type: "figure",
    attrs: { image, pending: name ? { id: null, name, state: "missing" } : null },
    content: [plain("caption", name ? "" : caption), plain("credit", credit)],
  };
}

function line(type, html, attrs = {}) {
  const content = parseInline(html);
  const source = html === "" || serializeInline(content) !== html ? html : null;
  const all = source === null ? attrs : { ...attrs, source };
  return {
    type,
    ...(Object.keys(all).length ? { attrs: all } : {}),
    ...(content.length ? { content } : {}),
  };
}

const plain = (type, text) => (text ? { type, content: [textNode(text)] } : { type });

function listToNode(items, ordered) {
  return {
    type: "list",
    attrs: { ordered },
    content: items.map((item) => ({
      type: "item",
      ...(item.ordered && !item.items.length ? { attrs: { ordered: true } } : {}),
      content: [line("paragraph", item.html), ...(item.items.length ? [listToNode(item.items, item.ordered)] : [])],
    })),
  };
}

const rowToNode = (row) => ({
  type: "table_row",
  ...(row.length
    ? {
        content: row.map((cell) => ({
          type: cell.header ? "table_header" : "table_cell",
          attrs: { colspan: cell.colspan, rowspan: cell.rowspan, colwidth: null },
          content: [line("paragraph", cell.html)],
        })),
      }
    : {}),
});

/** Return the body of a document. Lines that were added and left empty are not in it. */
export function docToBlocks(doc) {
  return doc.content.map(nodeToBlock).filter((block) => block !== null);
}

/** Return the block of a node; null for one without content. */
export function nodeToBlock(node) {
  switch (node.type) {
    case "paragraph": {
      const html = lineHtml(node);
      return html === null ? null : { type: "paragraph", html };
    }
    case "heading": {
      const html = lineHtml(node);
      return html === null ? null : { type: "heading", html, level: node.attrs.level };
    }
    case "list": {
      const items = listItems(node);
      return items.length ? { type: "list", items, ordered: node.attrs.ordered } : null;
    }
    case "quote": {
      const cite = inlineText(node.content.at(-1).content) || null;
      const paragraphs = node.content.slice(0, -1).map(lineHtml).filter((html) => html !== null);
      return paragraphs.length ? { type: "quote", paragraphs, cite } : null;
    }
    case "figure":
      return figureBlock(node);
    case "table":
      return { type: "table", rows: tableRows(node), caption: node.attrs.caption };
    default:
      return { type: node.type, ...node.attrs };
  }
}

/** Return the HTML of a line: as it was read, unless it was changed; null for an empty line that was not there. */
function lineHtml(node) {
  const html = serializeInline(node.content);
  const source = node.attrs?.source ?? null;
  if (source !== null && serializeInline(parseInline(source)) === html) return source;
  return html === "" ? null : html;
}

function listItems(list) {
  return list.content
    .map((item) => {
      const html = lineHtml(item.content[0]);
      const below = item.content[1];
      const items = below ? listItems(below) : [];
      if (html === null && !items.length) return null;
      const ordered = items.length ? below.attrs.ordered : !below && (item.attrs?.ordered ?? false);
      return { html: html ?? "", items, ordered };
    })
    .filter((item) => item !== null);
}

function figureBlock(node) {
  const [caption, credit] = node.content.map((one) => inlineText(one.content));
  const image = node.attrs.image ?? null;
  const name = image === null && !caption && node.attrs.pending?.name;
  return { type: "figure", caption: name ? `[${name.replace(/[[\]\s]+/g, " ").trim()}]` : caption, image, credit: credit || null };
}

/** Return the rows of a table. A row that cells of the rows above cover whole, as after merging, is left out. */
function tableRows(node) {
  const rows = node.content.map((row) =>
    (row.content ?? []).map((cell) => ({
      html: lineHtml(cell.content[0]) ?? "",
      header: cell.type === "table_header",
      colspan: cell.attrs.colspan,
      rowspan: cell.attrs.rowspan,
    })),
  );
  for (let y = rows.length - 1; y > 0; y -= 1) {
    if (rows[y].length || rows.length === 1) continue;
    for (let above = 0; above < y; above += 1) {
      for (const cell of rows[above]) if (above + cell.rowspan > y) cell.rowspan -= 1;
    }
    rows.splice(y, 1);
  }
  return rows;
}

/** Return a list as lines with their depth, from 1, and whether their list is numbered. */
export function listToLines(list, depth = 1) {
  return list.content.flatMap((item) => [
    { depth, ordered: list.attrs.ordered, paragraph: item.content[0] },
    ...(item.content[1] ? listToLines(item.content[1], depth + 1) : []),
  ]);
}

/** Return lines as lists, as deep as they may be. A change between numbered and not at depth 1 begins another list. */
export function linesToLists(lines) {
  const lists = [];
  let path = [];
  for (const one of lines) {
    const depth = Math.max(1, Math.min(one.depth, path.length + 1, LIST_DEPTH_MAX));
    path = path.slice(0, depth);
    if (depth === 1 && path.length && path[0].attrs.ordered !== one.ordered) path = [];
    if (path.length < depth) {
      const list = { type: "list", attrs: { ordered: one.ordered }, content: [] };
      if (depth === 1) lists.push(list);
      else path[depth - 2].content.at(-1).content.push(list);
      path.push(list);
    }
    path[depth - 1].content.push({ type: "item", content: [one.paragraph] });
  }
  return lists;
}

/** Return a body as the server stores it: NFC, one blank between words, no empty edges. For sending and comparing. */
export function normalizedBlocks(blocks) {
  return JSON.parse(JSON.stringify(blocks), (name, value) => {
    if (typeof value !== "string" || name === "url" || name === "media") return value;
    const text = value.normalize("NFC").replace(/[\u200b\u2060\ufeff\u00ad]/g, "");
    if (name !== "html" && Number.isNaN(Number(name))) return text.replace(/\s+/g, " ").trim();
    return text
      .replace(/[ \t\r\n\f]{2,}|[\t\r\n\f]/g, " ")
      .replace(/<(strong|em|sub|sup)>(\s*)<\/\1>/g, "$2")
      .replace(/^(\s|<br>)+|(\s|<br>)+$/g, "");
  });
}
