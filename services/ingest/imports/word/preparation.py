"""Rewrites the text of a Word document where Mammoth would lose it silently, and counts what articles cannot have.

Mammoth reads the fallback of alternate content only, no simple fields, no characters with a reading above them, the
pictures of a drawing but not those of its groups, and hidden text as if it could be seen.
"""

import shutil
import zipfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from lxml import etree

PREFIXES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a",
    "http://purl.oclc.org/ooxml/drawingml/main": "a",
    "http://schemas.openxmlformats.org/drawingml/2006/chart": "c",
    "http://purl.oclc.org/ooxml/drawingml/chart": "c",
    "http://schemas.openxmlformats.org/drawingml/2006/diagram": "dgm",
    "http://purl.oclc.org/ooxml/drawingml/diagram": "dgm",
    "http://schemas.openxmlformats.org/drawingml/2006/picture": "pic",
    "http://purl.oclc.org/ooxml/drawingml/picture": "pic",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.microsoft.com/office/word/2010/wordml": "w14",
    "urn:schemas-microsoft-com:vml": "v",
}
"""Namespaces of elements, the transitional and the strict ones."""
_UNWRAPPED = ("w:fldSimple", "w:dir", "w:bdo")
"""Elements around text that is shown as it is."""
_OFF = ("0", "false", "off")
HIDDEN, STRUCK, READINGS = "hidden", "struck", "readings"


def prepare(file: Path, target: Path, parts: Collection[str]) -> tuple[Path, Counter[str]]:
    """Rewrite parts of a document that were checked; return the file to convert, and the elements of each name.

    Args:
        file: The document.
        target: Where a rewritten document is stored; without a change it is not written.
        parts: Names of the parts with text: of the document itself and of its notes.
    """
    counts: Counter[str] = Counter()
    rewritten: dict[str, bytes] = {}
    with zipfile.ZipFile(file) as archive:
        for name in parts:
            parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
            root = etree.fromstring(archive.read(name), parser)
            if _rewrite(root, counts):
                rewritten[name] = etree.tostring(root, encoding="utf-8", xml_declaration=True)
            counts.update(element_name(element) for element in root.iter(etree.Element) if not _is_second_form(element))
        if not rewritten:
            return file, counts
        with zipfile.ZipFile(target, "w") as output:
            for entry in archive.infolist():
                if entry.filename in rewritten:
                    output.writestr(entry.filename, rewritten[entry.filename])
                elif not entry.is_dir():
                    with archive.open(entry) as source, output.open(entry.filename, "w") as copy:
                        shutil.copyfileobj(source, copy)
    return target, counts


def element_name(element: etree._Element) -> str:
    """Return the name of an element with the usual prefix, such as `w:p`."""
    name = etree.QName(element)
    return f"{PREFIXES.get(name.namespace or '', '')}:{name.localname}"


def _is_second_form(element: etree._Element) -> bool:
    """Return whether an element is in a choice, whose fallback shows the same again."""
    return any(element_name(one) == "mc:Choice" for one in element.iterancestors())


def _rewrite(root: etree._Element, counts: Counter[str]) -> bool:
    """Rewrite a part; return whether it was changed."""
    is_changed = False
    for element in list(root.iter(etree.Element)):
        parent = element.getparent()
        if parent is None:
            continue
        name = element_name(element)
        if name == "mc:AlternateContent":
            changed = _choose(element, parent)
        elif name in _UNWRAPPED:
            changed = _replace(element, parent, list(element))
        elif name == "w:r" and _has(element, "vanish"):
            parent.remove(element)
            counts[HIDDEN] += 1
            changed = True
        elif name == "w:r":
            counts[STRUCK] += _has(element, "strike") or _has(element, "dstrike")
            changed = False
        elif name == "w:ruby":
            changed = _show_reading(element, parent, counts)
        elif name == "w:cr":
            changed = _replace(element, parent, [etree.Element(element.tag.removesuffix("cr") + "br")])
        elif name == "w14:checkbox":  # a content control: its content is the box that is seen, with its mark or without
            changed = _replace(element, parent, [])
        elif name == "a:graphicData":
            changed = _show_groups(element)
        elif name == "v:textpath":
            changed = _word_art(element, parent, root)
        else:
            changed = False
        is_changed = is_changed or changed
    return is_changed


def _replace(element: etree._Element, parent: etree._Element, children: list[etree._Element]) -> bool:
    place = parent.index(element)
    parent.remove(element)
    for number, child in enumerate(children):
        parent.insert(place + number, child)
    return True


def _choose(element: etree._Element, parent: etree._Element) -> bool:
    """Take the first choice of alternate content that has no fallback."""
    forms = {element_name(one): one for one in reversed(element)}
    fallback, choice = forms.get("mc:Fallback"), forms.get("mc:Choice")
    if choice is None or (fallback is not None and len(fallback)):
        return False
    return _replace(element, parent, list(choice))


def _has(run: etree._Element, name: str) -> bool:
    """Return whether a run of text has a property that is on or off."""
    space = etree.QName(run).namespace
    mark = run.find(f"{{{space}}}rPr/{{{space}}}{name}")
    return mark is not None and mark.get(f"{{{space}}}val") not in _OFF


def _show_reading(ruby: etree._Element, run: etree._Element, counts: Counter[str]) -> bool:
    """Make characters and the reading above them text of their run, the reading in brackets."""
    space = etree.QName(ruby).namespace
    content = [one for part in ruby.findall(f"{{{space}}}rubyBase") for one in _shown(part)]
    reading = "".join(one.text or "" for part in ruby.findall(f"{{{space}}}rt") for one in _shown(part))
    if content and reading.strip():
        brackets = etree.Element(f"{{{space}}}t")
        brackets.text = f"({reading.strip()})"
        content.append(brackets)
        counts[READINGS] += 1
    if element_name(run) != "w:r":
        alone = etree.Element(f"{{{space}}}r")
        alone.extend(content)
        content = [alone]
    return _replace(ruby, run, content)


def _shown(part: etree._Element) -> list[etree._Element]:
    """Return what the visible runs of a part have, without their properties."""
    runs = [one for one in part.iter(etree.Element) if element_name(one) == "w:r" and not _has(one, "vanish")]
    return [one for run in runs for one in run if element_name(one) != "w:rPr"]


def _show_groups(data: etree._Element) -> bool:
    """Make the pictures of groups those of the drawing, and the text of its shapes a text box."""
    if _is_second_form(data):
        return False
    pictures = [
        one for one in data.iter(etree.Element) if element_name(one) == "pic:pic" and one.getparent() is not data
    ]
    boxes = [one for one in data.iter(etree.Element) if element_name(one) == "w:txbxContent"]
    data.extend(pictures)
    drawing = next((one for one in data.iterancestors() if element_name(one) == "w:drawing"), None)
    if boxes and drawing is not None and (run := drawing.getparent()) is not None:
        place = etree.SubElement(run, f"{{{etree.QName(drawing).namespace}}}pict")
        place.extend(boxes)
    return bool(pictures or boxes)


def _word_art(element: etree._Element, parent: etree._Element, root: etree._Element) -> bool:
    """Make the text of WordArt that of a text box."""
    text, space = element.get("string", ""), etree.QName(root).namespace
    if not text.strip():
        return False
    box = etree.Element(f"{{{etree.QName(element).namespace}}}textbox")
    line = box
    for name in ("txbxContent", "p", "r", "t"):
        line = etree.SubElement(line, f"{{{space}}}{name}")
    line.text = text
    return _replace(element, parent, [box])
