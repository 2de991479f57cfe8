"""The check of a PDF: that it is nothing else besides, and has no scripts. Pure."""

import re
import zlib
from collections.abc import Iterator
from mmap import mmap

from services.ingest.files.rules import ATTACHED, FORM, HTML_MARKS, PDF, FileError, Findings, encrypted, refuse

HEAD_BYTES = 1_024
TAIL_BYTES = 2_048
OBJECT_STREAM_BYTES_MAX = 32 * 1024**2
"""Of one unpacked stream of objects."""
OBJECT_STREAMS_BYTES_MAX = 256 * 1024**2
_HEADER = re.compile(rb"%PDF-[12]\.\d")
_STREAM = re.compile(rb"(?<![A-Za-z0-9])stream[^\r\n]{0,100}(?:\r\n?|\n)")
"""Programs skip whatever follows the word on its line."""
_END_OF_STREAM = b"endstream"
_ESCAPE = re.compile(rb"#([0-9a-fA-F]{2})")
_NAMES = re.compile(
    rb"/(JavaScript|JS|OnInstantiate|Launch|Encrypt|RichMedia|Rendition|Movie|Sound|3D|GoToE|EmbeddedFile|XFA|SubmitForm"
    rb"|ImportData)(?![A-Za-z0-9])"
)
_NAMES_IN_STREAMS = frozenset((b"JavaScript", b"Launch", b"RichMedia", b"Rendition", b"ImportData"))
"""Searched in the bytes of streams, too: a comment or a text may say that a stream begins where none does, and a table
of objects may lead into one. Long enough not to occur in packed data by chance."""
_FILTERS = re.compile(
    rb"/(FlateDecode|Fl|ASCIIHexDecode|AHx|ASCII85Decode|A85|LZWDecode|LZW|RunLengthDecode|RL|CCITTFaxDecode|CCF"
    rb"|JBIG2Decode|DCTDecode|DCT|JPXDecode|Crypt)(?![A-Za-z0-9])"
)
_OPENS = re.compile(rb"/GoToR(?![A-Za-z0-9])")
_ON_A_SERVER = re.compile(rb"/U?F\s*(?:\(\s*(?:(?:\\\\){2}|//|[a-z]+://)|<\s*(?:5c\s*5c|2f\s*2f))", re.IGNORECASE)
"""The name of a file with that of its server: where Windows opens it, it logs in there."""
_PACKED = re.compile(rb"/(?:Filter|F|DecodeParms|DP)(?![A-Za-z0-9])")
_OBJECTS = (re.compile(rb"/N(?![A-Za-z0-9])"), re.compile(rb"/First(?![A-Za-z0-9])"))
"""What the dictionary of a stream of objects must have; not all programs read its type."""
_SCRIPTS = {
    b"JavaScript": "JavaScript",
    b"JS": "JavaScript",
    b"OnInstantiate": "JavaScript",
    b"Launch": "an action that starts programs",
    b"RichMedia": "Flash or other rich media",
    b"Rendition": "an action that plays media or runs scripts",
    b"Movie": "films or sounds",
    b"Sound": "films or sounds",
    b"3D": "a 3D model, which may have scripts",
    b"GoToE": "an action that opens a file packed into it, or one elsewhere",
    b"ImportData": "an action that reads other files",
}


def check_pdf(content: bytes | mmap) -> Findings:
    """Check a PDF.

    Raises:
        FileError: it is also another type, is damaged, is encrypted, or has scripts.
    """
    head = content[:HEAD_BYTES]
    if not _HEADER.match(head):
        raise refuse("begins with something else than a PDF does; save it again as PDF", "polyglot")
    lowered = head.lower()
    if any(mark in lowered for mark in HTML_MARKS):
        raise refuse("is a PDF and an HTML page at once", "polyglot")
    if b"%%EOF" not in content[-TAIL_BYTES:]:
        raise refuse("is a PDF without its end: it is damaged, cut off, or has other data after it", "damaged")
    _check_end(content)
    found: set[bytes] = set()
    for part, is_stream in _parts(content):
        text = _unescaped(part)
        if not is_stream and _OPENS.search(text) and _ON_A_SERVER.search(text):
            raise refuse("opens a file on a server, which tells that who reads it", "external-content")
        names = set(_NAMES.findall(text))
        found |= names & _NAMES_IN_STREAMS if is_stream else names
    if b"Encrypt" in found:
        raise encrypted()
    scripts = sorted({_SCRIPTS[name] for name in found if name in _SCRIPTS})
    if scripts:
        raise refuse(f"is a PDF with {' and '.join(scripts)}; print it to a new PDF", "scripts")
    warnings = []
    if b"EmbeddedFile" in found:
        warnings.append(ATTACHED)
    if b"XFA" in found or b"SubmitForm" in found:
        warnings.append(FORM)
    return Findings(PDF, warnings)


def _check_end(content: bytes | mmap) -> None:
    """Refuse data after the end that another program would take for its own file."""
    end = content.rfind(b"%%EOF")
    rest = bytes(content[end + 5 :])
    if rest.strip(b"\r\n\t \0\x1a"):
        raise refuse("has data after the end of the PDF", "polyglot")
    if content.rfind(b"PK\x05\x06", max(0, len(content) - 66_000)) >= 0:
        raise refuse("is a PDF and a ZIP archive at once", "polyglot")


def _unescaped(part: bytes) -> bytes:
    return _ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), part) if b"#" in part else part


def _parts(content: bytes | mmap) -> Iterator[tuple[bytes, bool]]:
    """Yield what is outside of streams, and streams: those that have objects in them unpacked, and as if outside."""
    position, unpacked = 0, 0
    while (begin := _STREAM.search(content, position)) is not None:
        before = bytes(content[position : begin.start()])
        yield before, False
        end = content.find(_END_OF_STREAM, begin.end())
        end = len(content) if end < 0 else end
        stream = bytes(content[begin.end() : end])
        yield stream, True
        text = _unescaped(before)
        dictionary = text[text.rfind(b"obj") + 3 :]
        if b"ObjStm" in text or all(key.search(dictionary) for key in _OBJECTS):
            objects = _inflated(stream, text if b"ObjStm" in text else dictionary)
            unpacked += len(objects)
            if unpacked > OBJECT_STREAMS_BYTES_MAX:
                raise FileError("has more objects than can be checked", "too-large")
            yield objects, False
        position = end + len(_END_OF_STREAM) if end < len(content) else len(content)
    yield bytes(content[position:]), False


def _inflated(stream: bytes, dictionary: bytes) -> bytes:
    """Return a stream of objects as it is read.

    Raises:
        FileError: it is packed in another way than such streams are, or too large: it cannot be checked.
    """
    filters = _FILTERS.findall(dictionary)
    keys = _PACKED.findall(dictionary)
    if not filters and not keys:
        return stream
    if filters not in ([b"FlateDecode"], [b"Fl"]) or any(one in (b"/DecodeParms", b"/DP") for one in keys):
        raise refuse("is a PDF whose objects are packed in an unusual way, so it cannot be checked", "scripts")
    unpacker = zlib.decompressobj()
    try:
        objects = unpacker.decompress(stream, OBJECT_STREAM_BYTES_MAX)
    except zlib.error as error:
        raise refuse("is a damaged PDF, or an encrypted one", "damaged") from error
    if unpacker.unconsumed_tail:
        raise FileError("has more objects than can be checked", "too-large")
    if not unpacker.eof:  # the word that ends it was in the middle of it: what follows would not be checked
        raise refuse("is a PDF with a stream of objects that is cut off, so it cannot be checked", "damaged")
    return objects
