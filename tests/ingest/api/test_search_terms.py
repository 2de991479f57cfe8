"""The search of article lists: words and phrases → a tsquery."""

import pytest

from services.ingest.api.search_terms import search_query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Hải Hậu", "'hai' & 'hau':*"),
        ("Hải Hậu ", "'hai' & 'hau'"),
        ("đường", "'duong':*"),
        ('"chợ phiên"', "('cho' <-> 'phien')"),
        ('"chợ phiên" hải', "('cho' <-> 'phien') & 'hai':*"),
        ('hải "chợ phiên"', "'hai' & ('cho' <-> 'phien')"),
        ("“chợ phiên” «mở lại»", "('cho' <-> 'phien') & ('mo' <-> 'lai')"),
        ('"một"', "('mot')"),
        ('"dở dang', "'do' & 'dang':*"),
        ('a "b" "c d', "'a' & ('b') & 'c' & 'd':*"),
        ('""', ""),
        ('"', ""),
        ("", ""),
        ("   ", ""),
        ("&|!()<->:*'\\", ""),
        ("it's", "'it' & 's':*"),
        ("a&b", "'a' & 'b':*"),
        ("1,712", "'1' & '712':*"),
        ("x" * 255, f"'{'x' * 60}':*"),
        ("日本", "'日本':*"),
    ],
)
def test_search_query_of_text_is_words_and_phrases(text: str, query: str) -> None:
    """Operators and quotation marks of tsquery in the text are never those of the query."""
    assert search_query(text) == query
