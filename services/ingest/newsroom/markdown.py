"""The blocks of a body ↔ Markdown, for forms without scripts: nothing of a body is lost. Pure.

Markdown is read by the same code as that of the API. Beyond that there are lines of their own: a picture
(`![alt](media:ID "caption"){credit="…"}`), a document (`[name](file:ID)`), another article (`[→](article:ID)`), and
the address of a video. What none of
these can say stays a fenced block of JSON. A form is only used if reading it gives the block back: that is checked.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from html.parser import HTMLParser
from typing import Any

import msgspec

from services.ingest.content.conversion import body_of
from services.ingest.content.errors import InvalidContentError, invalid
from shared.articles import (
    Block,
    BulletList,
    Embed,
    Figure,
    File,
    Focus,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Related,
    Table,
)
from shared.embeds import embed_url, parse_embed

FENCE = "block"
"""The language of a fenced block that has a block as JSON."""
BREAK = "<!-- -->"
"""Between two lists or quotations, which would be one otherwise."""
_FENCED = re.compile(rf"^```{FENCE}[ \t]*\n(.*?)\n```[ \t]*$", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(
    r"!\[(?P<alt>(?:[^\]\\\n]|\\.)*)\]\((?P<target>[^\s()\"]+)(?: \"(?P<caption>(?:[^\"\\\n]|\\.)*)\")?\)"
    r"(?:\{(?P<more>(?:[^{}\"\n]|\"(?:[^\"\\\n]|\\.)*\")*)\})?"
)
_FILE = re.compile(r"\[(?P<name>(?:[^\]\\\n]|\\.)+)\]\(file:(?P<id>[0-9a-f]{32,64})\)")
_RELATED = re.compile(r"\[[^\]\n]*\]\(article:(?P<id>[A-Za-z0-9_-]{1,64})\)")
_MORE = re.compile(r'(credit|focus)="((?:[^"\\]|\\.)*)"')
_ADDRESS = re.compile(r"https?://\S+")
_CITE = "— "
_LIGHT = re.compile(r"([\\`*_\[\]<>~|])|^(\s*)([#+>-])(?=\s)|^(\s*\d+)([.)])(?=\s)", re.MULTILINE)
_HEAVY = re.compile(r"([!-/:-@\[-`{-~])")
_BLOCKS = msgspec.json.Decoder(list[Block])


def blocks_to_markdown(body: Sequence[Any]) -> str:
    """Return blocks, as the API has them, as Markdown that `markdown_to_blocks` reads back."""
    blocks: list[Block] = msgspec.convert(list(body), list[Block])
    wanted = [_sent(one) for one in blocks]
    parts = [_written(one) for one in wanted]
    text = "\n\n".join(parts)
    if _read(text) == wanted:
        return text
    text = f"\n\n{BREAK}\n\n".join(parts)
    return text if _read(text) == wanted else "\n\n".join(_fenced(one) for one in wanted)


def markdown_to_blocks(text: str) -> list[dict[str, Any]]:
    """Return the blocks of Markdown as the API takes them.

    Raises:
        InvalidContentError: it is too large, or a fenced block is not valid.
    """
    found: list[dict[str, Any]] = msgspec.to_builtins(_blocks_of(text))
    return found


def api_blocks(text: str) -> list[dict[str, Any]]:
    """Return the blocks of Markdown for a request: what is in a library has no address, which the API fills in.

    Raises:
        InvalidContentError: like `markdown_to_blocks`.
    """
    return request_blocks(markdown_to_blocks(text))


def form_blocks(body: str | Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks of a form's body for a request: it is Markdown, or blocks of `sent_blocks`.

    Raises:
        InvalidContentError: like `markdown_to_blocks`.
    """
    return api_blocks(body) if isinstance(body, str) else request_blocks(body)


def request_blocks(blocks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return blocks of `sent_blocks` for a request: what is in a library has no address."""
    return [_without_address(block) for block in blocks]


def _without_address(block: dict[str, Any]) -> dict[str, Any]:
    if block.get("image"):
        return {**block, "image": _without_address(block["image"])}
    if not block.get("media") or block.get("url"):
        return block
    return {name: value for name, value in block.items() if name != "url"}


def sent_blocks(body: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the blocks of an article without what the API fills in, to compare them with those of a form."""
    blocks: list[Block] = msgspec.convert(list(body), list[Block])
    found: list[dict[str, Any]] = msgspec.to_builtins([_sent(one) for one in blocks])
    return found


def _sent(block: Block) -> Block:
    """Return a block without what the API fills in of an image or file in its library."""
    if isinstance(block, Figure) and block.image is not None:
        return Figure(block.caption, _sent_image(block.image), block.credit)
    if isinstance(block, File) and block.media is not None:
        return File("", block.name, block.media)
    return Related(block.article) if isinstance(block, Related) else block


def _sent_image(image: Image) -> Image:
    if image.media is not None:
        return Image("", image.alt, media=image.media, focus=image.focus)
    return msgspec.structs.replace(image, crops=[])


def _read(text: str) -> list[Block] | None:
    try:
        return _blocks_of(text)
    except InvalidContentError:
        return None


def _blocks_of(text: str) -> list[Block]:
    found: list[Block] = []
    plain: list[str] = []

    def flush() -> None:
        if plain:
            found.extend(_with_cite(one) for one in body_of("\n\n".join(plain), "markdown"))
            plain.clear()

    for paragraph, block in _paragraphs(text):
        if block is None:
            plain.append(paragraph)
        else:
            flush()
            found.append(block)
    flush()
    return found


def _paragraphs(text: str) -> Iterator[tuple[str, Block | None]]:
    """Yield what blank lines separate; with its block if it is one of the lines of our own."""
    at = 0
    for fenced in _FENCED.finditer(text):
        yield from _plain_paragraphs(text[at : fenced.start()])
        yield "", _of_json(fenced[1])
        at = fenced.end()
    yield from _plain_paragraphs(text[at:])


def _plain_paragraphs(text: str) -> Iterator[tuple[str, Block | None]]:
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        yield paragraph, _of_line(paragraph.strip())


def _of_json(text: str) -> Block:
    try:
        (block,) = _BLOCKS.decode(f"[{text}]".encode())
    except (msgspec.MsgspecError, ValueError, UnicodeEncodeError) as error:
        raise invalid("body", "invalid_fence", fence=FENCE, reason=str(error)[:200]) from error
    return block


def _of_line(line: str) -> Block | None:
    if _ADDRESS.fullmatch(line):
        return parse_embed(line, "")
    if file := _FILE.fullmatch(line):
        return File("", _unescaped(file["name"]), file["id"])
    if related := _RELATED.fullmatch(line):
        return Related(related["id"])
    if (picture := _PICTURE.fullmatch(line)) is None:
        return None
    more = {name: _unescaped(value) for name, value in _MORE.findall(picture["more"] or "")}
    focus = re.fullmatch(r"([01](?:\.\d+)?),([01](?:\.\d+)?)", more.get("focus", ""))
    point = Focus(float(focus[1]), float(focus[2])) if focus else None
    target, alt = picture["target"], _unescaped(picture["alt"])
    if target.startswith("media:"):
        image = Image("", alt, media=target.removeprefix("media:"), focus=point)
    elif target.startswith(("/", "http:", "https:")):
        image = Image(target, alt, focus=point)
    else:
        return None
    return Figure(_unescaped(picture["caption"] or ""), image, more.get("credit") or None)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _with_cite(block: Block) -> Block:
    """Return a quotation with whose it is, if its last line says that."""
    if isinstance(block, Quote) and len(block.paragraphs) > 1 and block.paragraphs[-1].startswith(_CITE):
        name = re.sub(r"<[^>]*>", "", block.paragraphs[-1].removeprefix(_CITE))
        return Quote(block.paragraphs[:-1], unescape(name).strip() or None)
    return block


def _written(block: Block) -> str:
    """Return the plainest form of a block that reads back as it is."""
    for form in _forms(block):
        if form is not None and _read(form) == [block]:
            return form
    return _fenced(block)


def _fenced(block: Block) -> str:
    return f"```{FENCE}\n{msgspec.json.encode(block).decode()}\n```"


def _forms(block: Block) -> Iterator[str | None]:
    match block:
        case Embed() if not block.title:
            yield _video_address(block)
        case Figure():
            yield _picture(block)
        case File() if block.media is not None:
            yield f"[{_quoted(block.name, ']')}](file:{block.media})"
        case Related():
            yield f"[→](article:{block.article})"
        case Table():
            yield _html_table(block)
        case Paragraph() | Heading() | BulletList() | Quote():
            for style in (_Style(_LIGHT), _Style(_HEAVY), _Style(_HEAVY, has_marks=False)):
                yield _text_block(block, style)
            yield _html_block(block)


def _video_address(block: Embed) -> str:
    url = {"youtube": f"https://www.youtube.com/watch?v={block.id}", "vimeo": f"https://vimeo.com/{block.id}"}
    return url.get(block.provider) or embed_url(block)


def _quoted(text: str, end: str) -> str:
    return re.sub(rf"([\\{re.escape(end)}])", r"\\\1", text)


def _picture(block: Figure) -> str | None:
    image = block.image
    if image is None:
        return None
    more = [f'credit="{_quoted(block.credit, chr(34))}"'] if block.credit else []
    more += [f'focus="{image.focus.x:g},{image.focus.y:g}"'] if image.focus else []
    caption = f' "{_quoted(block.caption, chr(34))}"' if block.caption else ""
    target = f"media:{image.media}" if image.media else image.url
    end = f"{{{' '.join(more)}}}" if more else ""
    return f"![{_quoted(image.alt, ']')}]({target}{caption}){end}"


class _Style:
    """How text is escaped, and whether bold and italics are marks or tags."""

    def __init__(self, special: re.Pattern[str], *, has_marks: bool = True) -> None:
        self.special = special
        self.has_marks = has_marks

    def inline(self, html: str) -> str:
        """Return inline HTML as Markdown."""
        reader = _Inline(self)
        reader.feed(html)
        reader.close()
        return "".join(reader.parts)

    def text(self, text: str) -> str:
        """Return text with its special characters escaped."""
        if self.special is _HEAVY:
            return _HEAVY.sub(r"\\\1", text)
        return _LIGHT.sub(_escape_lightly, escape(text, quote=False).replace("&lt;", "<").replace("&gt;", ">"))


def _escape_lightly(found: re.Match[str]) -> str:
    if found[1]:
        return f"\\{found[1]}"
    return f"{found[2]}\\{found[3]}" if found[3] else f"{found[4]}\\{found[5]}"


class _Inline(HTMLParser):
    def __init__(self, style: _Style) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._style = style
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "br":
            self.parts.append("\\\n" if self._style.has_marks else "<br>")
        elif tag == "a":
            title = f' "{_quoted(given["title"], chr(34))}"' if given.get("title") else ""
            self._links.append(f"](<{given.get('href', '')}>{title})")
            self.parts.append("[")
        elif tag in ("strong", "em") and self._style.has_marks:
            self.parts.append("**" if tag == "strong" else "*")
        else:
            self.parts.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self.parts.append(self._links.pop().replace("](<", "](").replace(">)", ")") if self._links else "")
        elif tag in ("strong", "em") and self._style.has_marks:
            self.parts.append("**" if tag == "strong" else "*")
        elif tag != "br":
            self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(self._style.text(data))


def _text_block(block: Paragraph | Heading | BulletList | Quote, style: _Style) -> str | None:
    match block:
        case Paragraph():
            return style.inline(block.html)
        case Heading():
            text = style.inline(block.html)
            return None if "\n" in text else f"{'#' * block.level} {text}"
        case BulletList():
            return "\n".join(_items(block.items, style, is_ordered=block.ordered))
        case Quote():
            lines = [style.inline(html) for html in block.paragraphs]
            lines += [f"{_CITE}{style.text(block.cite)}"] if block.cite else []
            return "\n>\n".join(f"> {line.replace(chr(10), chr(10) + '> ')}" for line in lines)


def _items(items: Sequence[Item], style: _Style, *, is_ordered: bool, depth: int = 0) -> Iterator[str]:
    for number, item in enumerate(items, 1):
        mark = f"{number}. " if is_ordered else "- "
        indent = "    " * depth
        inside = f"\n{indent}{' ' * len(mark)}"
        yield f"{indent}{mark}{style.inline(item.html).replace(chr(10), inside)}"
        yield from _items(item.items, style, is_ordered=item.ordered, depth=depth + 1)


def _html_block(block: Paragraph | Heading | BulletList | Quote) -> str:
    match block:
        case Paragraph():
            return f"<p>{block.html}</p>"
        case Heading():
            return f"<h{block.level}>{block.html}</h{block.level}>"
        case Quote():
            return f"<blockquote>{''.join(f'<p>{html}</p>' for html in block.paragraphs)}</blockquote>"
        case BulletList():
            return _html_list(block.items, is_ordered=block.ordered)


def _html_list(items: Sequence[Item], *, is_ordered: bool) -> str:
    tag = "ol" if is_ordered else "ul"
    inside = "".join(
        f"<li>{one.html}{_html_list(one.items, is_ordered=one.ordered) if one.items else ''}</li>\n" for one in items
    )
    return f"<{tag}>\n{inside}</{tag}>"


def _html_table(block: Table) -> str:
    caption = f"<caption>{escape(block.caption, quote=False)}</caption>\n" if block.caption else ""
    rows = []
    for row in block.rows:
        cells = []
        for cell in row:
            tag = "th" if cell.header else "td"
            spans = [f' {name}="{n}"' for name, n in (("colspan", cell.colspan), ("rowspan", cell.rowspan)) if n > 1]
            cells.append(f"<{tag}{''.join(spans)}>{cell.html}</{tag}>")
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    return f"<table>\n{caption}{''.join(rows)}</table>"
