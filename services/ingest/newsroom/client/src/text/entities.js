/** Character references of HTML → characters: numbers, Latin-1 and the typographic names that programs write. Pure. */

const LATIN_1 =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para " +
  "middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute " +
  "Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute " +
  "THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde " +
  "ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
const NAMES = new Map(LATIN_1.split(" ").map((name, index) => [name, String.fromCharCode(0xa0 + index)]));
for (const [name, code] of Object.entries({
  amp: 38, lt: 60, gt: 62, quot: 34, apos: 39, ndash: 0x2013, mdash: 0x2014, lsquo: 0x2018, rsquo: 0x2019, sbquo: 0x201a,
  ldquo: 0x201c, rdquo: 0x201d, bdquo: 0x201e, bull: 0x2022, hellip: 0x2026, prime: 0x2032, euro: 0x20ac, trade: 0x2122,
  larr: 0x2190, rarr: 0x2192, ensp: 0x2002, emsp: 0x2003, thinsp: 0x2009, zwnj: 0x200c, zwj: 0x200d, minus: 0x2212,
  ge: 0x2265, le: 0x2264, ne: 0x2260, infin: 0x221e, oelig: 0x153, OElig: 0x152, scaron: 0x161, Scaron: 0x160,
})) NAMES.set(name, String.fromCharCode(code));
const REFERENCE = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z][A-Za-z0-9]{1,7}));?/g;

/** Return a text with its references replaced; unknown ones stay as they are. */
export function decodeEntities(text) {
  if (!text.includes("&")) return text;
  return text.replace(REFERENCE, (whole, decimal, hex, name) => {
    if (name) return NAMES.get(name) ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
    return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : whole;
  });
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

/** Return text as HTML, escaped as Python's html.escape(quote=False). */
export const escapeText = (text) => text.replace(/[&<>]/g, (one) => ESCAPES[one]);

/** Return the value of an attribute as HTML, escaped as Python's html.escape. */
export const escapeAttribute = (text) => text.replace(/[&<>"']/g, (one) => ESCAPES[one]);
