"""The number of values in JSON text, counted before any of them takes memory. Pure."""

import re

# An unterminated string matches to the end, so that matching takes linear time.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_MARKS = (b",", b":", b"[", b"{")


def has_more_values(content: bytes, values_max: int) -> bool:
    """Return whether JSON has more values than a bound; its fields and containers count, too."""
    strings_max = (content.count(b'"') + 1) // 2
    if strings_max + sum(content.count(mark) for mark in _MARKS) <= values_max:  # an upper bound: texts contain commas
        return False
    count = begin = 0
    for string in _STRING.finditer(content):
        count += 1 + sum(content.count(mark, begin, string.start()) for mark in _MARKS)
        if count > values_max:
            return True
        begin = string.end()
    return count + sum(content.count(mark, begin) for mark in _MARKS) > values_max
