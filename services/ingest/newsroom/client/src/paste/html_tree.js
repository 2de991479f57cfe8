/**
 * HTML of the clipboard → tree. Pure, without a DOM: nothing of it is ever given to the browser's parser.
 *
 * It reads what word processors and browsers write, closes what is left open, and never fails. Elements are
 * {tag, attributes, children}; comments, declarations and conditional comments are not in the tree.
 */

import { decodeEntities } from "../text/entities.js";

const VOID = new Set("area base br col embed hr img input link meta param source track wbr".split(" "));
const RAW = new Set(["script", "style", "textarea", "title", "xmp", "noscript", "iframe", "noembed", "noframes"]);
const DEPTH_MAX = 200;
/** Elements that end when one of the others begins; they do not end beyond `within`. */
const IMPLIED = [
  { ends: ["li"], begin: ["li"], within: ["ul", "ol"] },
  { ends: ["dt", "dd"], begin: ["dt", "dd"], within: ["dl"] },
  { ends: ["td", "th"], begin: ["td", "th", "tr", "tbody", "thead", "tfoot"], within: ["table"] },
  { ends: ["tr"], begin: ["tr", "tbody", "thead", "tfoot"], within: ["table"] },
  { ends: ["tbody", "thead", "tfoot"], begin: ["tbody", "thead", "tfoot"], within: ["table"] },
  { ends: ["option"], begin: ["option"], within: ["select"] },
  {
    ends: ["p"],
    begin: "p div ul ol dl table blockquote pre hr h1 h2 h3 h4 h5 h6 section article figure header footer".split(" "),
    within: ["td", "th", "li", "div", "blockquote", "table", "body"],
  },
];
const TOKEN = /<!--[\s\S]*?(?:-->|$)|<[!?][^>]*>|<\/([a-zA-Z][^\s/>]*)[^>]*>|<([a-zA-Z][^\s/>]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>/g;
const ATTRIBUTE = /([^\s=/"'>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g;

/** Return the tree of a text of HTML; of a clipboard with fragment marks, the part between them. */
export function parseHtml(html) {
  const root = { tag: "body", attributes: {}, children: [] };
  const open = [root];
  const styles = [];
  const fragment = /<!--\s*StartFragment\s*-->([\s\S]*?)<!--\s*EndFragment\s*-->/i.exec(html);
  // Excel's fragment is the inside of a table: without the table, its rows would be text.
  if (fragment && !/^\s*<(?:col|colgroup|t[dhr]|tbody|thead)\b/i.test(fragment[1])) {
    for (const [, css] of html.matchAll(/<style[^>]*>([\s\S]*?)<\/style>/gi)) styles.push(css);
    html = fragment[1];
  }
  const text = (content) => {
    if (content) open.at(-1).children.push(decodeEntities(content));
  };
  let position = 0;
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(html); token; token = TOKEN.exec(html)) {
    text(html.slice(position, token.index));
    position = TOKEN.lastIndex;
    if (token[1]) close(open, token[1].toLowerCase());
    else if (token[2]) {
      const tag = token[2].toLowerCase();
      const node = { tag, attributes: attributesOf(token[3]), children: [] };
      end(open, tag);
      open.at(-1).children.push(node);
      if (RAW.has(tag)) {
        const rest = html.slice(position);
        const found = rest.search(new RegExp(`</${tag}`, "i"));
        const inside = found < 0 ? rest : rest.slice(0, found);
        if (tag === "style") styles.push(inside);
        else node.children.push(tag === "textarea" ? decodeEntities(inside) : inside);
        position += inside.length;
        TOKEN.lastIndex = position;
        if (found >= 0) open.push(node);
      } else if (!VOID.has(tag) && !token[3].endsWith("/") && open.length < DEPTH_MAX) open.push(node);
    }
  }
  text(html.slice(position));
  return { root, styles: styles.join("\n") };
}

function attributesOf(source) {
  const found = {};
  for (const [, name, double, single, bare] of source.matchAll(ATTRIBUTE)) {
    found[name.toLowerCase()] ??= decodeEntities(double ?? single ?? bare ?? "");
  }
  return found;
}

function close(open, tag) {
  for (let at = open.length - 1; at > 0; at -= 1) {
    if (open[at].tag === tag) {
      open.length = at;
      return;
    }
    if (["td", "th", "table"].includes(open[at].tag) && !["table", "tr", "tbody", "thead", "tfoot"].includes(tag)) return;
  }
}

function end(open, tag) {
  for (const { ends, begin, within } of IMPLIED) {
    if (!begin.includes(tag)) continue;
    for (let at = open.length - 1; at > 0 && !within.includes(open[at].tag); at -= 1) {
      if (ends.includes(open[at].tag)) {
        open.length = at;
        break;
      }
    }
  }
}
