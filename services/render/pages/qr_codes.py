"""An address → its QR code as SVG. Pure.

segno makes one code of each length. All others of that length are made of it: a code is linear in the bits of its text,
so what differs between two texts, with its error correction and in its places, is what differs between their codes.
That takes an eighth of the time.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest
from operator import itemgetter

from segno import consts, encoder

MASK = 2
"""The pattern that suits most addresses best. Every reader reads each of the eight; to weigh them all would take four
fifths of the time of a code."""
BORDER = 4
LENGTHS_KEPT = 64
_DARK = re.compile("1+")
_FREE = 2
"""segno's mark of a module that has no value yet."""


def qr_code(url: str) -> str:
    """Return a QR code as SVG, dark on light also where the page is dark."""
    width, modules = qr_modules(url)
    size = width + 2 * BORDER
    dark = "".join(
        [
            f"M{found.start() - begin + BORDER} {row + BORDER}.5h{found.end() - found.start()}"
            for row, begin in enumerate(range(0, len(modules), width))
            for found in _DARK.finditer(modules, begin, begin + width)
        ]
    )
    return (
        f'<svg width="{4 * size}" height="{4 * size}"><g transform="scale(4)">'
        f'<path fill="#fff" d="M0 0h{size}v{size}H0z"/><path stroke="#000" d="{dark}"/></g></svg>'
    )


def qr_modules(text: str) -> tuple[int, str]:
    """Return how many modules a row of a text's code has, and all rows one after the other: "1" is dark.

    Raises:
        segno.DataOverflowError: the text is too long.
    """
    if text.isascii() and text != text.upper():  # segno writes other texts in other ways
        model = _model(len(text))
        return model.width, model.modules(text.encode())
    rows = _made(text).matrix
    return len(rows), "".join("".join(map(str, row)) for row in rows)


def _made(text: str) -> encoder.Code:
    return encoder.encode(text, error="m", micro=False, mask=MASK)


@dataclass(frozen=True)
class _Model:
    """A code of a length, of which the others of that length are made.

    Attributes:
        width: Modules of a row.
        text: What it says.
        code: Its modules as the bits of one number.
        begin: Bits before the text.
        blocks: Of each block: how many bytes of data, and of error correction.
        bits: Of data and error correction together.
        place: Puts these bits, as text, into their modules; all other modules are the "0" that follows them.
    """

    width: int
    text: bytes
    code: int
    begin: int
    blocks: Sequence[tuple[int, int]]
    bits: int
    place: Callable[[str], Iterable[str]]

    def modules(self, text: bytes) -> str:
        """Return the modules of a text of this length."""
        other = int.from_bytes(text) ^ int.from_bytes(self.text)
        size = sum(data for data, _ in self.blocks)
        stream = (other << 8 * (size - len(text)) - self.begin).to_bytes(size)
        words, corrections, begin = [], [], 0
        for data, correction in self.blocks:
            words.append(stream[begin : begin + data])
            corrections.append(_correction(words[-1], correction))
            begin += data
        in_turn = [one for column in chain(zip_longest(*words), zip(*corrections, strict=True)) for one in column]
        message = bytes(one for one in in_turn if one is not None)
        bits = f"{int.from_bytes(message):0{8 * len(message)}b}".ljust(self.bits + 1, "0")
        return f"{self.code ^ int(''.join(self.place(bits)), 2):0{self.width**2}b}"


@lru_cache(LENGTHS_KEPT)
def _model(length: int) -> _Model:
    text = "a" * length
    made = _made(text)
    width, bits = len(made.matrix), "".join("".join(map(str, row)) for row in made.matrix)
    infos = consts.ECC[made.version][made.error]
    blocks = [(one.num_data, one.num_total - one.num_data) for one in infos for _ in range(one.num_blocks)]
    begin = 12 if made.version < 10 else 20
    return _Model(width, text.encode(), int(bits, 2), begin, blocks, *_placement(made.version, width))


def _placement(version: int, width: int) -> tuple[int, Callable[[str], Iterable[str]]]:
    """Return how many bits a version has, and what puts them into modules: found out by segno with numbers for bits."""
    rows = [list(row) for row in encoder.make_matrix(width, width)]
    encoder.add_finder_patterns(rows, width, width)
    encoder.add_alignment_patterns(rows, width, width)
    bits = sum(row.count(_FREE) for row in rows)
    encoder.add_codewords(rows, range(_FREE + 1, _FREE + 1 + bits), version)
    return bits, itemgetter(*(bits if one <= _FREE else one - _FREE - 1 for row in rows for one in row))


def _correction(block: bytes, size: int) -> bytes:
    """Return the error correction of a block of data: the rest of a division of polynomials, byte by byte."""
    rests, rest, last = _rests(size), 0, 8 * (size - 1)
    mask = (1 << last) - 1
    for byte in block:
        rest = (rest & mask) << 8 ^ rests[rest >> last ^ byte]
    return rest.to_bytes(size)


@lru_cache(LENGTHS_KEPT)
def _rests(size: int) -> Sequence[int]:
    """Return what each value of the first byte leaves, for so many bytes of error correction."""
    exponents, logarithms, polynomial = consts.GALIOS_EXP, consts.GALIOS_LOG, consts.GEN_POLY[size]
    return [0, *(int.from_bytes(exponents[logarithms[one] + by] for by in polynomial) for one in range(1, 256))]
