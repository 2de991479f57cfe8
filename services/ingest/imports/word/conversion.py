"""Converts a Word document to HTML: `python -m services.ingest.imports.word.conversion FILE FOLDER`.

It runs in a process of its own with bounds on memory and processor time: the document is unpacked, and read as a tree.
Nothing outside of the document is ever opened: no linked picture, no template, no entity.
"""

import hashlib
import io
import re
import resource
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.parsers import expat

import mammoth
import msgspec
from lxml import etree
from mammoth.documents import Text

from services.ingest.files.archive import check_archive
from services.ingest.files.rules import DOCX, FileError
from services.ingest.imports.markup.legacy_fonts import to_unicode
from services.ingest.imports.word.preparation import HIDDEN, PREFIXES, READINGS, STRUCK, prepare

MEMORY_BYTES_MAX = 1_500_000_000
CPU_SECONDS_MAX = 60
XML_BYTES_MAX = 32 * 1024**2
"""Of a part of the document that is read as a tree."""
XML_ELEMENTS_MAX = 400_000
XML_DEPTH_MAX = 120
RECURSION_MAX = 20_000
IMAGE_BYTES_MAX = 20 * 1024**2
IMAGES_BYTES_MAX = 200 * 1024**2
IMAGES_MAX = 500
MESSAGES_MAX = 30
IMAGE_PREFIX = "https://embedded.invalid/"
"""Where the HTML refers to the pictures of the document: a name that no host can have (RFC 6761)."""
_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='caption'] => p.caption:fresh
p[style-name='Caption'] => p.caption:fresh
p[style-name='Quote'] => blockquote > p:fresh
p[style-name='Intense Quote'] => blockquote > p:fresh
p[style-name='Body Text'] => p:fresh
p[style-name='Body Text Indent'] => p:fresh
p[style-name='No Spacing'] => p:fresh
p[style-name='Normal (Web)'] => p:fresh
p[style-name='List Paragraph'] => p:fresh
r[style-name='Hyperlink'] =>
r[style-name='Emphasis'] => em
r[style-name='Strong'] => strong
"""
_MARGINS = "margins"
_LOST = (
    ("comment", "w:commentReference", "{count} comments were left out"),
    ("comment", "w:del", "{count} tracked deletions were left out: the text is as if they were accepted"),
    ("comment", "w:ins", "{count} tracked insertions were accepted"),
    ("comment", "w:moveFrom", "{count} tracked moves were accepted"),
    ("field", "w:txbxContent", "the text of {count} text boxes is after the paragraph at which they are anchored"),
    ("field", "m:oMath", "{count} equations were left out; add them as pictures"),
    ("field", "c:chart", "{count} charts were left out; add them as pictures"),
    ("field", "dgm:relIds", "{count} diagrams were left out; add them as pictures"),
    ("file", "w:object", "{count} embedded objects were left out"),
    ("field", "w:ffData", "{count} form fields were left out"),
    ("field", "w:altChunk", "{count} inserted files were left out; save the document in Word again"),
    ("field", HIDDEN, "{count} runs of hidden text were left out"),
    ("text", STRUCK, "{count} runs of text were struck through: their words are there without the line; check them"),
    ("text", READINGS, "{count} readings above characters (ruby) are in brackets after them"),
    ("field", _MARGINS, "the text of {count} page headers and footers was left out"),
)
_TEXT_PARTS = ("document", "footnotes", "endnotes")
"""Root elements of the parts whose text an article gets."""
_READ_AS_TREES = ("officeDocument", "styles", "numbering", "footnotes", "endnotes", "comments")
"""Types of relationships to parts that the conversion reads."""
_NO_PICTURE = "a picture was left out: it is linked or missing, not in the document"
_STYLE = re.compile(r"^Unrecognised (paragraph|run|table) style: (.*)$")
_NOTE = re.compile(r'<sup><a href="#(?:[a-z]*-)?(?:footnote|endnote)-[^"]*"[^>]*>(\[\d+\])</a></sup>')
_BACK = re.compile(r'\s*<a href="#(?:[a-z]*-)?(?:footnote|endnote)-ref-[^"]*">↑</a>')
_ANCHOR = re.compile(r'<a href="#[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
_CAPTION = re.compile(r'<p>(<img [^>]*>)</p><p class="caption">(.*?)</p>', re.DOTALL)


class Lost(msgspec.Struct, frozen=True):
    """A part of the document that was changed or left out."""

    kind: str
    message: str


class ConvertedDocument(msgspec.Struct):
    """The result: HTML whose pictures are files of the folder, by SHA-256; or the reason why there is none."""

    html: str = ""
    title: str = ""
    """In the properties of the document."""
    lost: list[Lost] = []
    images: list[str] = []
    error: str = ""


def convert(file: Path, folder: Path) -> ConvertedDocument:
    """Convert a document, and write its pictures into a folder.

    Raises:
        FileError: it is no Word document, damaged, dangerous or too large.
    """
    found = check_archive(file)
    if found.type != DOCX:
        raise FileError("is not a Word document (.docx)", "unsupported-type", 415)
    parts, margins = _check_parts(file)
    pictures = _Pictures(folder)
    fonts: Counter[str] = Counter()
    sys.setrecursionlimit(RECURSION_MAX)
    try:
        prepared, elements = prepare(file, folder / "prepared.docx", parts)
        with prepared.open("rb") as opened:
            result = mammoth.convert_to_html(
                opened,
                style_map=_STYLES,
                include_embedded_style_map=False,
                external_file_access=False,
                ignore_empty_paragraphs=True,
                convert_image=mammoth.images.img_element(pictures.keep),
                transform_document=mammoth.transforms.run(lambda run: _in_unicode(run, fonts)),
            )
    except (LookupError, ValueError, AttributeError, TypeError, OSError, expat.ExpatError, etree.LxmlError) as error:
        raise FileError(f"is a damaged Word document: {str(error)[:100] or type(error).__name__}", "damaged") from error
    except RecursionError as error:
        raise FileError("is nested too deep", "too-large") from error
    elements[_MARGINS] = margins
    lost = [Lost(kind, text.format(count=elements[name])) for kind, name, text in _LOST if elements[name]]
    lost += [
        Lost("encoding", f"the text was in a font of before Unicode ({font}) and was converted; check it")
        for font in fonts
    ]
    lost += [*pictures.lost, *_messages(result.messages)]
    return ConvertedDocument(_plain_notes(result.value), _title(file), lost, pictures.names)


def _check_parts(file: Path) -> tuple[list[str], int]:
    """Check the XML of a document before it is read as a tree.

    Returns:
        The names of the parts with text, and the number of page headers and footers that have words.
    """
    texts: list[str] = []
    margins = 0
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if not entry.filename.lower().endswith((".xml", ".rels")):
                continue
            if entry.file_size > XML_BYTES_MAX:
                raise FileError(f"has a part of more than {XML_BYTES_MAX:,} bytes", "too-large")
            root, has_words = _check_part(archive.read(entry), entry.filename)
            if root in _TEXT_PARTS:
                texts.append(entry.filename)
            margins += root in ("hdr", "ftr") and has_words
    return texts, margins


def _check_part(content: bytes, name: str) -> tuple[str, bool]:
    """Check a part; return the name of its root, if it is of Word, and whether it shows letters."""
    depth = total = 0
    root, is_shown, has_words = "", False, False
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, total, root, is_shown
        depth += 1
        total += 1
        if depth > XML_DEPTH_MAX or total > XML_ELEMENTS_MAX:
            limits = f"{XML_ELEMENTS_MAX:,} elements, nested {XML_DEPTH_MAX} deep"
            raise FileError(f"must have at most {limits}, in {name[:60]}", "too-large")
        space, _, local = tag.rpartition(" ")
        is_shown = local == "t"  # and no instruction of a field, such as that of a page number
        if depth == 1 and PREFIXES.get(space) == "w":
            root = local
        if local == "Relationship" and attributes.get("Type", "").endswith(_READ_AS_TREES):
            target = attributes.get("Target", "")
            if not target.lower().endswith(".xml"):
                raise FileError(f"is a damaged Word document: its part {target[:60]!r} is not named .xml", "damaged")

    def end(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def read_text(text: str) -> None:
        nonlocal has_words
        has_words = has_words or (is_shown and any(character.isalpha() for character in text))

    def refuse_document_type(*_: Any) -> None:
        raise FileError("has a document type in its XML, which Word never writes", "damaged")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = read_text
    parser.StartDoctypeDeclHandler = refuse_document_type
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise FileError(f"is a damaged Word document: {name[:60]} is not XML", "damaged") from error
    return root, has_words


class _Pictures:
    """Writes the pictures of a document into a folder; the same picture once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes = 0
        self.names: list[str] = []
        self.lost: list[Lost] = []

    def keep(self, image: Any) -> dict[str, str]:
        """Return the attributes of a picture in HTML; without a source if it is left out."""
        try:
            with image.open() as opened:
                content = opened.read(IMAGE_BYTES_MAX + 1)
        except Exception:  # noqa: BLE001 - of a linked or missing picture, whatever the reason
            return self._leave_out(_NO_PICTURE)
        self._bytes += len(content)
        if len(content) > IMAGE_BYTES_MAX or self._bytes > IMAGES_BYTES_MAX or len(self.names) >= IMAGES_MAX:
            return self._leave_out("a picture was left out: the pictures are too large or too many")
        name = hashlib.sha256(content).hexdigest()
        if name not in self.names:
            self.names.append(name)
            (self._folder / name).write_bytes(content)
        return {"src": IMAGE_PREFIX + name}

    def _leave_out(self, message: str) -> dict[str, str]:
        self.lost.append(Lost("image", message))
        return {"src": ""}


def _in_unicode(run: Any, fonts: Counter[str]) -> Any:
    """Return a run of text in Unicode, if its font is one of before Unicode."""
    font = run.font or ""
    encoding = "TCVN3" if font.startswith(".Vn") else "VNI" if font.upper().startswith("VNI-") else ""
    if not encoding:
        return run
    children = []
    for child in run.children:
        if isinstance(child, Text):
            text = to_unicode(child.value, encoding)
            fonts[encoding] += text != child.value
            capitals = encoding == "TCVN3" and font.endswith("H")
            child = child.copy(value=text.upper() if capitals else text)  # noqa: PLW2901 - the same text
        children.append(child)
    return run.copy(children=children)


def _messages(messages: list[Any]) -> list[Lost]:
    """Return what the conversion reports, each once."""
    found: Counter[tuple[str, str]] = Counter()
    for one in messages:
        style = _STYLE.match(one.message)
        if style:
            found["text", f"the style {style[2][:100]} has no meaning here: its text is kept as ordinary text"] += 1
        elif one.message.endswith(("w:altChunk", "}oMath", "}oMathPara")):
            continue  # counted by name
        elif "v:imagedata" in one.message or "image file" in one.message:
            found["image", _NO_PICTURE] += 1
        elif "unrecognised element" in one.message.lower():
            part = one.message[-60:]
            found["text", f"parts of the document that articles do not have were left out: {part}"] += 1
        elif "w:sym" in one.message:
            found["text", "symbols of special fonts were left out"] += 1
        elif "is unlikely to display" not in one.message:
            found["text", one.message[:200]] += 1
    kept = [
        Lost(kind, f"{message} ({count} times)" if count > 1 else message) for (kind, message), count in found.items()
    ]
    return kept[:MESSAGES_MAX]


def _plain_notes(html: str) -> str:
    """Return HTML whose notes are numbers and a list: articles have no anchors. Captions belong to their pictures."""
    html = _BACK.sub("", _NOTE.sub(r"<sup>\1</sup>", html))
    html = _ANCHOR.sub(r"\1", html)
    return _CAPTION.sub(r"<figure>\1<figcaption>\2</figcaption></figure>", html)


def _title(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        try:
            properties = archive.read("docProps/core.xml")
        except KeyError:
            return ""
    found = re.search(rb"<dc:title[^>]*>([^<]{1,2000})</dc:title>", properties)
    return found[1].decode("utf-8", "replace") if found else ""


def main(file: str, folder: str) -> int:
    """Convert a document, and print the result as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        result = convert(Path(file), Path(folder))
    except FileError as error:
        result = ConvertedDocument(error=str(error))
    except MemoryError:
        result = ConvertedDocument(error="exceeds the memory limit for its conversion")
    output = io.BytesIO(msgspec.json.encode(result))
    sys.stdout.buffer.write(output.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
