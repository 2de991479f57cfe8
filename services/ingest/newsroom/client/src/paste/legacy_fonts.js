/** Text in the fonts of before Unicode, TCVN3 (ABC) and VNI → Unicode: the rules of imports/markup/legacy_fonts.py. Pure. */

const TCVN3_FROM = "µ¸¶·¹¨»¾¼½Æ©ÇÊÈÉË®ÌÐÎÏÑªÒÕÓÔÖ×ÝØÜÞßãáâä«åèæçé¬êíëìîïóñòô\u00adõøö÷ùúýûüþ¡¢§£¤¥¦";
const TCVN3_TO = "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂĐÊÔƠƯ";
const TCVN3 = new Map([...TCVN3_FROM].map((from, index) => [from, [...TCVN3_TO][index]]));
const TCVN3_INSIDE = /[a-zA-Z][µ¸¶·¹¨»¾¼½©®ª«¬\u00ad×Þß÷þ]|[¨»¾¼½©®ª«¬\u00adµ¸¶·¹][a-zA-Z]/g;
const VNI_TONES = { ù: "\u0301", ø: "\u0300", û: "\u0309", õ: "\u0303", ï: "\u0323" };
const VNI_HATS = {
  â: ["\u0302", ""],
  á: ["\u0302", "\u0301"],
  à: ["\u0302", "\u0300"],
  å: ["\u0302", "\u0309"],
  ã: ["\u0302", "\u0303"],
  ä: ["\u0302", "\u0323"],
  ê: ["\u0306", ""],
  é: ["\u0306", "\u0301"],
  è: ["\u0306", "\u0300"],
  ú: ["\u0306", "\u0309"],
  ü: ["\u0306", "\u0303"],
  ë: ["\u0306", "\u0323"],
};
const VNI_SINGLE = { ñ: "đ", ô: "ơ", ö: "ư", í: "í", ì: "ì", æ: "ỉ", ó: "ĩ", ò: "ị", î: "ỵ" };
const VNI_PAIR = /[aeouyôöAEOUYÔÖ][ùøûõïâáàåãäêéèúüëÙØÛÕÏÂÁÀÅÃÄÊÉÈÚÜË]|[ñôöíìæóòîÑÔÖÍÌÆÓÒÎ]/g;
const VNI_INSIDE = /[aAeEoO][âáàåãäùøûïÂÁÀÅÃÄÙØÛÏ](?![a-z]*[ăơưđ])|ö[ôùøûõï]|ñ[aeiouôö]/g;
const UNICODE_LETTER = /[ăơưđĂƠƯĐ\u1ea0-\u1ef9]/g;
const WORD = /\p{L}[\p{L}\p{N}_\u00ad©®ª«¬µ¶·¸¹»¼½¾¨]*/gu;
const SIGNS_MIN = 4;
const SHARES_MIN = [
  ["TCVN3", TCVN3_INSIDE, 0.12],
  ["VNI", VNI_INSIDE, 0.25],
];
const SAMPLE_CHARACTERS = 200_000;

/** Return "TCVN3" or "VNI" for a text in such a font; "" for any other text. */
export function detectFont(text) {
  const sample = text.slice(0, SAMPLE_CHARACTERS);
  const words = Math.max(1, sample.match(WORD)?.length ?? 0);
  if ((sample.match(UNICODE_LETTER)?.length ?? 0) * 20 > words) return "";
  for (const [name, pattern, share] of SHARES_MIN) {
    const found = sample.match(pattern) ?? [];
    if (new Set(found).size >= SIGNS_MIN && found.length >= share * words) return name;
  }
  return "";
}

/** Return the encoding of a font by its name: ".VnTime" is TCVN3, "VNI-Times" is VNI; "" for others. */
export function fontEncoding(family) {
  if (/^["'\s]*\.Vn/i.test(family)) return "TCVN3";
  return /^["'\s]*VNI-/i.test(family) ? "VNI" : "";
}

/** Return whether a font of TCVN3 draws small letters as capitals: ".VnTimeH". */
export const isCapitalFont = (family) => /^["'\s]*\.Vn\w*H\b/.test(family);

/** Return text in a font as Unicode. */
export function toUnicode(text, font) {
  if (font === "TCVN3") return text.replace(/[\u00a1-\u00ff]/g, (one) => TCVN3.get(one) ?? one).replaceAll("\u00ad", "ư");
  return text.replace(VNI_PAIR, vniLetter).normalize("NFC");
}

const isCapital = (letter) => letter !== letter.toLowerCase();
const inCase = (letter, model) => (isCapital(model) ? letter.toUpperCase() : letter);

function vniLetter(letters) {
  if (letters.length === 1) return inCase(VNI_SINGLE[letters.toLowerCase()], letters);
  let [base] = letters;
  const mark = letters[1].toLowerCase();
  const known = VNI_SINGLE[base.toLowerCase()];
  if (known) base = inCase(known, base);
  if (VNI_TONES[mark]) return base + VNI_TONES[mark];
  const [hat, tone] = VNI_HATS[mark];
  const possible = (hat === "\u0302" ? "aeo" : "a").includes(base.toLowerCase());
  return possible ? base + hat + tone : letters;
}
