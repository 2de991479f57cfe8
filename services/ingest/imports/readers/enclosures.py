"""The files that items of feeds name besides their text: enclosures, Media RSS, links of Atom. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

import msgspec
from lxml import etree

from services.ingest.content.blocks import link_url
from services.ingest.imports.item import html_to_line, image_figure, one_line
from services.ingest.imports.markup.addresses import is_image_file, resolve, split_address
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Block, Figure, Paragraph

MEDIA = "{http://search.yahoo.com/mrss/}"
ITUNES_IMAGE = "{http://www.itunes.com/dtds/podcast-1.0.dtd}image"
ATOM_LINK = "{http://www.w3.org/2005/Atom}link"
_PLAIN_PICTURES = ("image", "thumb", "thumbnail", "img", "featured_image", "featuredImage")
"""Elements without a namespace in which portals of the region name the picture of an item."""


@dataclass(frozen=True)
class EnclosedFile:
    """A file of an item."""

    url: str
    type: str = ""
    title: str = ""
    caption: str = ""
    credit: str = ""
    width: int = 0

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, by its type, else by its name."""
        return self.type.startswith("image") or (not self.type and is_image_file(self.url))


def enclosed(item: etree._Element) -> tuple[list[EnclosedFile], list[EnclosedFile]]:
    """Return the pictures of an item, each in its widest form, and its other files."""
    files = [one for one in _files(item) if one.url]
    pictures = [one for one in files if one.is_picture]
    if not pictures:
        others = [one_line(one.get("url")) for one in item.iter(f"{MEDIA}thumbnail")]
        others += [one_line(one.get("href")) for one in item.findall(ITUNES_IMAGE)]
        pictures = [EnclosedFile(url) for url in [*others, *_plain_pictures(item)] if url][:1]
    found: dict[str, EnclosedFile] = {}
    for one in pictures:
        key = split_address(one.url)._replace(query="", fragment="").geturl()
        known = found.get(key)
        found[key] = one if known is None else max(known, one, key=lambda picture: picture.width)
    return list(found.values()), [one for one in files if not one.is_picture]


def _plain_pictures(item: etree._Element) -> Iterator[str]:
    for one in item:
        if one.tag in _PLAIN_PICTURES:
            url = one_line(one.findtext("url") or one.get("url") or one.get("src") or one.text)
            if url.startswith(("http://", "https://", "/")):
                yield url


def _files(item: etree._Element) -> Iterator[EnclosedFile]:
    for one in item:
        if not isinstance(one.tag, str):
            continue
        local = etree.QName(one.tag).localname
        if local == "enclosure":
            yield _file(one, "url")
        elif one.tag == ATOM_LINK and one.get("rel") == "enclosure":
            yield _file(one, "href")
        elif one.tag == f"{MEDIA}content":
            yield from _media([one], item, item)
        elif one.tag == f"{MEDIA}group":
            yield from _media(list(one.iter(f"{MEDIA}content")), one, item)


def _media(contents: list[etree._Element], around: etree._Element, item: etree._Element) -> Iterator[EnclosedFile]:
    """Yield one picture and one other file of the forms of the same object, which a group has."""
    found = [_media_content(one, around, item) for one in contents]
    pictures = [one for one in found if one.is_picture]
    if pictures:
        yield max(pictures, key=lambda one: one.width)
    yield from [one for one in found if not one.is_picture][:1]


def _media_content(element: etree._Element, around: etree._Element, item: etree._Element) -> EnclosedFile:
    def text(name: str) -> str:
        boxes = (element, around, item)  # the item's hold for all of its media
        return next((found for one in boxes if (found := html_to_line(one.findtext(f"{MEDIA}{name}")))), "")

    given = _file(element, "url")
    title, width = html_to_line(element.findtext(f"{MEDIA}title")), one_line(element.get("width"))
    return replace(
        given,
        type=given.type or one_line(element.get("medium")).lower(),
        title=title,
        caption=text("description") or text("text") or title,
        credit=text("credit"),
        width=int(width) if width.isascii() and width.isdigit() and len(width) < 6 else 0,
    )


def _file(element: etree._Element, address: str) -> EnclosedFile:
    return EnclosedFile(
        one_line(element.get(address)), one_line(element.get("type")).lower(), one_line(element.get("title"))
    )


def picture_figures(pictures: list[EnclosedFile], base: str, warnings: list[ItemWarning]) -> list[Figure]:
    """Return the figures of pictures, and add a warning for each that cannot be used."""
    found = []
    for one in pictures:
        figure = image_figure(one.url, "", one.caption, base, warnings)
        if figure is not None:
            found.append(msgspec.structs.replace(figure, credit=one.credit[:200]) if one.credit else figure)
    return found


def with_pictures(body: list[Block], figures: list[Figure]) -> tuple[Figure | None, list[Block]]:
    """Return the picture above a text, and the text with those of the others that it does not show.

    The picture with which the text begins is not shown twice.
    """
    first = body[0] if len(body) > 1 and isinstance(body[0], Figure) else None
    lead = figures[0] if figures else None
    if lead is not None and first is not None and _url(first) == _url(lead):
        lead, body = (first if first.caption and not lead.caption else lead), body[1:]
    shown = {_url(one) for one in body if isinstance(one, Figure)} | {_url(lead)}
    return lead, [*body, *(one for one in figures[1:] if _url(one) not in shown)]


def _url(figure: Figure | None) -> str | None:
    return figure.image.url if figure is not None and figure.image is not None else None


def linked_files(files: list[EnclosedFile], base: str, warnings: list[ItemWarning]) -> list[Block]:
    """Return a paragraph with a link to each file, and add a warning for each."""
    found: list[Block] = []
    for url, file in {resolve(base, one.url): one for one in files}.items():
        if link_url(url) is None:
            warnings.append(make_warning("file", f"a file was left out: {file.url[:200]!r} is not a web address"))
            continue
        name = file.title or split_address(url).path.rpartition("/")[2] or url
        found.append(Paragraph(f'<a href="{escape(url)}">{escape(name, quote=False)}</a>'))
        warnings.append(make_warning("file", f"an enclosed file was replaced by a link: {url[:200]}"))
    return found
