/** A picture as the line that forms have without scripts: `![alt](media:ID "caption"){credit="…"}`. As markdown.py reads it. Pure. */

const PICTURE = /^!\[((?:[^\]\\\n]|\\.)*)\]\(([^\s"<>]+)(?: "((?:[^"\\\n]|\\.)*)")?\)(?:\{((?:[^{}"\n]|"(?:[^"\\\n]|\\.)*")*)\})?$/u;
const FENCED = /^```block[ \t]*\n([^]*?)\n```[ \t]*$/;
const STORED = "media:";
const SIMPLE = /^[^\s()"<>\\]+$/; // any other address is not the same in all kinds of Markdown

const plain = (text) => text.replace(/\\(.)/gu, "$1");
const escaped = (text, end) => text.replaceAll("\\", "\\\\").replaceAll(end, `\\${end}`);

function more(text) {
  const found = {};
  for (const [, name, value] of text.matchAll(/(credit|focus)="((?:[^"\\]|\\.)*)"/gu)) found[name] = plain(value);
  return found;
}

/** Return {caption, credit, image} of a line, or null if it is not one picture. Of a stored picture, `image` has no address. */
export function parsePicture(line) {
  const fenced = FENCED.exec(line.trim());
  if (fenced) return ofBlock(fenced[1]);
  const found = PICTURE.exec(line.trim());
  if (!found) return null;
  const [, alt, target, caption = "", rest = ""] = found;
  const { credit = "", focus = "" } = more(rest);
  const point = /^([01](?:\.\d+)?),([01](?:\.\d+)?)$/.exec(focus);
  const image = { alt: plain(alt), focus: point ? { x: Number(point[1]), y: Number(point[2]) } : null };
  if (target.startsWith(STORED)) image.media = target.slice(STORED.length);
  else if (/^(\/|https?:)/.test(target)) image.url = target;
  else return null;
  return { caption: plain(caption), credit, image };
}

function ofBlock(text) {
  try {
    const { type, caption = "", credit, image } = JSON.parse(text);
    return type === "figure" && image ? { caption, credit: credit ?? "", image } : null;
  } catch {
    return null;
  }
}

/** Return the line of a picture. */
export function formatPicture({ caption, credit, image }) {
  const { alt, focus, media, url } = image;
  const rest = [];
  if (credit) rest.push(`credit="${escaped(credit, '"')}"`);
  if (focus) rest.push(`focus="${focus.x},${focus.y}"`);
  const shown = caption ? ` "${escaped(caption, '"')}"` : "";
  const line = `![${escaped(alt, "]")}](${media ? STORED + media : url}${shown})${rest.length ? `{${rest.join(" ")}}` : ""}`;
  return SIMPLE.test(media ?? url) && parsePicture(line) ? line : `\`\`\`block\n${JSON.stringify({ type: "figure", caption, credit: credit || null, image })}\n\`\`\``;
}
