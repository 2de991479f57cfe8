/** The addresses that an article may have: the rules of services/ingest/content/blocks.py and shared/embeds.py. Pure. */

import { URL_CHARACTERS_MAX } from "./limits.js";

// Python's \s, and what a browser would drop from the middle of a scheme.
const FORBIDDEN = /[\s\\\x00-\x1f\x7f\x85]/u;
const VIDEOS = [
  ["youtube", /^https:\/\/(?:www\.)?youtube(?:-nocookie)?\.com\/(?:embed\/|watch\?v=)([\w-]{6,40})/],
  ["youtube", /^https:\/\/youtu\.be\/([\w-]{6,40})/],
  ["vimeo", /^https:\/\/(?:player\.)?vimeo\.com\/(?:video\/)?(\d{4,20})/],
];

/** Return a valid target of a link (http, https, mailto, tel, a path or a fragment), else null. */
export function linkUrl(url) {
  url = String(url ?? "").trim();
  if (!url || url.length > URL_CHARACTERS_MAX || FORBIDDEN.test(url)) return null;
  if (url.startsWith("//")) url = `https:${url}`;
  if (/^[/#]/.test(url) || /^(mailto|tel):/i.test(url)) return url;
  if (!/^https?:\/\/[^/?#]/i.test(url)) return null;
  try {
    return new URL(url).hostname ? url : null;
  } catch {
    return null;
  }
}

/** Return a valid address of an image or a file (http, https or a path), else null. */
export function imageUrl(url) {
  const target = linkUrl(url);
  return target && /^(\/|https?:)/i.test(target) ? target : null;
}

/** Return what a person typed as a target of a link: "baonamdinh.vn/a" is an address without its scheme. */
export function typedUrl(text) {
  text = text.trim();
  if (/^[\w.+-]+@[\w-]+(\.[\w-]+)+$/.test(text)) return linkUrl(`mailto:${text}`);
  if (/^([\w-]+\.)+[a-z]{2,}([/?#:]|$)/i.test(text)) return linkUrl(`https://${text}`);
  return linkUrl(text);
}

/** Return {provider, id} of the page of a video; null if its platform is not allowed. */
export function parseEmbed(url) {
  for (const [provider, pattern] of VIDEOS) {
    const found = pattern.exec(url.trim());
    if (found) return { provider, id: found[1] };
  }
  return null;
}

/** Return the address of a video's page. */
export const embedUrl = ({ provider, id }) =>
  provider === "youtube" ? `https://www.youtube.com/watch?v=${id}` : `https://vimeo.com/${id}`;
