"""The XML of Office and OpenDocument files: what starts programs, loads something, or only looks like it."""

import pytest

from services.ingest.files.rules import DOCX, FileError, Findings
from services.ingest.files.xml_parts import EMBEDDED, LOADED, PartCheck, is_xml
from tests.ingest.files.samples import RELATIONSHIP, RELATIONSHIPS, link


def warnings_of(*parts: str | bytes) -> list[str]:
    """Check parts of an Office document, and return the warnings."""
    findings = Findings(DOCX)
    check = PartCheck(findings)
    for part in parts:
        check.check_office(part.encode() if isinstance(part, str) else part, is_required=True)
    return findings.warnings


def test_check_office_warns_once_about_what_is_loaded() -> None:
    """Pictures and workbooks elsewhere and packed documents are allowed, with a warning for each kind."""
    pictures = RELATIONSHIPS.format(link("image", "https://a.example/b.png") * 2)
    chunk = RELATIONSHIPS.format(f'<Relationship Id="r1" Type="{RELATIONSHIP}aFChunk" Target="a.html"/>')
    links = RELATIONSHIPS.format(link("hyperlink", "https://a.example/"))
    assert warnings_of(links) == []
    assert warnings_of(pictures, chunk, "<connections><connection/></connections>") == [LOADED, EMBEDDED]
    assert warnings_of('<a><instrText>INCLUDEPICTURE  "https://a.example/b.png" \\d</instrText></a>') == [LOADED]


@pytest.mark.parametrize(
    "part",
    [
        "<a><instrText>PAGE</instrText><t>DDE</t></a>",
        "<a><instrText>HYPERLINK https://a.example/dde</instrText></a>".replace("dde", "ddex"),
        "<a><instrText>QUOTE 72 101</instrText></a>",
        '<a><instrText>INCLUDEPICTURE "cid:image001.png@01"</instrText></a>',
        '<a><instrText>LINK Excel.Sheet.12 "C:\\\\So lieu.xlsx" "Sheet1!R1C1" \\a</instrText></a>',
        '<a><instrText>HYPERLINK "https://a.example/LINK/x"</instrText></a>',
        "<a><t>ddeLink instrText</t></a>",
    ],
)
def test_check_office_accepts_ordinary_fields(part: str) -> None:
    """Numbers of pages, links, and texts that name what is refused are ordinary."""
    assert warnings_of(part) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1"])
def test_check_office_reads_every_encoding_of_office(encoding: str) -> None:
    """A field is found in each encoding that XML may have."""
    declared = {"iso-8859-1": "iso-8859-1", "utf-16-le": "utf-16"}.get(encoding, encoding.removesuffix("-sig"))
    text = f'<?xml version="1.0" encoding="{declared}"?><a><instrText>DDE c</instrText></a>'
    content = (b"\xff\xfe" if encoding == "utf-16-le" else b"") + text.encode(encoding)
    with pytest.raises(FileError, match="DDE"):
        warnings_of(content)


def test_check_office_refuses_what_cannot_be_checked() -> None:
    """A part that has to be XML and is not XML is damaged; another one may be anything."""
    broken = b"<a><instrText>DDE"
    with pytest.raises(FileError, match="not XML"):
        warnings_of(broken)
    PartCheck(Findings(DOCX)).check_office(broken, is_required=False)


def test_is_xml_by_the_beginning() -> None:
    """White space and marks of the encoding may come first."""
    assert all(is_xml(head) for head in (b"<a>", b" \n<a>", b"\xef\xbb\xbf<a>", "<a>".encode("utf-16")))
    assert not any(is_xml(head) for head in (b"", b"\x89PNG", b"a<"))
