"""Markup that mutates when a browser parses it again: what the API keeps of it runs nothing, even without a policy."""

import itertools
import json
import random
from typing import Any

import msgspec
from playwright.sync_api import Browser
from pydantic import ValidationError

from services.ingest.content.article_models import CONTENT_FIELDS, ArticleIn
from services.ingest.content.conversion import convert
from services.ingest.content.errors import InvalidContentError

OUTER = [
    *("<svg>", "<math>", "<math><mtext>", "<math><mi>", "<svg><desc>", "<svg><title>", "<svg><foreignObject>"),
    *("<math><annotation-xml encoding='text/html'>", "<math><annotation-xml encoding='image/svg+xml'><svg>"),
    *("<noscript>", "<template>", "<style>", "<title>", "<textarea>", "<xmp>", "<noembed>", "<noframes>", "<iframe>"),
    *("<select>", "<select><template>", "<table>", "<table><tr><td>", "<table><caption>", "<colgroup>", "<option>"),
    *("<form><math><mtext></form><form><mglyph>", "<form id=a><div></form><form id=b>", "<p><table><p>"),
    *("<!--", "<!-->", "<!--x--!>", "<![CDATA[", "<?xml ", "</br>", "</p>", "<listing>\n", "<plaintext>"),
    *("<a href='x' title='", '<a title="', "<a title=`", '<p id="</style>', "<b><i></b>", "<a><a>", "<button><button>"),
    *("<svg><style>", "<math><style>", "<math><mglyph><style>", "<svg></p><style>", "<div><svg><p>", "<h1><h2>"),
    *("<video><source onerror=fire()>", "<details open ontoggle=fire()>", "<dialog open>", "<object>", "<embed src=x>"),
]
INNER = [
    "<img src=x onerror=fire()>",
    "</style><img src=x onerror=fire()>",
    "</title><img src=x onerror=fire()>",
    "</noscript><img src=x onerror=fire()>",
    "</textarea></xmp></noembed></iframe><img src=x onerror=fire()>",
    "--><img src=x onerror=fire()>",
    "--!><img src=x onerror=fire()>",
    "]]><img src=x onerror=fire()>",
    "<img title='--&gt;&lt;/style&gt;&lt;img src=x onerror=fire()&gt;' src=y>",
    "<a title='</style></title></noscript>--><img src=x onerror=fire()>'>x</a>",
    '<p title="</p><img src=x onerror=fire()>">x',
    "&lt;img src=x onerror=fire()&gt;",
    "&amp;lt;img src=x onerror=fire()&amp;gt;",
    "<mglyph><malignmark><style><img src=x onerror=fire()></style>",
    "<style><!--</style><img src=x onerror=fire()>-->",
    "<svg onload=fire()>",
    "<svg><animate onbegin=fire() attributeName=x dur=1s>",
    "<svg><a xlink:href='javascript:fire()'><text>x</text></a></svg>",
    "<math href='javascript:fire()'>x</math>",
    "<a href='java\tscript:fire()'>x</a>",
    "<a href='&#1;javascript:fire()'>x</a>",
    "<a href='javascript&colon;fire()'>x</a>",
    "<a href='data:text/html,<script>fire()</script>'>x</a>",
    "<a href='vbscript:fire()'>x</a><a href='//x\\@y' ping='javascript:fire()'>y</a>",
    "<iframe srcdoc='<script>parent.fire()</script>'></iframe>",
    "<script>fire()</script>",
    "<scr<script>ipt>fire()</script>",
    "<base href='javascript:fire()//'><a href=x>x</a>",
    "<meta http-equiv=refresh content='0;url=javascript:fire()'>",
    "<link rel=stylesheet href=x onload=fire()>",
    "<form action='javascript:fire()'><button>x</button></form>",
    "<input autofocus onfocus=fire()>",
    "<x style='animation-name:x' onanimationstart=fire()>",
    "<img src='x' srcset='y 1x' sizes='z' onerror=fire() onerror=fire()>",
    "<img/src/onerror=fire()>",
    "<img \x00src=x o\x00nerror=fire()>",
    "<ımg src=x onerror=fire()>",
    "\ufeff<img src=x onerror=fire()>\u2028",
]
RANDOM_CASES = 2_000
CHECK = """async fragments => {
  window.fired = 0; window.fire = () => window.fired++;
  const bad = [], allowed = new Set(ALLOWED);
  const look = (root, number, how) => {
    for (const one of root.querySelectorAll('*')) {
      if (!allowed.has(one.nodeName.toLowerCase())) bad.push([number, how, one.nodeName, one.outerHTML.slice(0, 200)]);
      for (const {name, value} of one.attributes) {
        if (/^on|^style$|^srcdoc$|^ping$|action$|^xlink/i.test(name)) bad.push([number, how, name, value]);
        if (/^(href|src|cite)$/i.test(name) && !/^(https?:|mailto:|tel:|[/#?]|[^:]*$)/i.test(value))
          bad.push([number, how, name, value]);
      }
    }
  };
  const box = document.body.appendChild(document.createElement('main'));
  for (const [number, html] of fragments.entries()) {
    box.innerHTML = html; look(box, number, 'parsed');
    box.innerHTML = box.innerHTML; look(box, number, 'parsed again');
    const parse = text => new DOMParser().parseFromString(text, 'text/html').body;
    look(parse(`<!doctype html><body>${box.innerHTML}`), number, 'document');
    look(parse(`<body><div>${html}</div></body>`), number, 'quirks');
    for (const link of box.querySelectorAll('a[href]'))
      if (!/^(https?|mailto|tel):$/.test(link.protocol)) bad.push([number, 'link', link.href, '']);
  }
  await new Promise(done => setTimeout(done, 500));
  return {fired: window.fired, bad: bad.slice(0, 20)};
}"""
ALLOWED = [
    "p",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "s",
    "del",
    "ins",
    "sub",
    "sup",
    "br",
    "a",
    "span",
    "q",
    "cite",
    "abbr",
    "code",
    "kbd",
    "samp",
    "mark",
    "small",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "figure",
    "figcaption",
    "img",
    "picture",
    "source",
    "table",
    "caption",
    "colgroup",
    "col",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "td",
    "th",
    "pre",
    "hr",
    "time",
    "dl",
    "dt",
    "dd",
    "div",
    "iframe",
]


def cases() -> list[str]:
    chosen = random.Random(20_261_129)
    found = [outer + inner for outer, inner in itertools.product(OUTER, INNER)]
    found += [
        "".join(chosen.choices(OUTER, k=chosen.randrange(1, 4)))
        + "".join(chosen.choices(INNER, k=chosen.randrange(1, 3)))
        for _ in range(RANDOM_CASES)
    ]
    return found


def kept_of(body: str, body_format: str) -> dict[str, Any] | None:
    """Return the content that the API makes of a body, or None if it refuses it."""
    sent = {"site": "haihau", "section": "tin-tuc", "title": "T", "body": body, "body_format": body_format}
    try:
        return dict(convert(ArticleIn.model_validate(sent), CONTENT_FIELDS).fields)
    except (InvalidContentError, ValidationError):
        return None


def texts_of(value: Any) -> list[str]:
    """Return the markup in blocks, however deep."""
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    if not isinstance(value, dict):
        return []
    return [text for name, one in value.items() for text in ([one] if name == "html" else texts_of(one))]


def test_mutated_markup_runs_nothing_without_a_policy(browser: Browser) -> None:
    """Thousands of nestings of SVG, MathML, raw text and forms: parsed twice by Chromium, no part of them is active."""
    fragments: list[str] = []
    for number, body in enumerate(cases()):
        fields = kept_of(body, "markdown" if number % 5 == 0 else "html")
        if fields is not None:
            fragments += texts_of(msgspec.to_builtins(fields["body"]))
    assert len(fragments) > 700
    page = browser.new_page()
    page.route("**/*", lambda route: route.abort())
    found = page.evaluate(CHECK.replace("ALLOWED", json.dumps(ALLOWED)), fragments)
    page.close()
    assert found == {"fired": 0, "bad": []}, [fragments[one[0]] for one in found["bad"][:3]]
