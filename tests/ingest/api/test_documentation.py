"""The page of the documentation: its policy and its references. A browser reads it in `tests/browser`."""

import re
from typing import Any

import pytest

from services.ingest.files.rules import EXTENSIONS
from shared.http.security_headers import document_csp


async def test_page_refers_to_this_host_under_its_own_policy(api: Any) -> None:
    """Every reference is a path below /api, and the policy names the page's own script by checksum."""
    answer = await api.call("GET", "/docs", scope=None)
    html = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == document_csp(html)
    assert "sha256-" in answer.headers["content-security-policy"]
    references = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(references) == 3
    assert all(one.startswith("/api/static-offline-docs/") for one in references)
    assert "'/api/openapi.json'" in html
    assert (await api.call("GET", "/redoc", scope=None)).status == 404


async def test_document_is_made_once_and_complete(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making and encoding it takes the event loop milliseconds, and anybody may request it."""
    made = api.app.openapi
    calls = []
    monkeypatch.setattr(api.app, "openapi", lambda: calls.append(1) or made())
    answers = [await api.call("GET", "/openapi.json", scope=None) for _ in range(3)]
    assert len(calls) == 1
    assert {answer.status for answer in answers} == {200}
    assert answers[2].json() == made()
    assert answers[2].headers["content-type"] == "application/json"


async def test_document_says_which_answers_have_a_body_and_of_which_type(api: Any) -> None:
    """Generated clients expect no JSON where a response has no body, or is a file or a page elsewhere."""
    found = {}
    for path, methods in api.app.openapi()["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                assert answer["description"], (method, path, status)
                if status.startswith(("2", "3")):
                    found[f"{method} {path} {status}"] = set(answer.get("content", ()))
    bodiless = [name for name in found if name.endswith((" 204", " 303", " 304"))]
    assert len(bodiless) > 20
    assert not [name for name in bodiless if found[name]]
    assert found["get /files/{file_id}/content 200"] == set(EXTENSIONS)
    assert found["get /media/{medium}/original 200"] == {"image/*"}
