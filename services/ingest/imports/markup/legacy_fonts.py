"""Vietnamese text in the fonts of before Unicode, TCVN3 (ABC) and VNI → Unicode. Pure.

Such text has Latin-1 characters that the fonts .VnTime and VNI-Times draw as Vietnamese letters: "Céng hßa" is "Cộng
hòa". It is recognised by characters inside of words that no other text has there. Soft hyphens of TCVN3 are letters.
"""

import html
import re
import unicodedata

from services.ingest.content.normalization import without_long_marks

_TCVN3 = str.maketrans(
    "µ¸¶·¹¨»¾¼½Æ©ÇÊÈÉË®ÌÐÎÏÑªÒÕÓÔÖ×ÝØÜÞßãáâä«åèæçé¬êíëìîïóñòô\u00adõøö÷ùúýûüþ¡¢§£¤¥¦",
    "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂĐÊÔƠƯ",
)
_TCVN3_INSIDE = re.compile("[a-zA-Z][µ¸¶·¹¨»¾¼½©®ª«¬\u00ad×Þß÷þ]|[¨»¾¼½©®ª«¬\u00adµ¸¶·¹][a-zA-Z]")
_VNI_TONES = {"ù": "\u0301", "ø": "\u0300", "û": "\u0309", "õ": "\u0303", "ï": "\u0323"}
_VNI_HATS = {
    "â": ("\u0302", ""),
    "á": ("\u0302", "\u0301"),
    "à": ("\u0302", "\u0300"),
    "å": ("\u0302", "\u0309"),
    "ã": ("\u0302", "\u0303"),
    "ä": ("\u0302", "\u0323"),
    "ê": ("\u0306", ""),
    "é": ("\u0306", "\u0301"),
    "è": ("\u0306", "\u0300"),
    "ú": ("\u0306", "\u0309"),
    "ü": ("\u0306", "\u0303"),
    "ë": ("\u0306", "\u0323"),
}
_VNI_SINGLE = {"ñ": "đ", "ô": "ơ", "ö": "ư", "í": "í", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}
_VNI_PAIR = re.compile("[aeouyôöAEOUYÔÖ][ùøûõïâáàåãäêéèúüëÙØÛÕÏÂÁÀÅÃÄÊÉÈÚÜË]|[ñôöíìæóòîÑÔÖÍÌÆÓÒÎ]")
_VNI_INSIDE = re.compile("[aAeEoO][âáàåãäùøûïÂÁÀÅÃÄÙØÛÏ](?![a-z]*[ăơưđ])|ö[ôùøûõï]|ñ[aeiouôö]")
_UNICODE_LETTER = re.compile("[ăơưđĂƠƯĐ\u1ea0-\u1ef9]")
_WORD = re.compile(r"[^\W\d_][\w\u00ad©®ª«¬µ¶·¸¹»¼½¾¨]*")
_REFERENCE = re.compile(r"&(?:#(\d{3})|#x([a-fA-F]\w)|([A-Za-z]{3,6}));")
_TAG = re.compile(r"<[^<>]*>")
SIGNS_MIN = 4
"""Different signs of a font that a text must have: one of them may be in any text."""
SHARES_MIN = {"TCVN3": 0.12, "VNI": 0.25}
"""Signs for each word: nearly each Vietnamese word has one, few French ones have."""
SAMPLE_CHARACTERS = 200_000


def detect(text: str) -> str:
    """Return "TCVN3" or "VNI" for a text in such a font; "" for any other text."""
    sample = text[:SAMPLE_CHARACTERS]
    if sample.isascii():
        return ""
    sample = _TAG.sub(" ", sample)
    if len(_UNICODE_LETTER.findall(sample)) * 20 > len(sample.split()):  # nearly each text of today, quickly
        return ""
    words = max(1, len(_WORD.findall(sample)))
    if len(_UNICODE_LETTER.findall(sample)) * 20 > words:
        return ""
    for name, pattern in (("TCVN3", _TCVN3_INSIDE), ("VNI", _VNI_INSIDE)):
        signs = pattern.findall(sample)
        if len(set(signs)) >= SIGNS_MIN and len(signs) >= SHARES_MIN[name] * words:
            return name
    return ""


def with_characters(text: str) -> str:
    """Return HTML with the references to Latin-1 characters as these characters."""

    def character(found: re.Match[str]) -> str:
        one = html.unescape(found[0])
        return one if len(one) == 1 and 0xA1 <= ord(one) <= 0xFF else found[0]

    return _REFERENCE.sub(character, text)


def to_unicode(text: str, font: str) -> str:
    """Return text in a font as Unicode; markup is kept."""
    parts = re.split(r"(<[^<>]*>)", text)
    convert = _from_tcvn3 if font == "TCVN3" else _from_vni
    return "".join(part if number % 2 else convert(part) for number, part in enumerate(parts))


def _from_tcvn3(text: str) -> str:
    return text.translate(_TCVN3)


def _from_vni(text: str) -> str:
    return unicodedata.normalize("NFC", without_long_marks(_VNI_PAIR.sub(_vni_letter, text)))


def _vni_letter(found: re.Match[str]) -> str:
    letters = found[0]
    if len(letters) == 1:
        known = _VNI_SINGLE[letters.lower()]
        return known.upper() if letters.isupper() else known
    base, mark = letters[0], letters[1].lower()
    if base.lower() in _VNI_SINGLE:  # ơ and ư
        known = _VNI_SINGLE[base.lower()]
        base = known.upper() if base.isupper() else known
    if mark in _VNI_TONES:
        return base + _VNI_TONES[mark]
    hat, tone = _VNI_HATS[mark]
    is_possible = (hat == "\u0302" and base.lower() in "aeo") or (hat == "\u0306" and base.lower() == "a")
    return base + hat + tone if is_possible else letters
