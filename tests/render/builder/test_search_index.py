"""The words by which an article is found."""

from typing import Any

import msgspec

from services.render.builder.search_index import POSITION_MAX, search_terms
from services.render.pages.theme_check import sample_article
from shared.articles import Paragraph


def article(**fields: Any) -> Any:
    empty = {"kicker": "", "subtitle": "", "lead": "", "tags": [], "body": [], "lead_image": None}
    return msgspec.structs.replace(sample_article("tin"), source=None, authors=[], **{**empty, **fields})


def test_search_terms_have_both_spellings_and_weights() -> None:
    """Words have the weight of their place, with and without diacritics; a line does not run into the next."""
    terms = search_terms(article(title="Chợ Cồn", lead="Đông vui", tags=["Chợ"], body=[Paragraph("Vui quá")]))
    assert (terms.title, terms.title_words) == ("cho con", "'cho':1A 'con':2A")
    assert terms.words == "'cho':1A,7C 'con':2A 'dong':4B 'vui':5B,9 'qua':10"
    assert terms.marked_words == "'chợ':1A,7C 'cồn':2A 'đông':4B 'vui':5B,9 'quá':10"
    assert set(terms.terms) == {"=cho con", "cho con", "dong vui", "vui qua", "chợ", "cồn", "đông", "vui", "quá"}


def test_search_terms_have_abbreviations_of_full_forms() -> None:
    """The full form of an abbreviation is found by it, also next to the words before and after it."""
    terms = search_terms(article(title="Họp Ủy ban nhân dân huyện"))
    assert "'ubnd':2A,5A" in terms.words
    assert {"hop ubnd", "ubnd huyen", "uy ban", "dan huyen", "ubnd"} <= set(terms.terms)


def test_search_terms_of_long_article_are_within_postgres_limits() -> None:
    """Positions and their number stay within what a vector has."""
    terms = search_terms(article(title="Dài", body=[Paragraph("muối " * 20_000 + "hết")]))
    places = terms.words.split("'muoi':")[1].split()[0].split(",")
    assert len(places) == 255
    assert f"'het':{POSITION_MAX}" in terms.words
