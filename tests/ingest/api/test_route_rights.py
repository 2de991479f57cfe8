"""The rights of every route of the OpenAPI: each scope × an object of the own site, of another site, of none."""

import io
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from PIL import Image

from tests.ingest.conftest import Newsroom

OWN, OTHER, NOWHERE = "haihau", "giao-thuy", "nowhere"
SCOPES = ("read", "write", "publish", "admin", "events")
INCLUDED = {
    "read": {"read"},
    "write": {"read", "write"},
    "publish": {"read", "write", "publish"},
    "admin": set(SCOPES),
    "events": {"events"},
}
PERSON_SCOPES = ("read", "write", "publish", "admin")
SECRETS = (OTHER, "Giao Thủy", "Bài của site khác", "bien-dong")
"""What no response to a token of another site may have."""
ARTICLE = "/articles/{article_id}"
KEY = "0b0f6a3e-6a7e-4f6e-9d57-6d2b8f3b8a10"
SECTION = "thu"
"""A section without articles, which each site gets."""


@dataclass(frozen=True)
class Route:
    """What a route needs: its scope, what it names, and a request that succeeds."""

    scope: str
    names: Literal[
        "article",
        "image",
        "file",
        "site",
        "public article",
        "public sites",
        "structure",
        "page",
        "webhook",
        "webhook sites",
        "own webhooks",
        "person",
        "grants",
        "bulk",
    ]
    body: Any = None
    query: str = ""
    states: tuple[str, ...] = ()
    """Transitions and edits of the article before the request."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def transition(*states: str, scope: str = "publish", **body: Any) -> Route:
    return Route(scope, "article", body, states=states)


def structure(scope: str, body: Any = None, status: int = 200) -> Route:
    """A route whose query names the site."""
    return Route(scope, "structure", body, status=status)


DRAFT = {"section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
PERSON = {"email": "moi@haihau.example", "name": "Mới", "grants": [{"scope": "read", "site": "haihau"}]}
WITHOUT_SCOPES = {
    *(f"{method} /me" for method in ("GET", "PATCH")),
    *(f"{method} /me/totp" for method in ("POST", "PUT", "DELETE")),
    "POST /me/recovery-codes",
    *(f"DELETE /sessions/{one}" for one in ("current", "others", "{session_id}")),
    "GET /sessions",
    "GET /people",
    *(f"{method} /autosaves/{{key}}" for method in ("GET", "DELETE")),
}
"""Routes for the own account and without an object: test_me_routes, test_session_routes, test_people_routes,
test_autosave_routes."""
OPEN = {
    "POST /sessions",
    "GET /sessions/methods",
    "GET /sessions/oidc",
    "GET /sessions/oidc/callback",
    "POST /password-resets",
    "POST /login-links",
    "POST /account-links",
    "POST /passwords",
}
"""Routes for people who log in, with their attacks in test_session_routes and test_oidc_routes."""
ROUTES = {
    "GET /articles": Route("read", "public sites"),
    "POST /articles": Route("write", "site", DRAFT, status=201),
    "GET /articles/counts": Route("read", "site"),
    "POST /articles/bulk": Route("write", "bulk", {"action": "tag", "tags": ["x"], "atomic": True}),
    f"GET {ARTICLE}": Route("read", "public article"),
    f"GET {ARTICLE}.ninjs": Route("read", "public article"),
    f"GET {ARTICLE}.jsonld": Route("read", "public article"),
    f"GET {ARTICLE}/publication": Route("read", "public article"),
    f"PUT {ARTICLE}": Route("write", "article", {**DRAFT, "version": 1}),
    f"PATCH {ARTICLE}": Route("write", "article", {"lead": "x", "version": 1}),
    f"DELETE {ARTICLE}": Route("write", "article", status=204, headers={"if_match": "*"}),
    f"POST {ARTICLE}/discard-draft": transition("submit", "approve", "schedule", "edit", scope="write", version=5),
    f"PATCH {ARTICLE}/live": transition("submit", "approve", "publish", tags=["x"], version=4),
    f"POST {ARTICLE}/submit": transition(scope="write"),
    f"POST {ARTICLE}/approve": transition("submit", version=2),
    f"POST {ARTICLE}/refuse": transition("submit", reason="x"),
    f"POST {ARTICLE}/schedule": transition("submit", "approve", publish_at="2100-01-01T00:00:00Z", version=3),
    f"POST {ARTICLE}/unschedule": transition("submit", "approve", "schedule"),
    f"POST {ARTICLE}/publish": transition("submit", "approve", version=3),
    f"POST {ARTICLE}/unpublish": transition("submit", "approve", "publish"),
    f"POST {ARTICLE}/archive": transition("submit", "approve", "publish"),
    f"POST {ARTICLE}/kill": transition(reason="x"),
    f"GET {ARTICLE}/revisions": Route("read", "article"),
    f"GET {ARTICLE}/revisions/{{version}}": Route("read", "article"),
    f"GET {ARTICLE}/diff": Route("read", "article", query="from=1&to=working"),
    f"POST {ARTICLE}/restore": Route("write", "article", {"version": 1}),
    f"PUT {ARTICLE}/autosave": Route("write", "article", {"sequence": 1, "fields": {"title": "x"}}),
    f"GET {ARTICLE}/autosave": Route("read", "article", status=204),
    f"DELETE {ARTICLE}/autosave": Route("read", "article", status=204),
    f"GET {ARTICLE}/comments": Route("read", "article"),
    f"POST {ARTICLE}/comments": Route("write", "article", {"text": "x"}, status=201),
    f"PATCH {ARTICLE}/comments/{{comment_id}}": Route("write", "article", {"is_resolved": True}),
    f"DELETE {ARTICLE}/comments/{{comment_id}}": Route("write", "article", status=204),
    f"PUT {ARTICLE}/presence": Route("read", "article"),
    f"DELETE {ARTICLE}/presence": Route("read", "article", status=204),
    "GET /autosaves": Route("read", "site"),
    "PUT /autosaves/{key}": Route("write", "site", {"sequence": 1, "fields": {"title": "x"}}),
    f"POST {ARTICLE}/previews": Route("write", "article", {}, status=201),
    f"GET {ARTICLE}/previews": Route("write", "article"),
    f"DELETE {ARTICLE}/previews/{{preview}}": Route("write", "article", status=204),
    "POST /webhooks": Route(
        "admin", "webhook sites", {"url": "https://a.example/", "events": ["article.updated"]}, status=201
    ),
    "GET /webhooks": Route("admin", "own webhooks"),
    "GET /webhooks/{webhook}": Route("admin", "webhook"),
    "PATCH /webhooks/{webhook}": Route("admin", "webhook", {"description": "x"}),
    "DELETE /webhooks/{webhook}": Route("admin", "webhook", status=204),
    "POST /webhooks/{webhook}/rotate": Route("admin", "webhook", {}),
    "POST /webhooks/{webhook}/ping": Route("admin", "webhook", {}, status=202),
    "GET /webhooks/{webhook}/deliveries": Route("admin", "webhook"),
    "POST /webhooks/{webhook}/redeliver": Route("admin", "webhook", {}, status=202),
    "GET /audit": Route("admin", "site"),
    "POST /media": Route("write", "site", b"image", status=201),
    "GET /media": Route("read", "site"),
    "GET /media/{medium}": Route("read", "image"),
    "PATCH /media/{medium}": Route("write", "image", {"focus": None}),
    "GET /media/{medium}/original": Route("write", "image"),
    "GET /sections": structure("read"),
    "GET /sections/{slug}": structure("read"),
    "POST /sections": Route("publish", "site", {"name": "Mục {n}"}, status=201),
    "PATCH /sections/{slug}": structure("publish", {"name": "Tên mới"}),
    "POST /sections/{slug}/merge": structure("admin", {"into": "tin-tuc"}),
    "DELETE /sections/{slug}": structure("admin", status=204),
    "POST /files": Route("write", "site", b"file", status=201),
    "GET /files": Route("read", "site"),
    "GET /files/{file_id}": Route("read", "file"),
    "GET /files/{file_id}/content": Route("read", "file"),
    "PATCH /files/{file_id}": Route("write", "file", {"name": "x"}),
    "DELETE /files/{file_id}": Route("write", "file", status=204),
    "POST /people": Route("admin", "grants", PERSON, status=201),
    "GET /people/{person_id}": Route("admin", "person"),
    "PATCH /people/{person_id}": Route("admin", "person", {"name": "Tên mới"}),
    "DELETE /people/{person_id}": Route("admin", "person", status=204),
    "DELETE /people/{person_id}/totp": Route("admin", "person", status=204),
    "DELETE /people/{person_id}/sessions": Route("admin", "person", status=204),
    "POST /people/{person_id}/invitation": Route("admin", "person", status=201),
    "POST /people/{person_id}/password-reset": Route("admin", "person", status=201),
    "GET /tags": structure("read"),
    "GET /tags/{slug}": structure("read"),
    "PATCH /tags/{slug}": structure("publish", {"name": "Thử"}),
    "POST /tags/{slug}/merge": structure("publish", {"into": "thu-2"}),
    "GET /authors": structure("read"),
    "GET /authors/{slug}": structure("read"),
    "POST /authors": Route("publish", "site", {"name": "Tác giả {n}"}, status=201),
    "PATCH /authors/{slug}": structure("publish", {"bio": "x"}),
    "POST /authors/{slug}/merge": structure("publish", {"into": "thu-2"}),
    "DELETE /authors/{slug}": structure("publish", status=204),
    "GET /front-page": structure("read"),
    "PUT /front-page": structure("publish", {"slots": []}),
    "GET /menus/{name}": structure("read"),
    "PUT /menus/{name}": structure("publish", {"items": [{"kind": "home"}]}),
    "DELETE /menus/{name}": structure("publish", status=204),
    "GET /pages": structure("read"),
    "POST /pages": Route("publish", "site", {"title": "Trang", "slug": "t{n}"}, status=201),
    "GET /pages/{page_id}": Route("read", "page"),
    "PATCH /pages/{page_id}": Route("publish", "page", {"title": "x"}),
    "POST /pages/{page_id}/publish": Route("publish", "page"),
    "POST /pages/{page_id}/unpublish": Route("publish", "page"),
    "POST /imports": Route("write", "site", b'{"external_id": "1", "title": "Bai", "section": "tin-tuc"}'),
}


def png(number: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 6), (number % 256, number // 256, 7)).save(content, "PNG")
    return content.getvalue()


def document(number: int) -> bytes:
    return b"%PDF-1.7\n%% " + str(number).encode() + b"\n%%EOF\n"


class World:
    """Articles and images of two sites, made with tokens of all sites."""

    def __init__(self, tenants: Any) -> None:
        self.api = tenants
        self.count = 0

    async def article(self, site: str, *states: str, section: str = "tin-tuc") -> str:
        title = "Bài của site khác" if site == OTHER else "Bài của mình"
        article = await self.api.create(title, site=site, section=section)
        for version, name in enumerate(states, 1):
            body = {"version": version} | ({"publish_at": "2100-01-01T00:00:00Z"} if name == "schedule" else {})
            path = f"/articles/{article['id']}"
            if name == "edit":
                done = await self.api.call("PATCH", path, {"lead": "Sau", "version": version}, "publish")
            else:
                done = await self.api.call("POST", f"{path}/{name}", body, "publish")
            assert done.status == 200, done.body
        return str(article["id"])

    async def image(self, site: str) -> str:
        self.count += 1
        upload = await self.api.call("POST", f"/media?site={site}", png(self.count), content_type="image/png")
        assert upload.status == 201, upload.body
        return str(upload.json()["id"])

    async def webhook(self, site: str) -> str:
        body = {"url": "https://a.example/", "events": ["article.updated"], "sites": [site]}
        made = await self.api.call("POST", "/webhooks", body, "admin")
        assert made.status == 201, made.body
        return str(made.json()["id"])

    async def section(self, site: str) -> None:
        made = await self.api.call("POST", "/sections", {"site": site, "name": "Thử", "slug": SECTION}, "admin")
        assert made.status in (201, 409), made.body
        names = ["Thử", "Thử 2", "Thử publish", "Thử admin"]  # what a scope has merged, another cannot merge again
        for name in names:
            made = await self.api.call("POST", "/authors", {"site": site, "name": name}, "admin")
            assert made.status in (201, 409), made.body
        await self.api.create("Bài", site=site, section="tin-tuc", tags=names)

    async def page(self, site: str) -> str:
        self.count += 1
        title = "Bài của site khác" if site == OTHER else "Trang"
        made = await self.api.call("POST", "/pages", {"site": site, "title": title, "slug": f"p{self.count}"}, "admin")
        assert made.status == 201, made.body
        page_id = str(made.json()["id"])
        done = await self.api.call("POST", f"/pages/{page_id}/publish", {}, "admin", if_match="*")
        assert done.status == 200, done.body
        return page_id

    async def file(self, site: str) -> str:
        self.count += 1
        upload = await self.api.call(
            "POST", f"/files?site={site}", document(self.count), content_type="application/pdf"
        )
        assert upload.status == 201, upload.body
        return str(upload.json()["id"])

    async def person(self, site: str) -> str:
        self.count += 1
        body = {**PERSON, "email": f"nguoi{self.count}@x.example", "grants": [{"scope": "read", "site": site}]}
        made = await self.api.call("POST", "/people", body, "admin")
        assert made.status == 201, made.body
        return str(made.json()["person"]["id"])

    async def object(self, kind: str, site: str, states: tuple[str, ...]) -> str:
        makers = {"image": self.image, "file": self.file, "page": self.page, "person": self.person}
        return await (makers[kind](site) if kind in makers else self.article(site, *states))

    async def preview(self, article: str) -> str:
        made = await self.api.call("POST", f"/articles/{article}/previews", {}, "admin")
        return str(made.json().get("id", "x"))

    async def comment(self, article: str, call: Any, *caller: Any) -> str:
        """Return a comment of the caller, if it may comment, else of an administrator."""
        request = ("POST", f"/articles/{article}/comments", {"text": "x"})
        made = await call(*request, *caller)
        made = made if made.status == 201 else await self.api.call(*request, "admin")
        return str(made.json().get("id", 1))

    async def request(self, name: str, route: Route, target: str, object_id: str, scope: str | None) -> Any:
        """Send the request of a route about a target, with a token of the own site only."""
        method, path = name.split(" ", 1)
        preview = await self.preview(object_id) if "{preview}" in path else "x"
        comment = await self.comment(object_id, self.api.call, scope, OWN) if "{comment_id}" in path else 1
        ids = dict.fromkeys(("article_id", "medium", "file_id", "page_id", "webhook", "person_id"), object_id)
        is_merge = path.endswith("/merge") and "sections" not in path and scope in ("publish", "admin")
        slug = f"{SECTION}-{scope}" if is_merge else SECTION
        path = path.format_map(
            {**ids, "version": 1, "slug": slug, "name": "main", "preview": preview, "key": KEY, "comment_id": comment}
        )
        body, query = route.body, route.query
        if isinstance(body, bytes) and body == b"image":
            self.count += 1
            body = png(self.count)
        if isinstance(body, bytes) and body == b"file":
            self.count += 1
            body = document(self.count)
        headers = {}
        self.count += 1
        if isinstance(body, dict):
            body = {
                key: one.replace("{n}", str(self.count)) if isinstance(one, str) else one for key, one in body.items()
            }
        if route.names == "page":
            headers = {"if_match": "*"}
        elif route.names == "structure":
            query = f"site={target}"
            headers = {"if_match": "*"}
        elif route.names == "bulk":
            body = {**body, "items": [{"id": object_id}]}
        elif route.names == "webhook sites":
            body = {**body, "sites": [target]}
        elif route.names in ("site", "public sites"):
            if isinstance(body, dict):
                body = {**body, "site": target}
            else:
                query = f"site={target}"
        if route.names == "grants":
            self.count += 1
            body = {**body, "email": f"moi{self.count}@x.example", "grants": [{"scope": "read", "site": target}]}
        return await self.api.call(method, f"{path}?{query}", body, scope, OWN, **{**headers, **route.headers})


def test_every_route_has_expected_rights(tenants: Any) -> None:
    """A route of the OpenAPI without an expectation here fails, and so does an expectation without its route."""
    found = {
        f"{method.upper()} {path}"
        for path, methods in tenants.app.openapi()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert found - WITHOUT_SCOPES - OPEN == set(ROUTES)
    assert found >= WITHOUT_SCOPES | OPEN


async def test_own_routes_need_a_caller(tenants: Any) -> None:
    """Routes of the own account are closed without a session or a token."""
    for name in WITHOUT_SCOPES:
        method, path = name.split(" ")
        answer = await tenants.call(method, path.format(session_id=1, key=KEY), None, None)
        assert (answer.status, answer.json()["code"]) == (401, "not_authenticated"), name


@pytest.mark.parametrize("name", ROUTES)
async def test_route_rights_by_scope_and_site(tenants: Any, name: str) -> None:
    """Without the scope it is 401 or 403, on the own site it succeeds, and another site is like none: 403 or 404."""
    world, route = World(tenants), ROUTES[name]
    is_named = route.names in ("site", "public sites", "structure", "webhook sites", "own webhooks", "grants")
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
        elif route.names == "own webhooks":
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


BY_SECTION = [name for name, route in ROUTES.items() if route.names in ("article", "public article")]


async def test_rights_by_section_on_every_route_of_articles(newsroom: Newsroom) -> None:
    """With a scope in one section, an article of another is unknown; if it may be read, changing it is 403."""
    world = World(newsroom.api)
    people = {scope: await newsroom.browser(f"{scope}:{OWN}:tin-tuc") for scope in PERSON_SCOPES}
    readers = {scope: await newsroom.browser(f"read:{OWN}", f"{scope}:{OWN}:tin-tuc") for scope in PERSON_SCOPES}
    for name in BY_SECTION:
        route = ROUTES[name]
        method, path = name.split(" ", 1)
        states = ("submit", "approve", "publish") if route.names == "public article" else route.states
        for scope in PERSON_SCOPES:
            allowed = route.scope in INCLUDED[scope]
            if not allowed and scope != "read":
                continue
            for section, browsers, expected in (
                ("tin-tuc", people, route.status if allowed else 403),
                ("thong-bao", people, 404 if allowed else 403),
                ("thong-bao", readers, 403 if route.scope != "read" else route.status),
            ):
                article = await world.article(OWN, *states, section=section)
                preview = await world.preview(article) if "{preview}" in path else ""
                comment = await world.comment(article, browsers[scope].call) if "{comment_id}" in path else ""
                full = path.format(article_id=article, version=1, preview=preview, comment_id=comment) + (
                    f"?{route.query}" if route.query else ""
                )
                body = {**route.body, "section": section} if "title" in (route.body or {}) else route.body
                answer = await browsers[scope].call(method, full, body, **route.headers)
                assert answer.status == expected, (name, scope, section, answer.body)


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
