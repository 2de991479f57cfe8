"""The AsyncAPI page: the messages on Kafka, for programs that consume or produce them.

The document is generated from `topics` and the message types, so that it agrees with the code.
"""

from functools import cache

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from shared import __version__
from shared.http.security_headers import document_csp
from shared.topics import TOPICS, Topic

REFERENCE = "#/components/schemas/{name}"


def asyncapi_document() -> dict[str, object]:
    """Return the AsyncAPI 3.0 document of all topics."""
    _, schemas = msgspec.json.schema_components(
        [value for topic in TOPICS for value in topic.values], ref_template=REFERENCE
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Presstally events",
            "version": __version__,
            "description": "Other programs may consume these topics, and may produce page-views themselves.",
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            f"{action}-{topic.name}": {"action": action, "channel": {"$ref": f"#/channels/{topic.name}"}}
            for topic in TOPICS
            for action in ("send", "receive")
        },
        "components": {"schemas": schemas},
    }


def _channel(topic: Topic) -> dict[str, object]:
    names = [value.__name__ for value in topic.values]
    config = ", ".join(f"{key}={value}" for key, value in topic.config.items())
    return {
        "address": topic.name,
        "description": f"{topic.purpose} Key: {topic.key}. Kafka settings: {config}. "
        f"Invalid records go to {topic.dead_letters}.",
        "messages": {
            name: {
                "name": name,
                "contentType": "application/json",
                "payload": {"$ref": REFERENCE.format(name=name)},
            }
            for name in names
        },
    }


async def _document(request: Request) -> Response:
    return Response(_encoded_document(), media_type="application/json")


async def _page(request: Request) -> Response:
    html = _html()
    return HTMLResponse(html, headers={"content-security-policy": document_csp(html)})


@cache
def _encoded_document() -> bytes:
    """Return the document, which is made once: anybody may request it."""
    return msgspec.json.encode(asyncapi_document())


@cache
def _html() -> str:
    parts = [_PAGE_HEAD]
    for topic in TOPICS:
        parts.append(Markup("<section><h2><code>{}</code></h2><p>{}</p><dl>").format(topic.name, topic.purpose))
        facts = {
            "Key": topic.key,
            "Value": " or ".join(value.__name__ for value in topic.values) + ", JSON",
            "Dead letters": topic.dead_letters,
        }
        for name, value in {**facts, **topic.config}.items():
            parts.append(Markup("<dt>{}</dt><dd>{}</dd>").format(name, value))
        parts.append(Markup("</dl>"))
        parts += [_fields_table(value, with_name=bool(topic.others)) for value in topic.values]
        parts.append(Markup("</section>"))
    return Markup().join(parts)


def _fields_table(value: type, *, with_name: bool) -> Markup:
    parts = [Markup("<h3>{}</h3>").format(value.__name__)] if with_name else []
    parts.append(Markup("<table><tr><th>field</th><th>type</th><th>required</th></tr>"))
    row = Markup("<tr><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>")
    tag = value.__struct_config__.tag  # type: ignore[attr-defined] # every value is a structure
    if tag is not None:
        parts.append(row.format("type", msgspec.json.encode({"const": tag}).decode(), "yes"))
    for field in msgspec.structs.fields(value):
        kind = msgspec.json.encode(_inline_schema(field.type)).decode()
        parts.append(row.format(field.encode_name, kind, "yes" if field.required else "no"))
    return Markup().join([*parts, Markup("</table>")])


def _inline_schema(kind: type) -> object:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REFERENCE)
    return schema


_PAGE_HEAD = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Presstally events</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}dt{font-weight:600}dd{margin:0 0 .4rem}"
    "code{font-size:.9em}</style><h1>Presstally events</h1><p>Messages on Kafka. Machine-readable: "
    '<a href="/asyncapi.json">asyncapi.json</a> (AsyncAPI 3.0).</p>'
)

ROUTES = [Route("/asyncapi", _page), Route("/asyncapi.json", _document)]
