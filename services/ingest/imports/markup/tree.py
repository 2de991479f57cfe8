"""Markup with anything that web pages have → markup that articles have, with a warning for each loss. Pure.

Pictures in tables, lists, quotes and headings come out of them, with their captions; each picture of a gallery has its
own. What an article cannot have becomes a link: videos of other platforms, embedded pages, sound.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from services.ingest.content.blocks import link_url, tree_to_blocks
from services.ingest.content.sanitizer import (
    ALLOWED_TAGS,
    ATTRIBUTES,
    REMOVED_WITH_CONTENT,
    SCHEMES,
    Node,
    Policy,
    parse_html,
)
from services.ingest.imports.markup.addresses import (
    embedded_address,
    is_image_file,
    is_usable_picture,
    picture_address,
    resolve,
    video_address,
)
from services.ingest.imports.markup.layout import (
    LOST,
    captioned_table,
    centred_caption,
    figure,
    has_blocks,
    is_caption_box,
    linked_texts,
    outer_cells,
    paragraph,
    scheme_of,
    with_captions_only,
    with_tag,
    without_media,
)
from services.ingest.imports.warnings import ItemWarning, WarningKind, make_warning
from shared.articles import CAPTION_CHARACTERS_MAX, Block

_MEDIA_TAGS = {"video", "audio", "embed", "object", "source", "param", "noscript"}
_CONTAINERS = {
    *("address", "center", "fieldset", "marquee", "details", "summary", "aside", "nav", "footer", "hgroup", "legend"),
    *("form", "dir", "menu", "search", "dialog", "listing", "article"),
}
"""Blocks that articles do not have: their content is kept."""
_ANYWHERE = {"class", "align", "style"}
_PICTURE = {
    *("src", "srcset", "alt", "title", "width", "height", "data-src", "data-original", "data-lazy-src", "data-lazy"),
    *("data-url", "data-echo", "data-orig-src", "data-srcset", "data-lazy-srcset"),
}
POLICY = Policy(
    tags=ALLOWED_TAGS | _CONTAINERS | _MEDIA_TAGS,
    attributes={
        **ATTRIBUTES,
        "*": _ANYWHERE,
        "img": _PICTURE,
        "source": {"src", "srcset", "type"},
        "iframe": {"src", "data-src", "data-lazy-src", "data-orig-src", "title"},
        **{tag: {"src", "data-src", "poster", "title", "type"} for tag in ("video", "audio", "embed")},
        "object": {"data", "type"},
        "param": {"name", "value"},
        "blockquote": {"cite", "data-instgrm-permalink"},
    },
    removed_with_content=REMOVED_WITH_CONTENT - _CONTAINERS - _MEDIA_TAGS - {"button", "textarea"},
    schemes=SCHEMES | {"data", "javascript", "ftp", "file", "zalo", "viber", "sms", "skype", "callto"},
)
"""What is read of a page. Links with a scheme that articles must not have are read to be reported."""
_LOST = re.compile(r"<(script|svg|math|canvas|input|select|textarea|button|applet|map)(?=[\s/>])", re.IGNORECASE)
_LOST_KINDS: dict[str, WarningKind] = {"script": "embed", "svg": "image", "canvas": "image", "map": "link"}
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DATA_URL = re.compile(r"data:[a-z]+/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=%\s]{200,}", re.IGNORECASE)
_BARE_URL = re.compile(r"https?://[^\s<>\"]+")
_SHOWN_CHARACTERS_MAX = 200


def read_blocks(html: str, base: str = "", warnings: list[ItemWarning] | None = None) -> list[Block]:
    """Return the blocks of a text in HTML.

    Args:
        html: The text.
        base: The address of its page, against which its links and pictures are resolved; "" if it is unknown.
        warnings: What is changed or lost is appended here.

    Raises:
        MarkupError: it is too large or nested too deep.
    """
    lost: list[ItemWarning] = [] if warnings is None else warnings
    html = without_embedded_data(html)
    for tag, count in sorted(Counter(one.lower() for one in _LOST.findall(html)).items()):
        lost.append(make_warning(_LOST_KINDS.get(tag, "text"), f"{count} <{tag}> of the text were left out"))
    tree = parse_html(html, POLICY)
    return tree_to_blocks(Node("body", {}, list(with_captions_only(MarkupReader(base, lost).children(tree.children)))))


def without_embedded_data(html: str) -> str:
    """Return HTML without its comments and without the data of pictures inside of it, before its size is checked."""
    return _COMMENT.sub("", _DATA_URL.sub("data:image/removed", html))


class MarkupReader:
    """Converts a tree of POLICY into one that `content.blocks` reads."""

    def __init__(self, base: str, warnings: list[ItemWarning]) -> None:
        self._base = base
        self._warnings = warnings
        self._of_noscript: set[str] = set()
        self._pictures: set[str] = set()
        self._converters: dict[str, Callable[[Node], list[Node | str]]] = {
            "a": self._link,
            "img": self._picture,
            "picture": self._responsive_picture,
            "figure": self._figure,
            "table": self._table,
            "ul": self._with_media_after,
            "ol": self._with_media_after,
            "blockquote": self._quote,
            **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), self._with_media_after),
            **dict.fromkeys(("p", "div", "section", "center"), self._box),
            "iframe": self._embedded_page,
            **dict.fromkeys(("video", "audio", "embed", "object"), self._recording),
            "noscript": self._without_scripts,
            "source": self._nothing,
            "param": self._nothing,
        }

    def children(self, nodes: Iterable[Node | str]) -> list[Node | str]:
        """Return the nodes as articles have them."""
        return [one for node in nodes for one in ([node] if isinstance(node, str) else self._element(node))]

    def _element(self, node: Node) -> list[Node | str]:
        converter = self._converters.get(node.tag)
        if converter is not None:
            return converter(node)
        tag = "div" if node.tag in _CONTAINERS else node.tag
        return [Node(tag, node.attributes, self.children(node.children))]

    def _nothing(self, node: Node) -> list[Node | str]:
        return []

    def _warn(self, kind: WarningKind, message: str) -> None:
        self._warnings.append(make_warning(kind, message))

    # Links

    def _link(self, node: Node) -> list[Node | str]:
        if "wp-block-file__button" in node.attributes.get("class", ""):  # the second link to the same file
            return []
        children = self.children(node.children)
        href = node.attributes.get("href", "")
        url = self._target(href)
        if not any(isinstance(one, Node) and has_blocks(one) for one in children):
            return [Node("a", {**node.attributes, "href": url}, children)] if url else children
        if not url:
            return children
        linked = list(linked_texts(children, Node("a", {"href": url})))
        if not any(True for one in linked if isinstance(one, Node) for _ in with_tag(one, "a")) and not is_image_file(
            url
        ):
            self._warn("link", f"the link of a picture was left out: {url[:_SHOWN_CHARACTERS_MAX]}")
        return linked

    def _target(self, href: str) -> str:
        if not href.strip():
            return ""
        url = resolve(self._base, href) if not href.strip().startswith("#") else href.strip()
        if link_url(url) is not None:
            return url
        is_relative = not scheme_of(url) and not url.startswith("/")
        reason = "is relative, and the address of its page is unknown" if is_relative else "is not one that pages have"
        self._warn("link", f"a link was left out, its text was kept: {href[:_SHOWN_CHARACTERS_MAX]!r} {reason}")
        return ""

    # Pictures

    def _picture(self, node: Node) -> list[Node | str]:
        attributes = node.attributes
        if {"emoji", "wp-smiley"} & set(attributes.get("class", "").split()):
            return [attributes.get("alt", "")]
        if attributes.get("width", "").strip() in ("0", "1") and attributes.get("height", "").strip() in ("0", "1"):
            return []  # it counted visits
        url = picture_address(attributes, self._base)
        if not is_usable_picture(url):
            self._lost_picture(url)
            if not url:
                return []  # its text alternative is no caption: scripts of the page would have shown something
            return [Node("img", {LOST: "", "alt": attributes.get("alt", "").strip()})]
        if url in self._of_noscript:  # the same picture for browsers with and without scripts
            return []
        self._pictures.add(url)
        title = attributes.get("title", "").strip()
        kept: dict[str, str] = {name: attributes[name] for name in ("alt", "width", "height") if name in attributes}
        return [Node("img", {**kept, "src": url, "title": title if " " in title else ""})]

    def _lost_picture(self, url: str) -> None:
        if url.startswith("data:"):
            self._warn("image", "a picture inside of the text (data:) was left out; add it to the media store")
        elif not url:
            self._warn("image", "a picture without an address was left out")
        elif not scheme_of(url):
            shown = url[:_SHOWN_CHARACTERS_MAX]
            self._warn(
                "image", f"a picture was left out: {shown!r} is relative; --base-url has the address of the site"
            )
        else:
            self._warn("image", f"a picture was left out: {url[:_SHOWN_CHARACTERS_MAX]!r} is not a web address")

    def _responsive_picture(self, node: Node) -> list[Node | str]:
        images = list(node.elements("img"))
        sources = [one.attributes.get("srcset", "") for one in node.elements("source")]
        if not images and any(sources):
            images = [Node("img", {})]
        for image in images:
            if not picture_address(image.attributes, self._base) and any(sources):
                image.attributes["srcset"] = next(one for one in sources if one)
        return [one for image in images for one in self._picture(image)]

    def _figure(self, node: Node) -> list[Node | str]:
        classes = node.attributes.get("class", "")
        if "bookmark" in classes and any(node.elements("a")):
            return self._bookmark(node)
        if "embed" in classes and not any(node.elements("iframe", "img", "blockquote")):
            return self._embed_figure(node)
        captions = [one for one in node.children if isinstance(one, Node) and one.tag == "figcaption"]
        body = Node("div", {}, self.children(one for one in node.children if one not in captions))
        caption = " ".join(one.text for one in captions).strip() or " ".join(
            one.text for one in body.elements("figcaption") if not any(body.elements("figure"))
        )
        self._report_caption_links(captions)
        images = list(body.elements("img"))
        frames = list(body.elements("iframe"))
        quoted = list(body.elements("table", "blockquote", "pre"))
        if len(images) == 1 and not frames and not quoted and not any(body.elements("figure")):
            rest = Node("div", {}, without_media(body.children)[0])
            own = caption or (rest.text if len(rest.text) <= CAPTION_CHARACTERS_MAX else "")
            more = [rest] if rest.text and caption and rest.text != caption else []
            return [figure(images[0], own), *more]
        if len(frames) == 1 and not images:
            frames[0].attributes["title"] = caption or frames[0].attributes.get("title", "")
            return [body]
        is_table = len(quoted) == 1 and quoted[0].tag == "table" and not images
        shown = quoted if is_table else [body]
        if is_table or not (images or frames or quoted or body.text):
            return [Node("figure", {}, [*(shown if is_table else []), Node("figcaption", {}, [caption])])]
        return [*shown, paragraph([caption])] if caption else [*shown]

    def _bookmark(self, node: Node) -> list[Node | str]:
        """Return the link of a card to another page, with its title and description."""
        url = self._target(next(node.elements("a")).attributes.get("href", ""))
        texts = {
            part: one.text
            for one in node.elements("div", "figcaption")
            for part in ("title", "description")
            if f"bookmark-{part}" in one.attributes.get("class", "")
        }
        title = texts.get("title") or node.text or url
        linked = paragraph([Node("a", {"href": url}, [title])] if url else [title])
        return [linked, paragraph([texts["description"]])] if texts.get("description") else [linked]

    def _report_caption_links(self, captions: Iterable[Node]) -> None:
        for one in captions:
            for link in one.elements("a"):
                if link.attributes.get("href"):
                    url = link.attributes["href"][:_SHOWN_CHARACTERS_MAX]
                    self._warn("link", f"the link of a caption was left out, its text was kept: {url}")

    def _embed_figure(self, node: Node) -> list[Node | str]:
        captions = [one for one in node.children if isinstance(one, Node) and one.tag == "figcaption"]
        rest = Node("div", {}, [one for one in node.children if one not in captions])
        caption, found = " ".join(one.text for one in captions).strip(), _BARE_URL.search(rest.text)
        if found is None:
            return [Node("div", {}, self.children(node.children))]
        return self._address_alone(found[0], caption)

    # Embedded pages, videos, sound

    def _address_alone(self, url: str, caption: str = "") -> list[Node | str]:
        video = video_address(url)
        if video:
            return [Node("iframe", {"src": video, "title": caption})]
        self._warn("embed", f"an embedded page was replaced by a link: {url[:_SHOWN_CHARACTERS_MAX]}")
        linked = paragraph([Node("a", {"href": url}, [caption or url])])
        return [linked]

    def _embedded_page(self, node: Node) -> list[Node | str]:
        names = ("data-src", "data-lazy-src", "data-orig-src", "src")
        url = next((one for name in names if (one := resolve(self._base, node.attributes.get(name, "")))), "")
        video, title = video_address(url), node.attributes.get("title", "").strip()
        if video:
            return [Node("iframe", {"src": video, "title": title})]
        if link_url(url) is None or url.startswith("#"):
            self._warn("embed", "an embedded page without a web address was left out")
            return []
        return self._address_alone(embedded_address(url), title)

    def _recording(self, node: Node) -> list[Node | str]:
        name = {"audio": "audio", "video": "video"}.get(node.tag, "file")
        sources = [node.attributes.get(one, "") for one in ("src", "data-src", "data")]
        sources += [one.attributes.get("src", "") for one in node.elements("source", "embed")]
        sources += [
            one.attributes.get("value", "")
            for one in node.elements("param")
            if one.attributes.get("name", "").lower() in ("movie", "src", "url", "filename")
        ]
        url = next((found for one in sources if one and (found := resolve(self._base, one))), "")
        if video_address(url):
            return [Node("iframe", {"src": video_address(url), "title": node.attributes.get("title", "")})]
        fallback = self.children(one for one in node.children if isinstance(one, Node) and one.tag in ("a", "img", "p"))
        if link_url(url) is None or url.startswith("#"):
            if not (node.tag == "object" and fallback):
                self._warn("embed", f"a <{node.tag}> without a web address was left out")
            return fallback if node.tag == "object" else []
        if node.attributes.get("poster"):
            self._warn("image", f"the still picture of a video was left out: {node.attributes['poster'][:200]}")
        self._warn("file" if name == "file" else "embed", f"a <{node.tag}> was replaced by a link: {url[:200]}")
        shown = node.attributes.get("title") or urlsplit(url).path.rpartition("/")[2] or url
        return [paragraph([Node("a", {"href": url}, [shown])])]

    def _without_scripts(self, node: Node) -> list[Node | str]:
        """Of what only browsers without scripts show, keep the pictures that the others show by a script."""
        found: list[Node | str] = []
        for image in node.elements("img"):
            url = picture_address(image.attributes, self._base)
            if url not in self._pictures:
                found += self._picture(image)
                self._of_noscript.add(url)
        return found

    # Blocks with pictures

    def _with_media_after(self, node: Node) -> list[Node | str]:
        kept, media = without_media(self.children(node.children))
        rest = Node(node.tag, node.attributes, kept)
        return [rest, *media] if rest.text else list(media)

    def _quote(self, node: Node) -> list[Node | str]:
        found = self._with_media_after(node)
        url = node.attributes.get("cite", "") or node.attributes.get("data-instgrm-permalink", "")
        classes = node.attributes.get("class", "")
        is_post = any(one in classes for one in ("instagram-media", "tiktok-embed", "twitter-", "bluesky", "text-post"))
        if is_post and url and link_url(resolve(self._base, url)) is not None:
            return [*found, *self._address_alone(resolve(self._base, url))]
        return found

    def _table(self, node: Node) -> list[Node | str]:
        table = Node("table", node.attributes, self.children(node.children))
        cells = [one for row in table.elements("tr") for one in row.children if isinstance(one, Node)]
        is_layout = len(cells) == 1 or any(has_blocks(one) and any(one.elements("table")) for one in cells)
        if is_layout and not any(one.tag == "th" for one in cells):
            return [Node("div", {}, one.children) for one in outer_cells(table)]
        if any(table.elements("img", "iframe")):
            return captioned_table(table)
        return [table]

    def _box(self, node: Node) -> list[Node | str]:
        if node.tag == "p" or "embed" in node.attributes.get("class", ""):
            text = node.text
            if _BARE_URL.fullmatch(text) and not any(node.elements("a", "img", "iframe", "video", "audio", "figure")):
                if video_address(text):
                    return self._address_alone(text)
                return [paragraph([Node("a", {"href": text}, [text])])]
        if "wp-block-file" in node.attributes.get("class", "") and any(node.elements("a")):
            return [Node("p", {}, self.children(node.elements("a")))]
        children = self.children(node.children)
        if is_caption_box(node.attributes.get("class", "")):
            images = [one for child in children if isinstance(child, Node) for one in with_tag(child, "img")]
            if len(images) == 1:
                kept, _ = without_media(children)
                return [figure(images[0], Node("div", {}, kept).text[:CAPTION_CHARACTERS_MAX])]
        captioned = centred_caption(node, children)
        if captioned is not None:
            return [captioned]
        return [Node("p" if node.tag == "p" else "div", node.attributes, children)]
