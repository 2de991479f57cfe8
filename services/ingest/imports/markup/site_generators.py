"""The shortcodes of Hugo, Jekyll, Hexo and Eleventy in Markdown → HTML and Markdown, and Markdown → HTML. Pure."""

import re
from collections.abc import Callable
from html import escape

from pyromark import Markdown, Options

from services.ingest.content.sanitizer import check_size
from services.ingest.imports.warnings import ItemWarning, make_warning

# Strangers write these texts: each expression takes linear time, because what it skips ends at the next beginning, and
# because no two of its parts can match the same white space.
_ATTRIBUTES = r"(?:[^\"'`{}<>%]|\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|`[^`]*+`|[<>%](?![}>%])|\{(?![{}>%]))*?"
_HUGO = re.compile(
    rf"\{{\{{(?P<kind>[<%])(?P<comment>/\*)?\s*+(?P<close>/)?\s*+(?P<name>[\w./-]++)(?P<attributes>{_ATTRIBUTES})"
    r"(?:\*/)?[>%]\}\}"
)
_LIQUID = re.compile(rf"\{{%-?\s*+(?P<name>\w++(?:-\w++)*+)(?P<attributes>{_ATTRIBUTES})%\}}")
_LIQUID_COMMENT = re.compile(r"\{%-?\s*comment\s*-?%\}.*?(?:\{%-?\s*endcomment\s*-?%\}|\Z)", re.DOTALL)
_LIQUID_RAW = re.compile(r"\{%-?\s*+raw\s*+-?%\}((?:(?!\{%-?\s*+(?:end)?raw\b).)*+)\{%-?\s*+endraw\s*+-?%\}", re.DOTALL)
_LIQUID_VALUE = re.compile(r"\{\{(?P<name>[\w.\"'/\s|:-]++)\}\}")
_HUGO_COMMENT = re.compile(
    r"\{\{<\s*comment\s*>\}\}.*?(?:\{\{<\s*/\s*comment\s*>\}\}|\Z)|\{\{/\*(?:(?!\{\{/\*|\*/\}\}).)*+\*/\}\}", re.DOTALL
)
_CODE = re.compile(
    r"(?P<fence>(?:^|(?<=\n))[ \t]{0,3}(?P<mark>`{3,}+|~{3,}+)[^\n]*+\n(?:(?![ \t]{0,3}(?:`{3}|~{3}))[^\n]*+\n)*+"
    r"[ \t]{0,3}(?P=mark)[`~]*+[ \t]*+(?=\n|\Z))"
    r"|(?P<html><(?P<tag>pre|code)\b[^<>]{0,200}>(?:(?!</?(?P=tag)\b).)*+</(?P=tag)\s*>)"
    r"|(?P<template>\{\{[<%](?:(?!\{\{|[>%]\}\}).)*+[>%]\}\}|\{%(?:(?!\{%|%\}).)*+%\})"
    r"|(?P<span>(?<!`)(?P<ticks>`{1,10})(?!`)(?:(?!\n[ \t]*\n|(?P=ticks)).){1,2000}+(?P=ticks)(?!`))",
    re.DOTALL | re.IGNORECASE,
)
"""Code, in which shortcodes are text; the attributes of shortcodes may have backticks."""
_CODE_COMMENT = re.compile(r"(\{\{[<%])/\*((?:(?!\{\{).)*?)\*/([>%]\}\})", re.DOTALL)
_RAW_TAG = re.compile(r"\{%-?\s*+(?:end)?raw\s*+-?%\}")
_FILE_LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\((?!https?:|//|#)[^()\s]{1,500}\.(?:md|markdown)(?:#[^()\s]*)?\)")
_ATTRIBUTE = re.compile(
    r"([\w-]+)\s*[=:]\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|`([^`]*)`|([^\s\"'`]+))|\"([^\"]*)\"|'([^']*)'|(\S+)"
)
_KRAMDOWN = re.compile(r"^[ \t]*+\{:[^{}\n]*+\}[ \t]*+$|\{:[^{}\n]*+\}", re.MULTILINE)
_FOOTNOTE_LINK = re.compile(r'<sup class="footnote-reference"><a href="#[^"]*">([^<]*)</a></sup>')
_FOOTNOTE = re.compile(
    r'<div class="footnote-definition" id="[^"]*"><sup class="footnote-definition-label">([^<]*)</sup>\s*(<p>)?'
)
_TASK = re.compile(r'<input disabled="" type="checkbox"( checked="")?\s*/?>')
_LINK_BY_NAME = re.compile(r"\[([^\[\]]*+)\]\(\s*+\{\{[<%]\s*+(?:rel)?ref\s++[^{}]*+\}\}(?:#[^)\s]*+)?\s*+\)")
_POST_URL = re.compile(
    r"\[([^\[\]]*+)\]\(\s*+(?:\{\{[^{}]*+\}\}\s*+)?\{%-?\s*+(?:post_url|link|post_path)\s++[^%]*+%\}\s*+\)"
)
_PICTURES = frozenset(
    ("figure", "img", "image", "picture", "asset_img", "image-gallery", "responsive_image", "imgproc", "zoom-image")
)
_VIDEOS = frozenset(
    ("youtube", "vimeo", "youtubepl", "video", "audio", "mp4", "mp3", "vimeo_simple", "youtube_simple", "youtube_lite")
)
_LINKS = frozenset(
    (
        "tweet",
        "twitter",
        "x",
        "instagram",
        "gist",
        "facebook",
        "tiktok",
        "telegram",
        "bilibili",
        "iframe",
        "embed",
        "map",
    )
)
_options = Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_FOOTNOTES | Options.ENABLE_TASKLISTS
_markdown = Markdown(options=_options | Options.ENABLE_HEADING_ATTRIBUTES)


def markdown_to_html(text: str) -> str:
    """Return Markdown with footnotes, task lists and heading attributes as HTML that is not sanitised.

    Raises:
        MarkupError: it is too large.
    """
    check_size(text)
    html = _markdown.html(text)
    html = _FOOTNOTE_LINK.sub(r"<sup>\1</sup>", html)  # pages have no targets inside of an article
    html = _FOOTNOTE.sub(lambda one: f"<div>{one[2] or ''}<sup>{one[1]}</sup> ", html)
    return _TASK.sub(lambda one: "☑ " if one[1] else "☐ ", html)


class Templates:
    """Replaces the shortcodes and template tags of a text in Markdown."""

    def __init__(self, warnings: list[ItemWarning]) -> None:
        self._warnings = warnings
        self._removed: dict[str, int] = {}

    def replace(self, text: str) -> str:
        """Return the text without shortcodes: as HTML what they show, without the names of those that are unknown."""
        raw: list[str] = []

        def keep_code(found: re.Match[str]) -> str:
            if found["template"]:
                return found[0]
            raw.append(_CODE_COMMENT.sub(r"\1\2\3", _RAW_TAG.sub("", found[0])))
            return f"\x00{len(raw) - 1}\x00"

        text = _CODE.sub(keep_code, text)
        text = _HUGO_COMMENT.sub("", _LIQUID_COMMENT.sub("", text))  # the site's visitors have not seen them

        def keep(found: re.Match[str]) -> str:
            raw.append(found[1])
            return f"\x00{len(raw) - 1}\x00"

        text = _LIQUID_RAW.sub(keep, text)
        for pattern in (_LINK_BY_NAME, _POST_URL, _FILE_LINK):
            text = pattern.sub(self._unresolved_link, text)
        text = _HUGO.sub(self._hugo, text)
        text = _LIQUID.sub(self._liquid, text)
        text = _LIQUID_VALUE.sub(self._value, text)
        text = _KRAMDOWN.sub("", text)
        for name, count in self._removed.items():
            message = f"{count} shortcodes {name} were removed; text inside was kept"
            self._warnings.append(make_warning("shortcode", message))
        kept = [re.sub(r"\x00(\d+)\x00", lambda one: raw[int(one[1])], one) for one in raw]  # code in raw text
        return re.sub(r"\x00(\d+)\x00", lambda one: kept[int(one[1])], text)

    def _unresolved_link(self, found: re.Match[str]) -> str:
        message = f"a link by the name of a file was left out, its text was kept: {found[0][:200]}"
        self._warnings.append(make_warning("link", message))
        return found[1]

    def _hugo(self, found: re.Match[str]) -> str:
        if found["comment"]:  # an example of a shortcode
            return "`" + found[0].replace("/*", "").replace("*/", "") + "`"
        if found["close"]:
            return "\n\n```\n" if found["name"] == "highlight" else ""
        return self._html(found["name"], found["attributes"].rstrip().removesuffix("/"))

    def _liquid(self, found: re.Match[str]) -> str:
        name, attributes = found["name"], found["attributes"].rstrip().removesuffix("-").strip()
        if name in ("include", "include_cached", "include_relative"):
            file, _, attributes = attributes.partition(" ")
            return self._html(re.sub(r"\.\w+$", "", file.strip("\"'")).rpartition("/")[2], attributes)
        if name in ("endhighlight", "endcodeblock", "endcode"):
            return "\n```\n"
        if name.startswith("end") or name in (
            "assign",
            "capture",
            "if",
            "else",
            "elsif",
            "unless",
            "for",
            "case",
            "when",
            "cycle",
        ):
            if not name.startswith("end"):
                self._note(name)
            return ""
        return self._html(name, attributes)

    def _html(self, name: str, text: str) -> str:
        attributes = _attributes(text)
        short = name.rpartition("/")[2].lower().removesuffix(".html")
        if short in ("highlight", "codeblock", "code"):
            return "\n\n```\n"
        makers: tuple[tuple[frozenset[str], Callable[[str, dict[str, str]], str]], ...] = (
            (_PICTURES, _picture),
            (_VIDEOS, _video),
            (_LINKS, _link),
        )
        for names, make in makers:
            if short in names:
                html = make(short, attributes)
                if html:
                    return html
        self._note(name)
        return ""

    def _value(self, found: re.Match[str]) -> str:
        name = found["name"].removeprefix("-").removesuffix("-").strip()
        quoted = re.match(r"[\"']([^\"']*)[\"']\s*\|\s*(?:relative_url|absolute_url|url|prepend)", name)
        if quoted:
            return quoted[1]
        if re.match(
            r"(?:site|page)\.(?:baseurl|url|base|github\.url)\b|base_?url\b|\.Site\.BaseURL", name, re.IGNORECASE
        ):
            return ""
        self._note(f"{{{{ {name[:40]} }}}}")
        return ""

    def _note(self, name: str) -> None:
        self._removed[name] = self._removed.get(name, 0) + 1


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    position = 0
    for one in _ATTRIBUTE.finditer(text.strip()):
        if one[1]:
            found[one[1].lower()] = next((value for value in one.groups()[1:5] if value), "").replace('\\"', '"')
        else:
            value = next((value for value in one.groups()[5:] if value), "")
            if value not in ("/", "|"):
                found[str(position)] = value
                position += 1
    return found


def _first(attributes: dict[str, str], *names: str) -> str:
    return next((attributes[name] for name in names if attributes.get(name)), "")


def _picture(name: str, attributes: dict[str, str]) -> str:
    url = _first(attributes, "src", "url", "file", "path", "image", "image_path", "0")
    if not url:
        return ""
    alt, caption = _first(attributes, "alt"), _first(attributes, "caption", "title", "attr")
    if name == "asset_img" and not caption:
        caption = " ".join(attributes[one] for one in ("1", "2", "3", "4", "5", "6") if one in attributes)
    shown = f"<figcaption>{escape(re.sub('<[^<>]*>', '', caption))}</figcaption>" if caption else ""
    return f'\n\n<figure><img src="{escape(url)}" alt="{escape(alt)}">{shown}</figure>\n\n'


def _video(name: str, attributes: dict[str, str]) -> str:
    identity = _first(attributes, "id", "video", "src", "url", "file", "0")
    if not identity:
        return ""
    if name.startswith("youtube") and "/" not in identity:
        identity = f"https://www.youtube.com/embed/{identity}"
    elif name.startswith("vimeo") and "/" not in identity:
        identity = f"https://player.vimeo.com/video/{identity}"
    elif name in ("video", "audio", "mp4", "mp3"):
        tag = "audio" if name in ("audio", "mp3") else "video"
        return f'\n\n<{tag} src="{escape(identity)}"></{tag}>\n\n'
    return f'\n\n<iframe src="{escape(identity)}" title="{escape(_first(attributes, "title"))}"></iframe>\n\n'


def _link(name: str, attributes: dict[str, str]) -> str:
    user, identity = _first(attributes, "user"), _first(attributes, "id", "src", "url", "0")
    if identity.startswith(("http://", "https://")):
        return f'\n\n<iframe src="{escape(identity)}"></iframe>\n\n'
    if name in ("tweet", "twitter", "x") and identity:
        return (
            f'\n\n<iframe src="https://twitter.com/{escape(user or "i/web")}/status/{escape(identity)}"></iframe>\n\n'
        )
    if name == "instagram" and identity:
        return f'\n\n<iframe src="https://www.instagram.com/p/{escape(identity)}/"></iframe>\n\n'
    if name == "gist" and attributes.get("1"):
        address = f"https://gist.github.com/{attributes['0']}/{attributes['1']}"
        return f'\n\n<iframe src="{escape(address)}"></iframe>\n\n'
    return ""
