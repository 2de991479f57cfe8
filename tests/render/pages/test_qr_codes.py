"""QR codes that are made of others of the same length: those of segno."""

import random
import string

import pytest
import segno

from services.render.pages.qr_codes import MASK, qr_modules

LENGTHS = (*range(1, 260, 3), 300, 700, 1_500, 2_331)


def of_segno(text: str) -> tuple[int, str]:
    rows = segno.make(text, error="m", micro=False, mask=MASK).matrix
    return len(rows), "".join("".join(map(str, row)) for row in rows)


@pytest.mark.parametrize("seed", [1, 2])
def test_qr_code_of_any_length_is_that_of_segno(seed: int) -> None:
    """Each version, level of error correction and division into blocks gives the modules of segno."""
    chosen = random.Random(seed)
    for length in LENGTHS:
        text = "".join(chosen.choices(string.ascii_letters + string.digits + "-./:%?=&", k=length - 1)) + "x"
        assert qr_modules(text) == of_segno(text), text


@pytest.mark.parametrize("text", ["HTTPS://A.EXAMPLE/1", "20261130", "https://hải-hậu.vn/", "点茗", "é"])
def test_qr_code_of_another_kind_of_text_is_that_of_segno(text: str) -> None:
    """Capitals alone, digits, and letters beyond ASCII are written in other ways, as segno chooses."""
    assert qr_modules(text) == of_segno(text)


def test_qr_code_of_a_text_that_is_too_long_is_refused() -> None:
    """No code is made of a part of an address."""
    with pytest.raises(segno.DataOverflowError):
        qr_modules("x" * 2_332)
