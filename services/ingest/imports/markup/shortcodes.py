"""WordPress's shortcodes → HTML: captions, galleries, embedded pages and recordings; others leave their text. Pure."""

import re
from bisect import bisect_left
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from html import escape

from services.ingest.imports.markup.addresses import is_image_file
from services.ingest.imports.warnings import ItemWarning, make_warning

_NAME = r"[a-zA-Z][a-zA-Z0-9_-]{0,60}"
_ATTRIBUTES = r"(?:[^\[\]\"']|\"[^\"]*\"|'[^']*')*?"
_TAG = re.compile(
    rf"\[(?P<escaped>\[)?(?P<close>/)?(?P<name>{_NAME})(?P<attributes>(?:[\s=]{_ATTRIBUTES})?)(?P<self>/)?\](?P<end>\])?"
)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'\]]+))|\"([^\"]*)\"|'([^']*)'|(\S+)")
_KNOWN = frozenset(
    [
        "caption",
        "wp_caption",
        "gallery",
        "embed",
        "video",
        "audio",
        "playlist",
        "youtube",
        "vimeo",
        "wp-video",
        "wpvideo",
        "facebook",
        "twitter",
        "tweet",
        "toc",
        "ez-toc",
        "contact-form-7",
        "contact-form",
        "contact-form-8",
        "gravityform",
        "wpforms",
        "ninja_form",
        "mc4wp_form",
        "nextpage",
        "more",
        "dropcap",
        "column",
        "columns",
        "one_half",
        "one_third",
        "button",
        "accordion",
        "accordions",
        "tab",
        "tabs",
        "spoiler",
        "slider",
        "slideshow",
        "ngg",
        "nggallery",
        "singlepic",
        "flowplayer",
        "iframe",
        "soundcloud",
        "pdf-embedder",
        "pdf",
        "gview",
        "googlemaps",
        "map",
    ]
)
_HIDDEN = frozenset(("toc", "ez-toc", "nextpage", "more"))
"""They show nothing of their own, so that nothing is lost."""
_CODES_MAX = 5_000
PICTURES_MAX = 1_000
"""Of all galleries of a text together, which may repeat each other."""
_SOUND = ("src", "mp3", "m4a", "ogg", "wav", "wma", "flac")
_VIDEO = ("src", "mp4", "m4v", "webm", "ogv", "flv", "mov", "wmv")


@dataclass(frozen=True)
class Attachment:
    """A file of a WordPress media library."""

    url: str
    caption: str = ""
    alt: str = ""
    parent: str = ""
    """Post ID of the post to which it was uploaded."""


class Shortcodes:
    """Replaces the shortcodes of a text."""

    def __init__(self, attachments: Mapping[str, Attachment], post: str, warnings: list[ItemWarning]) -> None:
        self._attachments = attachments
        self._post = post
        self._warnings = warnings
        self._removed: dict[str, int] = {}
        self._of_parents: dict[str, list[str]] | None = None
        self._pictures = 0

    def replace(self, text: str) -> str:
        """Return the text as HTML without shortcodes; other text in brackets is kept."""
        if "[" not in text:
            return text
        closers: dict[str, list[tuple[int, int]]] = {}
        for tag in _TAG.finditer(text):
            if tag["close"]:
                closers.setdefault(tag["name"].lower(), []).append(tag.span())
        out: list[str] = []
        position = number = 0
        while (found := _TAG.search(text, position)) is not None and number < _CODES_MAX:
            number += 1
            out.append(text[position : found.start()])
            position = found.end()
            name = found["name"].lower()
            if found["escaped"] and found["end"]:
                out.append(found[0][1:-1])
            elif not _is_shortcode(found, closers):
                out.append(found[0])
            elif found["close"]:
                out.append(_break(name))
            else:
                content = ""
                end = _next(closers.get(name, []), position)
                is_picture = end is not None and is_picture_address(text[position : end[0]][:1_000].strip())
                if end is not None and not found["self"] and (name in _WITH_CONTENT or is_picture):
                    content, position = text[position : end[0]], end[1]
                out.append(self._html(name, _attributes(found["attributes"]), content, found[0]))
            if found["end"] and not found["escaped"]:
                out.append("]")
        out.append(text[position:])
        for name, count in self._removed.items():
            self._warnings.append(make_warning("shortcode", f"{count} [{name}] were removed; text inside was kept"))
        return "".join(out)

    def _html(self, name: str, attributes: dict[str, str], content: str, raw: str) -> str:
        converters: dict[str, Callable[[dict[str, str], str], str]] = {
            **dict.fromkeys(("caption", "wp_caption"), self._caption),
            "gallery": self._gallery,
            "playlist": self._gallery,
            **dict.fromkeys(
                ("embed", "youtube", "vimeo", "facebook", "twitter", "tweet", "iframe", "soundcloud"), self._embed
            ),
            **dict.fromkeys(("video", "wp-video", "flowplayer"), self._video),
            "audio": self._audio,
            **dict.fromkeys(("pdf-embedder", "pdf", "gview"), self._file),
        }
        converter = converters.get(name)
        if converter is not None:
            html = converter(attributes, content)
            if html:
                return html
        pictures = self._shown_pictures(name, attributes, content)
        if pictures:
            return pictures
        if name not in _HIDDEN:
            self._removed[name] = self._removed.get(name, 0) + 1
        shown = attributes.get("title") or attributes.get("heading") or ""
        heading = f"<p><strong>{escape(shown)}</strong></p>" if shown and _TITLED.search(name) else ""
        return f"{_break(name)}{heading}{_break(name)}{content}"

    def _shown_pictures(self, name: str, attributes: dict[str, str], content: str) -> str:
        """Return the pictures that a page builder's element shows; "" if it shows none that is known."""
        url = next(
            (
                one
                for one in (content.strip(), *(attributes.get(key, "") for key in _PICTURE_URLS))
                if is_picture_address(one)
            ),
            "",
        )
        if url:
            caption = attributes.get("caption") or attributes.get("title_text") or ""
            return _attached(Attachment(url, caption, attributes.get("alt", "")), is_picture=True)
        if not _PICTURE_NAME.search(name):
            return ""
        given = ",".join(attributes.get(key, "") for key in _PICTURE_IDS)
        ids = dict.fromkeys(one.strip() for one in given.split(","))
        return "\n\n".join(_attached(self._attachments[one]) for one in ids if one in self._attachments)

    def _caption(self, attributes: dict[str, str], content: str) -> str:
        given = attributes.get("caption", "")
        picture = re.search(r"(?:<a\b[^<>]*+>\s*+)?<img\b[^<>]*+>(?:\s*+</a>)?", content, re.IGNORECASE)
        if picture is None:
            return ""
        text = given or f"{content[: picture.start()]} {content[picture.end() :]}".strip()
        return f"\n\n<figure>{picture[0]}<figcaption>{text}</figcaption></figure>\n\n"

    def _gallery(self, attributes: dict[str, str], content: str) -> str:
        asked = [
            one.strip() for one in (attributes.get("ids") or attributes.get("include") or "").split(",") if one.strip()
        ]
        left_out = {one.strip() for one in attributes.get("exclude", "").split(",")}
        if not asked:
            parent = attributes.get("id") or self._post
            asked = [key for key in self._uploaded_to(parent) if key not in left_out]
        found = [self._attachments[one] for one in asked if one in self._attachments]
        missing = [one for one in asked if one not in self._attachments]
        if missing:
            ids = ", ".join(missing[:20])
            message = f"pictures of a gallery were left out: the export does not have the attachments {ids}"
            self._warnings.append(make_warning("image", message))
        shown = found[: max(0, PICTURES_MAX - self._pictures)]
        self._pictures += len(shown)
        if len(shown) < len(found):
            message = (
                f"{len(found) - len(shown)} pictures of galleries were left out: a text has at most {PICTURES_MAX}"
            )
            self._warnings.append(make_warning("image", message))
        return "\n\n".join(_attached(one) for one in shown)

    def _uploaded_to(self, parent: str) -> list[str]:
        if self._of_parents is None:
            self._of_parents = {}
            for key, one in self._attachments.items():
                self._of_parents.setdefault(one.parent, []).append(key)
        return self._of_parents.get(parent, [])

    def _embed(self, attributes: dict[str, str], content: str) -> str:
        given = content.strip() or next(
            (attributes[one] for one in ("src", "url", "link", "id", "0") if attributes.get(one)), ""
        )
        url = re.sub(r"<[^<>]*>", "", given).strip()
        if re.fullmatch(r"[\w-]{11}", url):
            url = f"https://www.youtube.com/watch?v={url}"
        elif re.fullmatch(r"\d{5,12}", url):
            url = f"https://vimeo.com/{url}"
        if not url.startswith(("http://", "https://", "//")):
            return ""
        return f'\n\n<iframe src="{escape(url)}"></iframe>\n\n'

    def _video(self, attributes: dict[str, str], content: str) -> str:
        return self._recorded("video", _VIDEO, attributes)

    def _audio(self, attributes: dict[str, str], content: str) -> str:
        return self._recorded("audio", _SOUND, attributes)

    def _recorded(self, tag: str, names: tuple[str, ...], attributes: dict[str, str]) -> str:
        url = next((attributes[name] for name in (*names, "0") if attributes.get(name)), "")
        return f'\n\n<{tag} src="{escape(url)}"></{tag}>\n\n' if url else ""

    def _file(self, attributes: dict[str, str], content: str) -> str:
        url = next((attributes[name] for name in ("url", "file", "src", "0") if attributes.get(name)), "")
        name = attributes.get("title") or url.rpartition("/")[2]
        return f'\n\n<p><a href="{escape(url)}">{escape(name)}</a></p>\n\n' if url else ""


_WITH_CONTENT = frozenset(
    ("caption", "wp_caption", "embed", "youtube", "vimeo", "video", "audio", "facebook", "tweet", "pdf")
)


_PICTURE_URLS = ("src", "url", "image", "image_url", "img", "img_src", "photo", "photo_url", "link")
_PICTURE_IDS = ("image", "image_id", "images", "ids", "include", "attachment_id", "gallery_ids", "id")
_PICTURE_NAME = re.compile(r"image|img|gallery|photo|picture|slide|carousel", re.IGNORECASE)
_LAYOUT = re.compile(
    r"(?:^|[_-])(?:row|col(?:umns?)?|section|text|block|container|box|tabs?|accordions?|panel|toggles?|content|inner|wrap(?:per)?"
    r"|layout|spoiler|faq|half|third|fourth|one|two|quote|tta|group|grid)(?:$|[_-])",
    re.IGNORECASE,
)
"""Elements of page builders that stand below each other: their texts are paragraphs of their own."""
_TITLED = re.compile(r"tab|accordion|toggle|spoiler|tta|faq|panel|collapse", re.IGNORECASE)


def is_picture_address(text: str) -> bool:
    """Return whether a text is the address of an image file."""
    return (
        len(text) < 1_000 and " " not in text and text.startswith(("http://", "https://", "/")) and is_image_file(text)
    )


def _break(name: str) -> str:
    return "\n\n" if _LAYOUT.search(name) else ""


def _attached(one: Attachment, *, is_picture: bool = False) -> str:
    if not is_picture and not re.search(r"\.(?:jpe?g|png|gif|webp|avif|bmp|heic)$", one.url, re.IGNORECASE):
        return f'<p><a href="{escape(one.url)}">{escape(one.caption or one.url.rpartition("/")[2])}</a></p>'
    caption = f"<figcaption>{escape(one.caption)}</figcaption>" if one.caption else ""
    return f'<figure><img src="{escape(one.url)}" alt="{escape(one.alt)}">{caption}</figure>'


def _next(spans: list[tuple[int, int]], position: int) -> tuple[int, int] | None:
    index = bisect_left(spans, (position, 0))
    return spans[index] if index < len(spans) else None


def _is_shortcode(found: re.Match[str], closers: Container[str]) -> bool:
    """Return whether text in brackets is a shortcode: [1], [sic] and [Ảnh] are text."""
    name, attributes = found["name"].lower(), found["attributes"] or ""
    if name in _KNOWN:
        return True
    has_values = re.search(r"(?<![\w-])[\w-]++\s*+=\s*[\"'\w]", attributes) is not None
    return name in closers or has_values or ("_" in name and not attributes.strip())


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    for one in _ATTRIBUTE.finditer(text.strip().lstrip("=")):
        if one[1]:
            found[one[1].lower()] = one[2] or one[3] or one[4] or ""
        else:
            found[str(position)] = one[5] or one[6] or one[7] or ""
            position += 1
    return found
