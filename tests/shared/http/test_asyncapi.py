"""The AsyncAPI document and page agree with the topics and message types."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.requests import Request

from shared.http.asyncapi import ROUTES, asyncapi_document
from shared.topics import TOPICS

REQUEST = Request({"type": "http", "method": "GET", "path": "/asyncapi", "headers": [], "query_string": b""})


def references(value: Any) -> Iterator[str]:
    """Yield all `$ref` in a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


async def body_of(path: str) -> tuple[str, str]:
    (route,) = [route for route in ROUTES if route.path == path]
    response = await route.endpoint(REQUEST)
    return response.body.decode(), response.headers["content-type"]


def test_document_has_a_channel_and_two_operations_for_each_topic() -> None:
    """Programs may consume and produce each topic, and each channel names its dead-letter topic and settings."""
    document: Any = asyncapi_document()
    assert document["asyncapi"] == "3.0.0"
    assert list(document["channels"]) == [topic.name for topic in TOPICS]
    assert set(document["operations"]) == {f"{act}-{topic.name}" for act in ("send", "receive") for topic in TOPICS}
    for topic in TOPICS:
        channel = document["channels"][topic.name]
        assert channel["address"] == topic.name
        assert topic.dead_letters in channel["description"]
        assert all(f"{key}={value}" in channel["description"] for key, value in topic.config.items())


def test_document_references_lead_to_parts_of_it() -> None:
    """Each reference resolves within the document."""
    document: Any = json.loads(msgspec.json.encode(asyncapi_document()))
    found = set(references(document))
    assert len(found) > 10
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_document_schema_requires_the_required_fields(topic: Any) -> None:
    """A schema has the fields of its message type, and requires exactly those without a default."""
    document: Any = asyncapi_document()
    schema = document["components"]["schemas"][topic.value.__name__]
    fields = msgspec.structs.fields(topic.value)
    tagged = {"type"} if topic.others else set()
    assert set(schema["properties"]) == {field.encode_name for field in fields} | tagged
    assert set(schema["required"]) == {field.encode_name for field in fields if field.required} | tagged


async def test_json_route_serves_the_document() -> None:
    """`/asyncapi.json` is the document as JSON."""
    body, media_type = await body_of("/asyncapi.json")
    assert media_type == "application/json"
    assert json.loads(body) == json.loads(msgspec.json.encode(asyncapi_document()))


async def test_page_lists_each_field_of_each_topic() -> None:
    """The page has a table for each topic with a row for each field, and escapes what it shows."""
    body, media_type = await body_of("/asyncapi")
    assert media_type.startswith("text/html")
    sections = body.split("<section>")[1:]
    assert [re.findall("<h2><code>(.*?)</code>", section)[0] for section in sections] == [one.name for one in TOPICS]
    for section, topic in zip(sections, TOPICS, strict=True):
        fields = sum(len(msgspec.structs.fields(value)) + bool(topic.others) for value in topic.values)
        assert section.count("<tr><td>") == fields
        assert topic.dead_letters in section
    assert "<td><code>{&#34;" in body
