"""The rights of every route of the OpenAPI: each scope × an object of the own site, of another site, of none."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.ingest.api.route_rights import (
    DRAFT,
    INCLUDED,
    KEY,
    NOWHERE,
    OPEN,
    OTHER,
    OWN,
    OWN_ACCOUNT,
    PERSON_SCOPES,
    ROUTES,
    SCOPES,
    SECRETS,
    Route,
    World,
    document,
    png,
)
from tests.ingest.conftest import Browser, Newsroom

FORM = "0" * 64


def test_every_route_has_expected_rights(tenants: Any) -> None:
    """A route of the OpenAPI without an expectation here fails, and so does an expectation without its route."""
    found = {
        f"{method.upper()} {path}"
        for path, methods in tenants.app.openapi()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert found == {*ROUTES, *OWN_ACCOUNT, *OPEN}
    assert len(found) == len(ROUTES) + len(OWN_ACCOUNT) + len(OPEN)


async def test_own_routes_need_a_caller(tenants: Any) -> None:
    """Routes of the own account are closed without a session or a token."""
    for name in OWN_ACCOUNT:
        method, path = name.split(" ")
        answer = await tenants.call(method, path.format(session_id=1, key=KEY, form=FORM), None, None)
        assert (answer.status, answer.json()["code"]) == (401, "not_authenticated"), name


@pytest.mark.parametrize("name", ROUTES)
async def test_route_rights_by_scope_and_site(tenants: Any, name: str) -> None:
    """Without the scope it is 401 or 403, on the own site it succeeds, and another site is like none: 403 or 404."""
    world, route = World(tenants), ROUTES[name]
    is_named = route.names in (
        "site",
        "public sites",
        "structure",
        "webhook sites",
        "own webhooks",
        "own people",
        "grants",
    )
    for scope in (None, *SCOPES):
        public = scope is None and route.names.startswith("public")
        allowed = scope is not None and route.scope in INCLUDED[scope]
        answers = {}
        if route.names == "structure":
            for site in (OWN, OTHER):
                await world.section(site)
        for target in (OWN, OTHER, NOWHERE):
            object_id = "khong-co" if route.names.endswith("article") else "0" * (32 if route.names == "file" else 64)
            if route.names == "webhook":
                object_id = "wh_" + "0" * 32 if target == NOWHERE else await world.webhook(target)
            elif not is_named and target != NOWHERE and (allowed or target == OTHER):
                states = ("submit", "approve", "publish") if route.names == "public article" else route.states
                object_id = await world.object(route.names, target, states)
            answer = answers[target] = await world.request(name, route, target, object_id, scope)
            answer.body = answer.body.replace(object_id.encode(), b"ID")
            if not public:
                assert not [secret for secret in SECRETS if secret.encode() in answer.body], (target, answer.body)
        seen = [answers[target].status for target in (OWN, OTHER, NOWHERE)]
        if public:
            assert seen[1:] == [200, 404], (scope, seen)
        elif scope is None:
            assert seen == [401] * 3, (scope, seen)
        elif not allowed:
            assert seen == [403] * 3, (scope, seen)
            assert {answer.json()["missing_scope"] for answer in answers.values()} == {route.scope}
        elif route.names in ("own webhooks", "own people"):
            assert seen == [200] * 3, (scope, seen)
        else:
            refused = 409 if route.names == "bulk" else 403 if is_named else 404
            assert seen == [route.status, refused, refused], (scope, seen, answers[OWN].body)
            assert answers[OTHER].body == answers[NOWHERE].body


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.names == "site"])
async def test_route_without_a_named_site_shows_the_own_only(tenants: Any, name: str) -> None:
    """Lists and uploads that name no site have the objects of the token's site."""
    world, route = World(tenants), ROUTES[name]
    if not name.startswith(("GET", "POST /media", "POST /files")):
        return
    for site in (OWN, OTHER):
        await world.article(site)
        await world.image(site)
        await world.file(site)
    await tenants.call("PUT", f"/autosaves/{KEY}", {"site": OWN, "sequence": 1, "fields": {}}, "admin", OWN)
    sent = {b"image": png(999), b"file": document(999)}.get(route.body) if isinstance(route.body, bytes) else None
    answer = await tenants.call(*name.split(" "), sent, "admin", OWN)
    assert answer.status == route.status
    assert OWN.encode() in answer.body
    assert not [secret for secret in SECRETS if secret.encode() in answer.body]


CASES = {
    "the whole site": ("{scope}:haihau",),
    "its section": ("{scope}:haihau:tin-tuc",),
    "another section": ("{scope}:haihau:thong-bao",),
    "another site": ("{scope}:giao-thuy",),
    "another section, read here": ("{scope}:haihau:thong-bao", "read:haihau"),
    "another site, read here": ("{scope}:giao-thuy", "read:haihau"),
}
"""Where a caller has a scope: its grants. The requests are about an article in the section `tin-tuc` of `haihau`."""
NAMED = ("site", "public sites", "structure", "webhook sites", "grants")
"""Requests that name their site, so that they are 403 where those that name an object are 404."""


def expected(route: Route, scope: str, case: str) -> int:
    """Return the status of a request by who has a scope in a case: of success, or of its refusal."""
    reads_here = case.endswith("read here")
    if route.scope not in INCLUDED[scope] and not (reads_here and route.scope == "read"):
        return 403
    if route.names.startswith("own "):
        return 200  # a list of what the caller administers, which may be nothing
    places = {"the whole site": {"section", "any section", "site"}, "its section": {"section", "any section"}}
    within = places.get(case, {"any section"} if case.startswith("another section") else set())
    if reads_here and route.scope == "read":
        within = places["the whole site"]
    if route.within in within:
        return route.status
    if route.names == "bulk":
        return 409
    is_known = route.names in NAMED or (route.names == "page" and case != "another site")
    return 403 if is_known or (reads_here and route.names in ("article", "public article")) else 404


async def refuted(newsroom: Newsroom, names: Iterable[str], scope: str) -> list[tuple[Any, ...]]:
    """Try routes with a scope in each case; return those whose status is not what the table says."""
    world, wrong = World(newsroom.api), []
    browsers = {
        case: await newsroom.browser(*(one.format(scope=scope) for one in grants)) for case, grants in CASES.items()
    }
    for name in names:
        route = ROUTES[name]
        states = ("submit", "approve", "publish") if route.names == "public article" else route.states
        object_id = ""
        for case, browser in browsers.items():
            status = expected(route, scope, case)
            if route.names == "structure":
                await world.section(OWN)
            elif route.names == "webhook":
                object_id = await world.webhook(OWN)
            elif not object_id and route.names not in NAMED and not route.names.startswith("own "):
                object_id = await world.object(route.names, OWN, states)
            answer = await world.request(name, route, OWN, object_id, scope, browser=browser)
            if answer.status != status:
                wrong.append((name, scope, case, answer.status, status, answer.body[:200]))
            if status == route.status and not name.startswith("GET"):
                object_id = ""
    return wrong


@pytest.mark.parametrize("scope", PERSON_SCOPES)
@pytest.mark.parametrize("part", ["articles", "other objects", "sites"])
async def test_route_rights_by_scope_site_and_section(newsroom: Newsroom, part: str, scope: str) -> None:
    """Every operation is open to those who have its scope where the table says, and to nobody else."""
    kinds = {"article": "articles", "public article": "articles", "bulk": "articles"}
    kinds |= dict.fromkeys(("image", "file", "page", "webhook", "person"), "other objects")
    names = [
        name for name, route in ROUTES.items() if route.names != "structure" and kinds.get(route.names, "sites") == part
    ]
    assert await refuted(newsroom, names, scope) == []


@pytest.mark.parametrize("name", [name for name, route in ROUTES.items() if route.names == "structure"])
async def test_route_rights_by_scope_site_and_section_in_the_structure(newsroom: Newsroom, name: str) -> None:
    """The structure of a site is read by those who read any of its sections, and changed by those of the whole site."""
    assert [wrong for scope in PERSON_SCOPES for wrong in await refuted(newsroom, [name], scope)] == []


@pytest.mark.parametrize("name", [*OWN_ACCOUNT, *OPEN])
async def test_rights_on_the_own_account_do_not_depend_on_scopes(newsroom: Newsroom, name: str) -> None:
    """What belongs to the caller needs no scope, and what is open is the same for everybody."""
    method, path = name.split(" ")
    status = {**OWN_ACCOUNT, **OPEN}[name]
    callers = [await newsroom.browser(f"{scope}:{OWN}:tin-tuc") for scope in PERSON_SCOPES]
    callers += [Browser(newsroom.api)] if name in OPEN else []
    body = None if method == "GET" else {}
    seen = [
        (await one.call(method, path.format(session_id=999_999, key=KEY, form=FORM), body)).status for one in callers
    ]
    assert seen == [status] * len(callers)


async def test_rights_by_section_on_what_has_no_article_yet(newsroom: Newsroom) -> None:
    """Drafts are created in the own sections, moved and listed there only; what concerns the site is closed."""
    world = World(newsroom.api)
    own = await newsroom.browser(f"admin:{OWN}:tin-tuc")
    articles = {section: await world.article(OWN, section=section) for section in ("tin-tuc", "thong-bao")}
    for change, status in (
        ({}, 201),
        ({"section": "thong-bao"}, 403),
        ({"also_in": ["thong-bao"]}, 403),
        ({"site": OTHER}, 403),
        ({"section": "khong-co"}, 403),
    ):
        answer = await own.call("POST", "/articles", {**DRAFT, "site": OWN, **change})
        assert answer.status == status, change
    article = articles["tin-tuc"]
    for change in ({"section": "thong-bao"}, {"also_in": ["thong-bao"]}):
        assert (await own.call("PATCH", f"/articles/{article}", {**change, "version": 1})).status == 403, change
    assert (
        await own.call("PUT", f"/articles/{article}", {**DRAFT, "section": "thong-bao", "version": 1})
    ).status == 403
    shared = await newsroom.api.call("PATCH", f"/articles/{article}", {"also_in": ["thong-bao"], "version": 1})
    assert shared.status == 200
    edited = await own.call("PATCH", f"/articles/{article}", {"lead": "x", "version": 2})
    assert edited.status == 200, "others have placed it in a further section"
    listed = (await own.call("GET", "/articles?limit=100")).json()["articles"]
    assert {one["section"] for one in listed} == {"tin-tuc"}
    assert (await own.call("GET", f"/articles?site={OTHER}")).status == 403
    counts = (await own.call("GET", "/articles/counts")).json()
    assert counts["total"] == len(listed)
    upload = await own.call("POST", f"/media?site={OWN}", png(5), content_type="image/png")
    assert (upload.status, (await own.call("GET", "/media")).status) == (201, 200)
    for method, path in (("GET", "/audit"), ("GET", f"/audit?site={OWN}"), ("POST", f"/imports?site={OWN}")):
        answer = await own.call(method, path, b"{}" if method == "POST" else None)
        assert answer.status == 403 or answer.json()["entries"] == [], path


async def test_moving_a_published_article_needs_both_sections(newsroom: Newsroom) -> None:
    """A publisher of one section neither takes an article out of another nor withdraws what is public there."""
    world = World(newsroom.api)
    one = await newsroom.browser(f"publish:{OWN}:tin-tuc", f"read:{OWN}")
    both = await newsroom.browser(f"publish:{OWN}:tin-tuc", f"publish:{OWN}:thong-bao")
    article = await world.article(OWN, "submit", "approve", "publish", section="thong-bao")
    assert (await one.call("PATCH", f"/articles/{article}", {"section": "tin-tuc", "version": 4})).status == 403
    moved = await both.call("PATCH", f"/articles/{article}", {"section": "tin-tuc", "version": 4})
    assert moved.status == 200
    for name in ("unpublish", "archive", "kill"):
        assert (await one.call("POST", f"/articles/{article}/{name}", {"reason": "x"})).status == 403, name
    for name, version in (("submit", 5), ("approve", 6)):
        assert (await both.call("POST", f"/articles/{article}/{name}", {"version": version})).status == 200
    assert (await one.call("POST", f"/articles/{article}/publish", {"version": 7})).status == 403
    assert (await both.call("POST", f"/articles/{article}/publish", {"version": 7})).status == 200
    assert (await one.call("POST", f"/articles/{article}/unpublish")).status == 200
