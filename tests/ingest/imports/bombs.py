"""Files that are small and want to become large or slow, by format; each is read in a forked process, and measured.

`python -m tests.ingest.imports.bombs` prints {name: [megabytes, processor seconds, last outcome]} as JSON.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from itertools import pairwise

from services.ingest.content.sanitizer import MARKUP_CHARACTERS_MAX
from services.ingest.imports.detection import READERS
from services.ingest.imports.item import FormatError, UnreadableItem

MEGABYTE = 1024 * 1024
PAGE = 249_000
assert PAGE < MARKUP_CHARACTERS_MAX


def _laughs(levels: int = 30) -> str:
    names = [f"a{number}" for number in range(levels)]
    lines = [f'a0: &a0 ["{"x" * 20}"]']
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairwise(names)]
    return "\n".join([*lines, f"title: *{names[-1]}"])


def _merges(levels: int = 30) -> str:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join([*lines, f"title: *a{levels - 1}"])


def _front(text: str) -> bytes:
    return f"---\n{text}\n---\nBody\n".encode()


def _titled(text: str) -> bytes:
    return f"---\ntitle: A\n---\n{text}".encode()


def _entities(levels: int = 12) -> str:
    lines = ['<!ENTITY e0 "laugh">']
    lines += [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels)]
    return f"<!DOCTYPE rss [{''.join(lines)}]>"


def _rss(item: str, before: str = "") -> bytes:
    return f'<?xml version="1.0"?>{before}<rss><channel><item>{item}</item></channel></rss>'.encode()


def _html(body: str) -> bytes:
    return f"<html><head><title>A</title></head><body><h1>A</h1>{body}</body></html>".encode()


def _post(content: str, before: str = "") -> bytes:
    names = 'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:wp="http://wordpress.org/export/1.2/"'
    parts = "<title>A</title><wp:post_id>1</wp:post_id><wp:post_type>post</wp:post_type><wp:status>publish</wp:status>"
    text = f"<content:encoded><![CDATA[{content}]]></content:encoded>"
    return f'<?xml version="1.0"?><rss {names}><channel>{before}<item>{parts}{text}</item></channel></rss>'.encode()


def _attachments(count: int) -> str:
    kind = "<wp:post_type>attachment</wp:post_type><wp:post_parent>1</wp:post_parent>"
    address = "<wp:attachment_url>http://a.example/b.jpg</wp:attachment_url>"
    return "".join(f"<item>{kind}{address}<wp:post_id>{n + 2}</wp:post_id></item>" for n in range(count))


def _ndjson(**more: object) -> bytes:
    return json.dumps({"external_id": "1", "title": "A", "lead": "", "body": "<p>b</p>", **more}).encode()


DIGITS = "9" * MEGABYTE
DEEP = 100_000
ATTRIBUTES = " ".join(f"a{number}=''" for number in range(100_000))
MARKDOWN = {
    "brackets": "[" * PAGE,
    "images": "![" * (PAGE // 2),
    "emphasis": "*a _b " * (PAGE // 6),
    "links": "[a](<b" * (PAGE // 6),
    "backticks": "".join(f"e{'`' * number}" for number in range(700)),
    "quotes": ">" * PAGE,
    "lists": "- " * (PAGE // 2),
    "comments": "<!--" * (PAGE // 4),
    "tags": "<a " * (PAGE // 3),
    "entities": "&" * PAGE,
    "table": "|".join("a" * 900) + "\n" + "|".join("-" * 900) + "\n" + "a\n" * 100_000,
    "references": f"[a]: {'b' * 100_000}\n" + "[a]" * 40_000,
}
MARKS = "a" + "\u0300\u0316" * 100_000
UNCLOSED = "<p>" + "".join(f"<b a={number}></x>" for number in range(6_000)) + "<p>x" * 6_000
HIDDEN_ENDS = "".join(f"<div a={number} x='</div>'>" for number in range(6_000)) + "<p>x" * 6_000
"""Their end tags are in attributes; what they seem to end continues."""
TEMPLATES = {
    "hugo": "{{< a ",
    "hugo comments": "{{/*",
    "liquid raw": "{% raw %}",
    "liquid tags": "{% a '",
    "values": "{{ a ",
    "links by name": "[]({{<ref ",
    "links of posts": "[]({{",
    "attribute lists": "{:",
}
SHORTCODES = {
    "without ends": "[video]" * 5_000 + "x" * 200_000,
    "attributes": f"[zz {'a' * 200_000}]",
    "captions": f"[caption]{'<a ' * 80_000}[/caption]",
    "galleries": "[gallery]" * 5_000,
}
PARAGRAPHS = {
    "pre": "<pre>" * 40_000,
    "lines": "\n" * 200_000 + "x",
    "blanks": f"x{' ' * 200_000}y",
}
BOMBS: dict[str, tuple[str, bytes]] = {
    **{f"markdown {name}": ("markdown", _titled(text)) for name, text in MARKDOWN.items()},
    **{f"template {name}": ("markdown", _titled(text * (PAGE // len(text)))) for name, text in TEMPLATES.items()},
    "template blanks": ("markdown", _titled("{{" + " " * 100_000)),
    "template blanks in a tag": ("markdown", _titled("{{< a" + " " * 100_000 + "{% a" + " " * 100_000)),
    "template captions": ("markdown", _titled('{{< figure src="a" caption="' + "<" * 200_000 + '" >}}')),
    "markdown first heading": ("markdown", ("# a" + " #" * 100_000 + "b").encode()),
    "markdown marks": ("markdown", _titled(MARKS)),
    "json front matter": ("markdown", b'{"a":[' + b"[]," * (5 * MEGABYTE) + b"0]}"),
    "toml keys": ("markdown", b"+++\n" + b"a." * 16_000 + b"a = 1\n+++\nBody\n"),
    "yaml blanks": ("markdown", _front("title: A: b: [\n" + "a:" + " " * 60_000 + "b\nc: [")),
    **{f"shortcodes {name}": ("wxr", _post(text, _attachments(300))) for name, text in SHORTCODES.items()},
    **{f"paragraphs {name}": ("wxr", _post(text)) for name, text in PARAGRAPHS.items()},
    "xml unclosed comments": ("feed", _rss("<!--" * 400_000)),
    "xml declarations": ("feed", b"<!DOCTYPE rss [" * 60_000),
    "xml author": ("feed", _rss(f"<title>t</title><author>{'@' * 500_000}</author>")),
    "xml time": ("feed", _rss(f"<title>t</title><pubDate>{'(' * 500_000}</pubDate>")),
    "json marks": ("ninjs", json.dumps([{"uri": "a", "title": MARKS, "body_html": f"<p>{MARKS}"}]).encode()),
    "ndjson marks": ("ndjson", _ndjson(lead=MARKS)),
    "ndjson unclosed formatting": ("ndjson", _ndjson(body=UNCLOSED)),
    "ndjson hidden ends": ("ndjson", _ndjson(body=HIDDEN_ENDS)),
    "xml unclosed formatting": ("wxr", _post(UNCLOSED)),
    "html unclosed formatting": ("html", _html(UNCLOSED)),
    "html late pictures": ("html", _html(f"<p>{'x ' * 300}<img src='{'_lazy' * 40_000}'></p>")),
    "yaml aliases": ("markdown", _front(_laughs())),
    "yaml merges": ("markdown", _front(_merges())),
    "yaml itself": ("markdown", _front("title: &a [*a]")),
    "yaml lists": ("markdown", _front("title: " + "[" * 30_000 + "]" * 30_000)),
    "yaml block lists": ("markdown", _front("title:\n " + "- " * 30_000 + "a")),
    "yaml mappings": ("markdown", _front("title: " + "{a: " * 10_000)),
    "yaml keys": ("markdown", _front("".join(f"k{number}: 1\n" for number in range(20_000)))),
    "yaml digits": ("markdown", _front(f"title: {'9' * 60_000}")),
    "yaml binary digits": ("markdown", _front(f"title: 0b{'1' * 60_000}")),
    "yaml sexagesimal": ("markdown", _front(f"title: 1{':59' * 20_000}")),
    "yaml exponent": ("markdown", _front("views: 1e999999999\ntitle: A")),
    "yaml date": ("markdown", _front("date: 2026-99-99\ntitle: A")),
    "yaml long": ("markdown", _front("title: |\n " + "x" * 5_000_000)),
    "yaml unclosed": ("markdown", b"---\n" + b"a: b\n" * 500_000),
    "json lists": ("ninjs", b"[" * MEGABYTE),
    "json objects": ("ghost", b'{"db":' * 200_000),
    "json empty lists": ("ninjs", b"[" + b"[]," * (5 * MEGABYTE) + b"0]"),
    "json empty objects": ("ghost", b'{"db":[{"data":{"posts":[' + b"{}," * (5 * MEGABYTE) + b"0]}}]}"),
    "json strings": ("nukeviet", b"[" + b'"a",' * (4 * MEGABYTE) + b"0]"),
    "json unterminated": ("ninjs", b"[" * 600_000 + b'"' + b"\\" * (4 * MEGABYTE)),
    "json digits": ("ninjs", f'[{{"uri":"a","headlines":[{{"value":{DIGITS}}}]}}]'.encode()),
    "json exponent": ("ninjs", b'[{"uri":"a","headlines":[{"value":1e999999999}]}]'),
    "json text": ("ninjs", f'[{{"uri":"a","title":"t","body_html":"{"<b>" * MEGABYTE}"}}]'.encode()),
    "ndjson lines": ("ndjson", b"\n" * (32 * MEGABYTE)),
    "ndjson blank lines": ("ndjson", b" \t\r\n" * (8 * MEGABYTE)),
    "ndjson lists": ("ndjson", b'{"a":' + b"[" * DEEP),
    "ndjson empty lists": ("ndjson", b'{"body":[' + b"[]," * (5 * MEGABYTE) + b"[]]}"),
    "ndjson invalid tags": ("ndjson", _ndjson(tags=[1] * 400_000)),
    "ndjson invalid blocks": ("ndjson", _ndjson(body=[{}] * 200_000)),
    "ndjson unknown fields": ("ndjson", _ndjson(**{f"f{number}": 1 for number in range(100_000)})),
    "ndjson nested items": (
        "ndjson",
        b'{"external_id":"1","title":"A","body":[{"type":"list","items":' + b'[{"html":"a","items":' * 400,
    ),
    "ndjson row": ("ndjson", _ndjson(title="x" * (16 * MEGABYTE))),
    "ndjson digits": ("ndjson", f'{{"external_id":"1","title":"A","body":"b","views":{DIGITS}}}'.encode()),
    "ndjson markdown": ("ndjson", _ndjson(body="[" * PAGE, body_format="markdown")),
    "xml entities": ("feed", _rss("<title>&e11;</title>", _entities())),
    "xml entities in an attribute": ("feed", _rss('<enclosure url="&e11;" type="image/png"/>', _entities())),
    "xml entities after a comment": ("feed", _rss("<title>&e11;</title>", f"<!--{'x' * 200_000}-->{_entities()}")),
    "xml entities in utf-16": ("wxr", _rss("<title>&e11;</title>", _entities()).decode().encode("utf-16")),
    "xml nesting": ("feed", b"<rss>" + b"<a>" * DEEP),
    "xml nesting in an item": ("feed", _rss("<a>" * 90 + "</a>" * 90 + "<b>" * DEEP)),
    "xml elements outside": ("feed", b"<rss><channel>" + b"<a/>" * 500_000 + b"</channel></rss>"),
    "xml elements in an item": ("feed", _rss("<a/>" * 500_000)),
    "xml comments": ("wxr", b"<rss><channel>" + b"<!---->" * MEGABYTE + b"</channel></rss>"),
    "xml instructions": ("wxr", b"<rss><channel>" + b"<?a?>" * MEGABYTE + b"</channel></rss>"),
    "xml attributes": ("feed", _rss(f"<a {ATTRIBUTES}/>")),
    "xml text": ("feed", _rss(f"<title>{'x' * (9 * MEGABYTE)}</title>")),
    "xml html": ("feed", _rss(f"<title>t</title><description>{'&lt;b&gt;' * MEGABYTE}</description>")),
    "html many short texts": ("html", _html(f"{'<div>ab ' * 30}{'</div>' * 30}" * 300)),
    "html nesting": ("html", _html("<div>" * DEEP)),
    "html inline nesting": ("html", _html("<b><i>" * 24_000)),
    "html nested tables": ("html", _html("<table><tr><td>" * 10_000)),
    "html formatting": ("html", _html("<p>" + "<font><b>" * 100 + "<p>x" * 2_000)),
    "html tags": ("html", _html("<br>" * 2_000_000)),
    "html attributes": ("html", _html(f"<p {ATTRIBUTES}>x</p>")),
    "html attributes without spaces": ("html", _html(f"<p {ATTRIBUTES.replace(' ', '/')}>x</p>")),
    "html attributes like a value": ("html", _html(f"<p x=y='{ATTRIBUTES}>x</p>")),
    "html attributes like a name": ("html", _html(f"<p x'{ATTRIBUTES}'>x</p>")),
    "html many attributes": ("html", _html(f"<p {' '.join(f'a{number}' for number in range(199))}>" * 9_000)),
    "html unclosed tags": ("html", _html("<p " * 40_000)),
    "markdown attributes": ("markdown", _titled(f"<p {ATTRIBUTES[:PAGE]}>x</p>")),
    "ndjson unknown fields of a block": ("ndjson", _ndjson(body=[{f"f{number}": 1 for number in range(100_000)}])),
    "html entities": ("html", _html("&" * (2 * MEGABYTE))),
    "html declaration": ("html", b"<?xml" + b"?" * (4 * MEGABYTE)),
    "html linked data": ("html", _html(f'<script type="application/ld+json">{"[" * DEEP}</script><p>{"x " * 300}</p>')),
    "html linked digits": (
        "html",
        _html(f'<script type="application/ld+json">{{"a":{DIGITS}}}</script><p>{"x " * 300}</p>'),
    ),
    "html counter digits": ("html", _html(f"<p>{'x ' * 300}</p><p>Tất cả: {DIGITS}</p>")),
    "html size": ("html", _html("x" * (16 * MEGABYTE))),
    "text lines": ("text", b"A\n" + b"a\n" * 900_000),
    "text digits": ("text", f"A\nB\nTất cả: {DIGITS}\n".encode()),
    "text separators": ("text", f"A\nB\nTất cả: 1{'.,' * MEGABYTE}x\n".encode()[:490_000]),
    "text source": ("text", f"A\nB\nC\nTheo{' :' * 500_000}".encode()),
    "text size": ("text", b"A\nB\n" + b"x" * (16 * MEGABYTE)),
}


def read(kind: str, content: bytes) -> str:
    """Read a file to its end, and return the last result."""
    outcome = "nothing"
    try:
        for item in READERS[kind](content, "bomb"):
            outcome = item.reason if isinstance(item, UnreadableItem) else f"read: {item.title[:40]}"
    except FormatError as error:
        outcome = f"file {error}"
    return outcome[:200]


def measure(work: Callable[[], str]) -> list[object]:
    """Do work in a forked process; return its growth in megabytes, its processor seconds and its result."""
    source, target = os.pipe()
    pid = os.fork()
    if not pid:
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            outcome = work()
        except BaseException as error:  # noqa: BLE001 - it is the result
            outcome = f"raised {error!r}"[:300]
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(target, json.dumps([round(grown), round(time.process_time() - begun, 2), outcome]).encode())
        os._exit(0)
    os.close(target)
    with os.fdopen(source, "rb") as results:
        result = results.read()
    os.waitpid(pid, 0)
    return list(json.loads(result)) if result else [0, 0.0, "raised nothing: it crashed"]


if __name__ == "__main__":
    for reader in READERS.values():
        importlib.import_module(reader.__module__)  # which is not what a file costs
    read("html", _html(f"<p>{'Một câu dài. ' * 60}</p>"))  # loads the lists of its library
    chosen = [name for name in BOMBS if not sys.argv[1:] or name in sys.argv[1:]]
    print(json.dumps({name: measure(lambda name=name: read(*BOMBS[name])) for name in chosen}, indent=0))
