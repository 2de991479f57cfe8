"""The text of PDFs that Chromium prints, page by page, with the place where each piece begins."""

import re
import zlib
from dataclasses import dataclass

_OBJECT = re.compile(rb"(\d+) 0 obj\s*(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_TOKEN = re.compile(rb"<([0-9A-Fa-f]*)>|\[|\]|/([\w.]+)|(-?\d*\.?\d+)|([A-Za-z'\"*]+)")
Matrix = tuple[float, float, float, float, float, float]
UNIT: Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(frozen=True)
class PdfPage:
    """A printed page: its size in points, and its pieces of text with the place where each begins."""

    width: float
    height: float
    pieces: list[tuple[float, float, str]]

    @property
    def text(self) -> str:
        """All text without spaces: a print has none at the ends of lines."""
        return "".join("".join(piece for _, _, piece in self.pieces).split())

    @property
    def lines(self) -> list[str]:
        """The text of each line, without spaces; cells beside each other are one line."""
        lines: list[str] = []
        above = None
        for _, y, piece in self.pieces:
            if above is None or abs(y - above) > 1:
                lines.append("")
            lines[-1] += "".join(piece.split())
            above = y
        return lines

    def begins_outside(self) -> list[str]:
        """Return the pieces that begin beyond the paper."""
        return [
            text for x, y, text in self.pieces if text.strip() and not (0 <= x < self.width and 0 <= y < self.height)
        ]


def _times(a: Matrix, b: Matrix) -> Matrix:
    return (
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4],
        a[4] * b[1] + a[5] * b[3] + b[5],
    )


def _stream(content: bytes) -> bytes:
    found = _STREAM.search(content)
    assert found, content[:200]
    if b"/FlateDecode" not in content[: found.start()]:
        return found[1]
    return zlib.decompressobj().decompress(found[1])  # ignores the end of line after the data


def _letters(cmap: bytes) -> dict[int, str]:
    """Return the letters of a font's glyphs."""
    found = {}
    for part in re.findall(rb"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
        for code, text in re.findall(rb"<(\w+)>\s*<(\w+)>", part):
            found[int(code, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for part in re.findall(rb"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
        for begin, end, text in re.findall(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>", part):
            first = bytes.fromhex(text.decode()).decode("utf-16-be")
            for code in range(int(begin, 16), int(end, 16) + 1):
                found[code] = first[:-1] + chr(ord(first[-1]) + code - int(begin, 16))
    return found


def _pieces(content: bytes, fonts: dict[str, dict[int, str]]) -> list[tuple[float, float, str]]:
    pieces: list[tuple[float, float, str]] = []
    here, stack, text, font = UNIT, list[Matrix](), UNIT, dict[int, str]()
    numbers: list[float] = []
    name, shown = "", ""
    for hexes, named, number, operator in _TOKEN.findall(content):
        if number:
            numbers.append(float(number))
        elif named:
            name = named.decode()
        elif operator == b"q":
            stack.append(here)
        elif operator == b"Q":
            here = stack.pop()
        elif operator == b"cm":
            here = _times(tuple(numbers[-6:]), here)  # type: ignore[arg-type]
        elif operator == b"Tf":
            font = fonts.get(name, {})
        elif operator == b"Tm":
            text = tuple(numbers[-6:])  # type: ignore[assignment]
        elif operator in (b"Tj", b"TJ"):
            at = _times(text, here)
            pieces.append((at[4], at[5], shown))
            shown = ""
        elif hexes:
            shown += "".join(font.get(int(hexes[i : i + 4], 16), "") for i in range(0, len(hexes), 4))
        if operator:
            numbers = []
    return pieces


def pdf_pages(pdf: bytes) -> list[PdfPage]:
    """Return the pages of a PDF as Chromium writes it: without object streams, its text as hexadecimal glyphs."""
    objects = {int(number): content for number, content in _OBJECT.findall(pdf)}
    pages = []
    for _, content in sorted(objects.items()):
        if not re.search(rb"/Type\s*/Page\b", content):
            continue
        box = re.search(rb"/MediaBox\s*\[([^\]]*)\]", content)
        body = re.search(rb"/Contents\s+(\d+)", content)
        assert box
        assert body
        resources = re.search(rb"/Resources\s+(\d+) 0 R", content)
        named = objects[int(resources[1])] if resources else content
        fonts = {}
        for name, number in re.findall(rb"/(F\d+)\s+(\d+) 0 R", named):
            unicode = re.search(rb"/ToUnicode\s+(\d+)", objects[int(number)])
            fonts[name.decode()] = _letters(_stream(objects[int(unicode[1])])) if unicode else {}
        size = [float(one) for one in box[1].split()]
        pages.append(PdfPage(size[2], size[3], _pieces(_stream(objects[int(body[1])]), fonts)))
    return pages
