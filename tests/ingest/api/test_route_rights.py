"""The rights of every route of the OpenAPI: each scope × an object of the own site, of another site, of none."""

import io
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from PIL import Image

OWN, OTHER, NOWHERE = "haihau", "giao-thuy", "nowhere"
SCOPES = ("read", "write", "publish", "admin", "events")
INCLUDED = {
    "read": {"read"},
    "write": {"read", "write"},
    "publish": {"read", "write", "publish"},
    "admin": set(SCOPES),
    "events": {"events"},
}
SECRETS = (OTHER, "Giao Thủy", "Bài của site khác", "bien-dong")
"""What no response to a token of another site may have."""
ARTICLE = "/articles/{article_id}"
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
        "webhook",
        "webhook sites",
        "own webhooks",
    ]
    body: Any = None
    query: str = ""
    states: tuple[str, ...] = ()
    """Transitions of the article before the request."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def transition(*states: str, scope: str = "publish", **body: Any) -> Route:
    return Route(scope, "article", body, states=states)


def structure(scope: str, body: Any = None, status: int = 200) -> Route:
    """A route whose query names the site."""
    return Route(scope, "structure", body, status=status)


DRAFT = {"section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
ROUTES = {
    "GET /articles": Route("read", "public sites"),
    "POST /articles": Route("write", "site", DRAFT, status=201),
    "GET /articles/counts": Route("read", "site"),
    f"GET {ARTICLE}": Route("read", "public article"),
    f"GET {ARTICLE}.ninjs": Route("read", "public article"),
    f"GET {ARTICLE}.jsonld": Route("read", "public article"),
    f"GET {ARTICLE}/publication": Route("read", "public article"),
    f"PUT {ARTICLE}": Route("write", "article", {**DRAFT, "version": 1}),
    f"PATCH {ARTICLE}": Route("write", "article", {"lead": "x", "version": 1}),
    f"DELETE {ARTICLE}": Route("write", "article", status=204, headers={"if_match": "*"}),
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
    f"GET {ARTICLE}/diff": Route("read", "article", query="from=1&to=1"),
    f"POST {ARTICLE}/restore": Route("write", "article", {"version": 1}),
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

    async def article(self, site: str, *states: str) -> str:
        title = "Bài của site khác" if site == OTHER else "Bài của mình"
        article = await self.api.create(title, site=site)
        for version, name in enumerate(states, 1):
            body = {"version": version} | ({"publish_at": "2100-01-01T00:00:00Z"} if name == "schedule" else {})
            done = await self.api.call("POST", f"/articles/{article['id']}/{name}", body, "publish")
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

    async def file(self, site: str) -> str:
        self.count += 1
        upload = await self.api.call(
            "POST", f"/files?site={site}", document(self.count), content_type="application/pdf"
        )
        assert upload.status == 201, upload.body
        return str(upload.json()["id"])

    async def request(self, name: str, route: Route, target: str, object_id: str, scope: str | None) -> Any:
        """Send the request of a route about a target, with a token of the own site only."""
        method, path = name.split(" ", 1)
        preview = "x"
        if "{preview}" in path:
            made = await self.api.call("POST", f"/articles/{object_id}/previews", {}, "admin")
            preview = made.json().get("id", "x")
        ids = dict.fromkeys(("article_id", "medium", "file_id", "webhook"), object_id)
        path = path.format_map({**ids, "version": 1, "slug": SECTION, "preview": preview})
        body, query = route.body, route.query
        if isinstance(body, bytes) and body == b"image":
            self.count += 1
            body = png(self.count)
        if isinstance(body, bytes) and body == b"file":
            self.count += 1
            body = document(self.count)
        headers = {}
        if isinstance(body, dict) and "{n}" in str(body.get("name")):
            self.count += 1
            body = {**body, "name": body["name"].replace("{n}", str(self.count))}
        if route.names == "structure":
            query = f"site={target}"
            headers = {"if_match": "*"}
        elif route.names == "webhook sites":
            body = {**body, "sites": [target]}
        elif route.names in ("site", "public sites"):
            if isinstance(body, dict):
                body = {**body, "site": target}
            else:
                query = f"site={target}"
        return await self.api.call(method, f"{path}?{query}", body, scope, OWN, **{**headers, **route.headers})


def test_every_route_has_expected_rights(tenants: Any) -> None:
    """A route of the OpenAPI without an expectation here fails, and so does an expectation without its route."""
    found = {
        f"{method.upper()} {path}"
        for path, methods in tenants.app.openapi()["paths"].items()
        for method in methods
        if method != "parameters"
    }
    assert found == set(ROUTES)


@pytest.mark.parametrize("name", ROUTES)
async def test_route_rights_by_scope_and_site(tenants: Any, name: str) -> None:
    """Without the scope it is 401 or 403, on the own site it succeeds, and another site is like none: 403 or 404."""
    world, route = World(tenants), ROUTES[name]
    is_named = route.names in ("site", "public sites", "structure", "webhook sites", "own webhooks")
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
                makers = {"image": world.image, "file": world.file}
                made = makers[route.names](target) if route.names in makers else world.article(target, *states)
                object_id = await made
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
            refused = 403 if is_named else 404
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
    sent = {b"image": png(999), b"file": document(999)}.get(route.body) if isinstance(route.body, bytes) else None
    answer = await tenants.call(*name.split(" "), sent, "admin", OWN)
    assert answer.status == route.status
    assert OWN.encode() in answer.body
    assert not [secret for secret in SECRETS if secret.encode() in answer.body]
