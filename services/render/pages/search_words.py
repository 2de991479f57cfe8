"""A text → its words as the search compares them: one rule for the index, the query and the highlighted words. Pure.

`theme/search.js` has the same rules for the search of a static export; tests/data/search_words.json is run in both.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.text import fold_diacritics, fold_with_positions

WORD_CHARACTERS_MAX = 60
_TOKEN = re.compile(r"(?<!\d[.,])\d{1,3}(?:([.,\u00a0\u202f])\d{3})(?:\1\d{3})*(?!\d)|[^\W_]+")
"""A number with separated thousands is one word, and so is a run of letters and digits."""
_Y_FOR_I = re.compile(r"(?:h|k|l|m|s|t|qu)y\Z")
"""Syllables that are written with i, too: kỹ thuật, kĩ thuật."""
_OLD_TONE = re.compile(r"(?:o[àáảãạèéẻẽẹ]|(?<!q)u[ỳýỷỹỵ])\Z")
_NEW_TONES = {
    old: new
    for pair, tones in (("oa", "òóỏõọ"), ("oe", "òóỏõọ"), ("uy", "ùúủũụ"))
    for tone, old, new in zip(
        "\u0300\u0301\u0309\u0303\u0323",
        (unicodedata.normalize("NFC", pair + mark) for mark in "\u0300\u0301\u0309\u0303\u0323"),
        (letter + pair[1] for letter in tones),
        strict=True,
    )
}
"""oà is òa: both are in use, and keyboards differ."""
_TONES_OF_Y = str.maketrans("yỳýỷỹỵ", "iìíỉĩị")


class Word(NamedTuple):
    """A word: without diacritics, as it is written, and where it is."""

    folded: str
    marked: str
    begin: int
    end: int


def words(text: str) -> list[Word]:
    """Return the words of a text in their order, in lower case and in one spelling of those that Vietnamese has.

    "Hoà", "hòa" and the same in combining marks are one word, and so are 1.234.567 and 1234567.
    """
    return [Word(folded, marked(folded, text[begin:end]), begin, end) for folded, begin, end in folded_words(text)]


def folded_words(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the words of a text without diacritics, and where they are."""
    folded, positions = fold_with_positions(text)
    for match in _TOKEN.finditer(folded):
        word = match[0]
        if match[1]:
            word = word.replace(match[1], "")
        elif word.endswith("y") and _Y_FOR_I.match(word):
            word = word[:-1] + "i"
        yield word[:WORD_CHARACTERS_MAX], positions[match.start()], positions[match.end()]


def marked(folded: str, written: str) -> str:
    """Return a word with its diacritics, in the spelling that all compare; `folded` is the same without."""
    if written == folded or folded.isdigit():
        return folded
    if (abbreviation := _ABBREVIATIONS_MARKED.get(folded)) is not None:
        return abbreviation
    lower = unicodedata.normalize("NFC", written).replace("İ", "i").lower()  # lower() makes two characters of it
    if _OLD_TONE.search(lower):
        lower = lower[:-2] + _NEW_TONES[lower[-2:]]
    if folded.endswith("i") and lower[-1] in "yỳýỷỹỵ" and _Y_FOR_I.match(folded[:-1] + "y"):
        lower = lower[:-1] + lower[-1].translate(_TONES_OF_Y)
    return lower[:WORD_CHARACTERS_MAX]


def pairs(folded: Sequence[str]) -> list[str]:
    """Return each pair of neighbouring words, once, as "cho phien"."""
    return sorted({f"{first} {second}" for first, second in pairwise(folded)})


ABBREVIATIONS = {
    "atgt": "an toàn giao thông",
    "attp": "an toàn thực phẩm",
    "bhxh": "bảo hiểm xã hội",
    "bhyt": "bảo hiểm y tế",
    "cccd": "căn cước công dân",
    "cntt": "công nghệ thông tin",
    "gdđt": "giáo dục và đào tạo",
    "gpmb": "giải phóng mặt bằng",
    "gtvt": "giao thông vận tải",
    "hđnd": "hội đồng nhân dân",
    "htx": "hợp tác xã",
    "mttq": "mặt trận tổ quốc",
    "ntm": "nông thôn mới",
    "nvqs": "nghĩa vụ quân sự",
    "pccc": "phòng cháy chữa cháy",
    "sxh": "sốt xuất huyết",
    "tdtt": "thể dục thể thao",
    "thcs": "trung học cơ sở",
    "thpt": "trung học phổ thông",
    "tphcm": "thành phố Hồ Chí Minh",
    "ttxvn": "thông tấn xã Việt Nam",
    "ubnd": "ủy ban nhân dân",
}
"""Abbreviations that readers and authors use for the same thing."""
_ABBREVIATIONS_MARKED: dict[str, str] = {fold_diacritics(one): one for one in ABBREVIATIONS}
FULL_FORMS = {
    fold_diacritics(one): tuple(folded for folded, _, _ in folded_words(text)) for one, text in ABBREVIATIONS.items()
}
"""The words that each abbreviation stands for, without diacritics."""
_BY_FIRST_TWO: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = {}
for _abbreviation, _form in FULL_FORMS.items():
    _BY_FIRST_TWO.setdefault(_form[:2], []).append((_abbreviation, _form))


def full_forms(folded: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Yield where words are the full form of an abbreviation: begin, end, and the abbreviation without diacritics."""
    for begin, pair in enumerate(pairwise(folded)):
        for abbreviation, form in _BY_FIRST_TWO.get(pair, ()):
            if tuple(folded[begin : begin + len(form)]) == form:
                yield begin, begin + len(form), abbreviation


def abbreviation_marked(folded: str) -> str:
    """Return an abbreviation with its diacritics."""
    return _ABBREVIATIONS_MARKED[folded]


QUESTIONS = (
    "ai là", "là ai", "là gì", "là bao nhiêu", "là khi nào", "là ở đâu", "thì phải làm gì", "phải làm gì", "làm gì",
    "như thế nào", "như nào", "thế nào", "ra sao", "làm sao để", "làm sao", "làm thế nào để", "làm thế nào", "vì sao",
    "tại sao", "ở đâu", "khi nào", "bao giờ", "bao nhiêu", "bao lâu", "mấy giờ", "có phải", "phải không", "hay không",
    "được không", "cần những gì", "cần gì", "gồm những gì", "những gì", "xin hỏi", "cho hỏi",
)  # fmt: skip
"""What makes a question of a search; without diacritics too, as each has two words at least."""
FUNCTION_WORDS = (
    "ai gì đâu sao nào mấy là ở thì để cho của và các những được bị khi với về tại trong từ đến này đó tôi em mình cần "
    "phải muốn hỏi có không thế như theo"
)
"""Words that say little: a question is answered without them."""
QUESTION_WORDS = "gì nào sao đâu ai mấy"
"""A query of four words or more that ends with one of them is a question, if it is typed with diacritics."""


class _Questions:
    """The words of questions, as one spelling has them."""

    def __init__(self, key: Callable[[Word], str]) -> None:
        self.key = key
        self.phrases = sorted((self._keys(one) for one in QUESTIONS), key=len, reverse=True)
        self.function_words = frozenset(self._keys(FUNCTION_WORDS))
        self.last_words = frozenset(self._keys(QUESTION_WORDS))

    def _keys(self, text: str) -> tuple[str, ...]:
        return tuple(map(self.key, words(text)))


_FOLDED_QUESTIONS = _Questions(lambda word: word.folded)
_MARKED_QUESTIONS = _Questions(lambda word: word.marked)


def has_diacritics(found: Sequence[Word]) -> bool:
    """Return whether a query was typed with diacritics."""
    return any(word.marked != word.folded for word in found)


def without_question(found: Sequence[Word], *, ends_with_mark: bool) -> list[int]:
    """Return the indexes of the words of a query that an answer must have: all of them if it is no question.

    A question has one of the known phrases, or ends with a question mark. Its phrases and function words may be absent
    from the answer.
    """
    is_marked = has_diacritics(found)
    rules = _MARKED_QUESTIONS if is_marked else _FOLDED_QUESTIONS
    keys = [rules.key(word) for word in found]
    left, index = [], 0
    while index < len(keys):
        phrase = next((one for one in rules.phrases if tuple(keys[index : index + len(one)]) == one), ())
        if not phrase:
            left.append(index)
        index += len(phrase) or 1
    is_last = is_marked and len(keys) > 3 and keys[-1] in rules.last_words
    if len(left) == len(keys) and not (ends_with_mark or is_last):
        return left
    return [index for index in left if keys[index] not in rules.function_words] or left or list(range(len(keys)))
