"""Two texts → which words are equal, inserted or deleted. Pure."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

TOKENS_MAX = 4_000_000
"""The product of the words of two texts: beyond it, only their beginning and end are compared."""
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


class Segment(msgspec.Struct, frozen=True):
    """A run of text."""

    kind: Literal["equal", "inserted", "deleted"]
    text: str


def compare_texts(before: str, after: str) -> list[Segment]:
    """Return the words of two texts, as runs of what is equal, deleted or inserted."""
    one, other = _TOKEN.findall(before), _TOKEN.findall(after)
    begin = _common(one, other)
    end = _common(one[begin:][::-1], other[begin:][::-1])
    middle, new = one[begin : len(one) - end], other[begin : len(other) - end]
    if len(middle) * len(new) > TOKENS_MAX:
        changes = [("replace", 0, len(middle), 0, len(new))]
    else:
        changes = list(SequenceMatcher(None, middle, new, autojunk=False).get_opcodes())
    runs: list[tuple[Literal["equal", "inserted", "deleted"], str]] = [("equal", "".join(one[:begin]))]
    for name, start, stop, new_start, new_stop in changes:
        if name == "equal":
            runs.append(("equal", "".join(middle[start:stop])))
            continue
        runs += [("deleted", "".join(middle[start:stop])), ("inserted", "".join(new[new_start:new_stop]))]
    runs.append(("equal", "".join(one[len(one) - end :]) if end else ""))
    return _joined([run for run in runs if run[1]])


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (left, right) in pairs if left != right), min(len(one), len(other)))


def _joined(runs: Sequence[tuple[Literal["equal", "inserted", "deleted"], str]]) -> list[Segment]:
    """Join neighbours of one kind."""
    found: list[Segment] = []
    for kind, text in runs:
        if found and found[-1].kind == kind:
            found[-1] = Segment(kind, found[-1].text + text)
        else:
            found.append(Segment(kind, text))
    return found
