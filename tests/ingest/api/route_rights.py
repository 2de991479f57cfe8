"""What each operation of the API needs, a line for each, and a request of it that succeeds."""

import io
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from PIL import Image

from tests.ingest.conftest import Browser

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
        "own people",
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
    within: Literal["section", "any section", "site"] = "site"
    """Where the scope is needed: in the article's section, in any section of the site, or on the whole site."""


def transition(*states: str, scope: str = "publish", **body: Any) -> Route:
    return Route(scope, "article", body, states=states, within="section")


def structure(scope: str, body: Any = None, status: int = 200) -> Route:
    """A route whose query names the site."""
    return Route(scope, "structure", body, status=status, within="any section" if scope == "read" else "site")


DRAFT = {"section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}
PERSON = {"email": "moi@haihau.example", "name": "Mới", "grants": [{"scope": "read", "site": "haihau"}]}
OWN_ACCOUNT = {
    "GET /me": 200,
    "PATCH /me": 200,
    "POST /me/totp": 422,
    "PUT /me/totp": 422,
    "DELETE /me/totp": 422,
    "POST /me/recovery-codes": 422,
    "PUT /me/sent-forms/{form}": 200,
    "DELETE /me/sent-forms/{form}": 204,
    "GET /sessions": 200,
    "DELETE /sessions/current": 204,
    "DELETE /sessions/others": 204,
    "DELETE /sessions/{session_id}": 404,
    "GET /autosaves/{key}": 404,
    "DELETE /autosaves/{key}": 404,
}
"""Operations on what belongs to the caller, whatever its scopes: the status of a request with an empty body."""
OPEN = {
    "POST /sessions": 422,
    "GET /sessions/methods": 200,
    "GET /sessions/oidc": 404,
    "GET /sessions/oidc/callback": 404,
    "POST /password-resets": 422,
    "POST /login-links": 422,
    "POST /account-links": 422,
    "POST /passwords": 422,
}
"""Operations for everybody, to log in: the status of a request with an empty body."""
ROUTES = {
    "GET /articles": Route("read", "public sites", within="any section"),
    "POST /articles": Route("write", "site", DRAFT, status=201, within="section"),
    "GET /articles/counts": Route("read", "site", within="any section"),
    "POST /articles/bulk": Route("write", "bulk", {"action": "tag", "tags": ["x"], "atomic": True}, within="section"),
    f"GET {ARTICLE}": Route("read", "public article", within="section"),
    f"GET {ARTICLE}.ninjs": Route("read", "public article", within="section"),
    f"GET {ARTICLE}.jsonld": Route("read", "public article", within="section"),
    f"GET {ARTICLE}/publication": Route("read", "public article", within="section"),
    f"PUT {ARTICLE}": Route("write", "article", {**DRAFT, "version": 1}, within="section"),
    f"PATCH {ARTICLE}": Route("write", "article", {"lead": "x", "version": 1}, within="section"),
    f"DELETE {ARTICLE}": Route("write", "article", status=204, headers={"if_match": "*"}, within="section"),
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
    f"GET {ARTICLE}/revisions": Route("read", "article", within="section"),
    f"GET {ARTICLE}/revisions/{{version}}": Route("read", "article", within="section"),
    f"GET {ARTICLE}/diff": Route("read", "article", query="from=1&to=working", within="section"),
    f"POST {ARTICLE}/restore": Route("write", "article", {"version": 1}, within="section"),
    f"PUT {ARTICLE}/autosave": Route("write", "article", {"sequence": 1, "fields": {"title": "x"}}, within="section"),
    f"GET {ARTICLE}/autosave": Route("read", "article", status=204, within="section"),
    f"DELETE {ARTICLE}/autosave": Route("read", "article", status=204, within="section"),
    f"GET {ARTICLE}/comments": Route("read", "article", within="section"),
    f"POST {ARTICLE}/comments": Route("write", "article", {"text": "x"}, status=201, within="section"),
    f"PATCH {ARTICLE}/comments/{{comment_id}}": Route("write", "article", {"is_resolved": True}, within="section"),
    f"DELETE {ARTICLE}/comments/{{comment_id}}": Route("write", "article", status=204, within="section"),
    f"PUT {ARTICLE}/presence": Route("read", "article", within="section"),
    f"DELETE {ARTICLE}/presence": Route("read", "article", status=204, within="section"),
    "GET /autosaves": Route("read", "site", within="any section"),
    "PUT /autosaves/{key}": Route("write", "site", {"sequence": 1, "fields": {"title": "x"}}, within="any section"),
    f"POST {ARTICLE}/previews": Route("write", "article", {}, status=201, within="section"),
    f"GET {ARTICLE}/previews": Route("write", "article", within="section"),
    f"DELETE {ARTICLE}/previews/{{preview}}": Route("write", "article", status=204, within="section"),
    "PUT /pages/{page_id}/presence": Route("read", "page", within="any section"),
    "DELETE /pages/{page_id}/presence": Route("read", "page", status=204, within="any section"),
    "POST /pages/{page_id}/previews": Route("publish", "page", {}, status=201),
    "GET /pages/{page_id}/previews": Route("publish", "page"),
    "DELETE /pages/{page_id}/previews/{preview}": Route("publish", "page", status=204),
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
    "POST /media": Route("write", "site", b"image", status=201, within="any section"),
    "GET /media": Route("read", "site", within="any section"),
    "GET /media/{medium}": Route("read", "image", within="any section"),
    "PATCH /media/{medium}": Route("write", "image", {"focus": None}, within="any section"),
    "GET /media/{medium}/original": Route("write", "image", within="any section"),
    "GET /sections": structure("read"),
    "GET /sections/{slug}": structure("read"),
    "POST /sections": Route("publish", "site", {"name": "Mục {n}"}, status=201),
    "PATCH /sections/{slug}": structure("publish", {"name": "Tên mới"}),
    "POST /sections/{slug}/merge": structure("admin", {"into": "tin-tuc"}),
    "DELETE /sections/{slug}": structure("admin", status=204),
    "POST /files": Route("write", "site", b"file", status=201, within="any section"),
    "GET /files": Route("read", "site", within="any section"),
    "GET /files/{file_id}": Route("read", "file", within="any section"),
    "GET /files/{file_id}/content": Route("read", "file", within="any section"),
    "PATCH /files/{file_id}": Route("write", "file", {"name": "x"}, within="any section"),
    "DELETE /files/{file_id}": Route("write", "file", status=204, within="any section"),
    "POST /people": Route("admin", "grants", PERSON, status=201),
    "GET /people": Route("admin", "own people"),
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
    "GET /banners": structure("read"),
    "PUT /banners": structure("publish", {"items": []}),
    "GET /pages": structure("read"),
    "POST /pages": Route("publish", "site", {"title": "Trang", "slug": "t{n}"}, status=201),
    "GET /pages/{page_id}": Route("read", "page", within="any section"),
    "PATCH /pages/{page_id}": Route("publish", "page", {"title": "x"}),
    "DELETE /pages/{page_id}": Route("publish", "page", states=("unpublish",), status=204),
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
        self._images: dict[str, str] = {}

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
        """Return an image of a site: the same each time, because no request deletes it and each takes a process."""
        if site not in self._images:
            self.count += 1
            upload = await self.api.call("POST", f"/media?site={site}", png(self.count), content_type="image/png")
            assert upload.status == 201, upload.body
            self._images[site] = str(upload.json()["id"])
        return self._images[site]

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

    async def page(self, site: str, *states: str) -> str:
        self.count += 1
        title = "Bài của site khác" if site == OTHER else "Trang"
        made = await self.api.call("POST", "/pages", {"site": site, "title": title, "slug": f"p{self.count}"}, "admin")
        assert made.status == 201, made.body
        page_id = str(made.json()["id"])
        done = await self.api.call("POST", f"/pages/{page_id}/publish", {}, "admin", if_match="*")
        assert done.status == 200, done.body
        for state in states:
            done = await self.api.call("POST", f"/pages/{page_id}/{state}", {}, "admin", if_match="*")
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
        if kind == "page":
            return await self.page(site, *states)
        makers = {"image": self.image, "file": self.file, "person": self.person}
        return await (makers[kind](site) if kind in makers else self.article(site, *states))

    async def preview(self, path: str) -> str:
        made = await self.api.call("POST", path, {}, "admin")
        return str(made.json().get("id", "x"))

    async def comment(self, article: str, call: Any) -> str:
        """Return a comment of the caller, if it may comment, else of an administrator."""
        request = ("POST", f"/articles/{article}/comments", {"text": "x"})
        made = await call(*request)
        made = made if made.status == 201 else await self.api.call(*request, "admin")
        return str(made.json().get("id", 1))

    async def request(
        self, name: str, route: Route, target: str, object_id: str, scope: str | None, *, browser: Browser | None = None
    ) -> Any:
        """Send the request of a route about a target, from a browser, or with a token of the own site only."""
        method, path = name.split(" ", 1)
        call = partial(self.api.call, scope=scope, at=OWN) if browser is None else browser.call
        kind = path.split("/")[1]
        preview = await self.preview(f"/{kind}/{object_id}/previews") if "{preview}" in path else "x"
        comment = await self.comment(object_id, call) if "{comment_id}" in path else 1
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
        return await call(method, f"{path}?{query}", body, **{**headers, **route.headers})
