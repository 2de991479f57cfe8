"""The files that items of feeds name besides their text: enclosures, Media RSS, links of Atom. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from lxml import etree

from services.ingest.content.blocks import link_url
from services.ingest.imports.item import one_line
from services.ingest.imports.markup.addresses import is_image_file, resolve
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Block, Paragraph

MEDIA = "{http://search.yahoo.com/mrss/}"
ITUNES_IMAGE = "{http://www.itunes.com/dtds/podcast-1.0.dtd}image"
ATOM_LINK = "{http://www.w3.org/2005/Atom}link"


@dataclass(frozen=True)
class EnclosedFile:
    """A file of an item."""

    url: str
    type: str = ""
    title: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, by its type, else by its name."""
        return self.type.startswith("image") or (not self.type and is_image_file(self.url))


def enclosed(item: etree._Element) -> tuple[str, list[EnclosedFile]]:
    """Return the address of the picture of an item, which may be "", and its files that are no pictures."""
    files = [one for one in _files(item) if one.url]
    pictures = [one.url for one in files if one.is_picture]
    pictures += [one_line(one.get("url")) for one in item.iter(f"{MEDIA}thumbnail") if one.get("url")]
    pictures += [one_line(one.get("href")) for one in item.findall(ITUNES_IMAGE) if one.get("href")]
    return (pictures[0] if pictures else ""), [one for one in files if not one.is_picture]


def _files(item: etree._Element) -> Iterator[EnclosedFile]:
    for one in item:
        if not isinstance(one.tag, str):
            continue
        local = etree.QName(one.tag).localname
        if local == "enclosure":
            yield _file(one, "url")
        elif one.tag == ATOM_LINK and one.get("rel") == "enclosure":
            yield _file(one, "href")
    for one in item.iter(f"{MEDIA}content"):
        given = _file(one, "url")
        yield EnclosedFile(
            given.url, given.type or one_line(one.get("medium")).lower(), one_line(one.findtext(f"{MEDIA}title"))
        )


def _file(element: etree._Element, address: str) -> EnclosedFile:
    return EnclosedFile(
        one_line(element.get(address)), one_line(element.get("type")).lower(), one_line(element.get("title"))
    )


def linked_files(files: list[EnclosedFile], base: str, warnings: list[ItemWarning]) -> list[Block]:
    """Return a paragraph with a link to each file, and add a warning for each."""
    found: list[Block] = []
    for url, file in {resolve(base, one.url): one for one in files}.items():
        if link_url(url) is None:
            warnings.append(make_warning("file", f"a file was left out: {file.url[:200]!r} is not a web address"))
            continue
        name = file.title or urlsplit(url).path.rpartition("/")[2] or url
        found.append(Paragraph(f'<a href="{escape(url)}">{escape(name, quote=False)}</a>'))
        warnings.append(make_warning("file", f"an enclosed file was replaced by a link: {url[:200]}"))
    return found
