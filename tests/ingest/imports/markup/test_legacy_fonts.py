"""Text in fonts of before Unicode."""

import pytest

from services.ingest.imports.markup.legacy_fonts import detect, to_unicode, with_characters

TCVN3 = "S¸ng 5/3, bµ con c¸c x· ven biÓn ®· vÒ dù héi lµng rÊt ®«ng; ng\u00adêi d©n ®\u00adîc nghe"
UNICODE = "Sáng 5/3, bà con các xã ven biển đã về dự hội làng rất đông; người dân được nghe"
VNI = "Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam, Ñoäc laäp - Töï do, ngöôøi daân ñöôïc nghe, UÛy ban kyõ thuaät"
VNI_UNICODE = "Cộng hòa xã hội chủ nghĩa Việt Nam, Độc lập - Tự do, người dân được nghe, Ủy ban kỹ thuật"


def test_to_unicode_converts_tcvn3_and_vni() -> None:
    """Text of both fonts becomes what readers saw; soft hyphens of TCVN3 are letters."""
    assert (detect(TCVN3), to_unicode(TCVN3, "TCVN3")) == ("TCVN3", UNICODE)
    assert (detect(VNI), to_unicode(VNI, "VNI")) == ("VNI", VNI_UNICODE)


def test_to_unicode_keeps_markup() -> None:
    """Tags and their attributes are not converted."""
    assert to_unicode('<p title="µ">bµ</p>', "TCVN3") == '<p title="µ">bà</p>'


@pytest.mark.parametrize(
    "text",
    [
        UNICODE,
        "Café crème à la française, où êtes-vous déjà? Un garçon naïf à Noël, coöpération.",
        "El niño y la niña van mañana a España; el señor de Logroño compró piñas.",
        "Viettel® và FPT® dùng 5µm, 37°C ± 2, «trích dẫn», ½ lít, ©2024",
        "Tôi là Hoa, có bài thơ hay và dài, không có gì khó",
        "Toi la Hoa, co bai tho hay",
        "Größe, Übermut, façade, smörgåsbord, Ångström",
        "",
    ],
)
def test_detect_other_text_is_in_no_font(text: str) -> None:
    """Unicode text in any language is no text of a font, however often it is repeated."""
    assert detect(f"{text} " * 20) == ""


def test_with_characters_replaces_references_to_latin_characters() -> None:
    """Pages may have the characters of a font as references; others are kept."""
    assert with_characters("b&micro; c&#184;c &amp; &lt;p&gt; &#7871;") == "bµ c¸c &amp; &lt;p&gt; &#7871;"
