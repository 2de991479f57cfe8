"""The elements of which feeds are made: texts, times and hubs. Pure."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from xml.etree import ElementTree as ET

from shared.http.targets import parse_target
from shared.sites import Site

ATOM = "http://www.w3.org/2005/Atom"
_LIKE_HTML = re.compile(r"</?[A-Za-z!]|&#?\w+;")

ET.register_namespace("atom", ATOM)


def add_text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    """Add an element with a text."""
    ET.SubElement(parent, name, attributes).text = text


def add_atom_text(parent: ET.Element, name: str, text: str) -> None:
    """Add a text of Atom: as HTML if it looks like HTML, since readers do not all keep to its type."""
    if _LIKE_HTML.search(text):
        add_text(parent, name, as_html(text), type="html")
    else:
        add_text(parent, name, text)


def add_hubs(parent: ET.Element, site: Site, name: str) -> None:
    """Add the links to the WebSub hubs of a site; `name` is that of a link."""
    for hub in site.hubs:
        ET.SubElement(parent, name, {"href": hub, "rel": "hub"})


def hub_links(site: Site, feed_url: str) -> str:
    """Return the header `Link` of a feed that names the WebSub hubs of a site; "" if it has none."""
    hubs = [f'<{parse_target(hub).url}>; rel="hub"' for hub in site.hubs]
    return ", ".join([*hubs, f'<{feed_url}>; rel="self"']) if hubs else ""


def as_html(text: str) -> str:
    """Return a text as HTML, for which readers take the descriptions of RSS."""
    return escape(text, quote=False)


def as_markup(title: str) -> str:
    """Return a title of RSS, which readers take for HTML if it looks like HTML, and for text if it does not."""
    return as_html(title) if _LIKE_HTML.search(title) else title


def rfc822(instant: datetime) -> str:
    """Return an instant as RSS writes it."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def xml_bytes(root: ET.Element) -> bytes:
    """Return the document of an element."""
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()
