"""The names of an article's states."""

from typing import get_args

from services.ingest.content.state_names import STATE_NAMES, name_within_sentence
from shared.articles import State
from shared.translations import LANGUAGES


def test_each_state_has_a_name_in_each_language() -> None:
    """Nothing but a state has a name, and no name is the state's own word."""
    assert STATE_NAMES.keys() == LANGUAGES.keys()
    for language, names in STATE_NAMES.items():
        assert names.keys() == set(get_args(State))
        assert len(set(names.values())) == len(names)
        assert names.keys().isdisjoint(names.values()), language


def test_name_within_a_sentence_begins_small() -> None:
    """It stands between other words; what is no state stays as it is."""
    assert name_within_sentence("in_review", "vi") == "chờ duyệt"
    assert name_within_sentence("published", "en") == "live"
    assert [name_within_sentence(text, "vi") for text in ("elsewhere", "")] == ["elsewhere", ""]
