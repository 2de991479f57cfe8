"""What each page of the newsroom needs, a line for each, and a request of it that succeeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.ingest.api.route_rights import World, png

CALLERS = {
    "nobody": (),
    "writer of a section": ("write:haihau:tin-tuc",),
    "approver of a section": ("publish:haihau:tin-tuc",),
    "publisher": ("publish:haihau",),
    "administrator": ("admin:haihau",),
}
SCOPES = {"writer of a section": "write", "approver of a section": "publish", "publisher": "publish"}
INCLUDED = {
    "write": {"", "read", "write"},
    "publish": {"", "read", "write", "publish"},
    "admin": {"", "read", "write", "publish", "admin"},
}


@dataclass(frozen=True)
class Place:
    """Where a request is about something: a section of a site."""

    site: str
    section: str

    @property
    def title(self) -> str:
        """The title of everything there: people who may not read the place must not see it."""
        return f"Chuyện riêng của {self.site} {self.section}"


PLACES = {
    "own section": Place("haihau", "tin-tuc"),
    "another section": Place("haihau", "thong-bao"),
    "another site": Place("giao-thuy", "tin-tuc"),
}
Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """What a request is about: its ID or another name, and where it is."""

    name: str
    place: Place


@dataclass(frozen=True)
class Need:
    """What a page needs of its caller, and a request that succeeds.

    Attributes:
        scope: "": any person.
        within: Where: in the section of the article, in any section of the site, or on the whole site.
        about: What the path names; "site": nothing, the query names the site.
        form: Its fields, of an object; None: a GET.
        steps: Steps of the article before the request.
        query: Of the request.
        status: Of its success; None: 200 of a GET, 303 of a form.
    """

    scope: str
    within: Literal["section", "any section", "site"]
    about: Literal["site", "article", "medium", "page", "person", "structure", "banner", "bulk"] = "site"
    form: Callable[[Target], Fields] | None = None
    steps: tuple[str, ...] = ()
    query: str = ""
    status: int | None = None

    @property
    def success(self) -> int:
        """The status of its success."""
        return self.status if self.status is not None else 200 if self.form is None else 303


def fixed(**fields: Any) -> Callable[[Target], Fields]:
    """Return a form that is the same for every object."""
    return lambda _: fields


LIVE = ("submit", "approve", "publish")
PUBLIC = {
    "GET /dang-nhap": 200,
    "POST /dang-nhap": 401,
    "GET /quen-mat-khau": 200,
    "POST /quen-mat-khau": 501,
    "GET /loi-moi": 200,
    "POST /loi-moi": 404,
    "GET /mat-khau": 200,
    "POST /mat-khau": 404,
}
"""Pages for everybody: the status of a request with an empty form, where mail is not set up."""
OWN_ACCOUNT = {"GET /toi": 200, "POST /toi": 303, "POST /dang-xuat": 303}
"""Pages about the caller alone, whatever the caller's rights."""


def article(scope: str, form: Callable[[Target], Fields] | None = None, *steps: str, query: str = "") -> Need:
    return Need(scope, "section", "article", form, steps, query)


def structure(form: Callable[[Target], Fields] | None = None) -> Need:
    return Need("read" if form is None else "publish", "any section" if form is None else "site", "structure", form)


def listed(scope: str, within: Any, form: Callable[[Target], Fields] | None = None, status: int | None = None) -> Need:
    return Need(scope, within, "site", form, status=status)


PAGES = {
    "GET /": listed("read", "any section"),
    "POST /": Need(
        "write", "section", "bulk", lambda one: {"item": f"{one.name}:1", "bulk": "tag", "tags": "x"}, status=200
    ),
    "GET /bai-viet/moi": listed("", "any section"),
    "POST /bai-viet/moi": Need(
        "write", "section", form=lambda one: {"title": "Bài", "section": one.place.section, "action": "save"}
    ),
    "GET /bai-viet/{id}": article("read"),
    "POST /bai-viet/{id}": article("write", fixed(version="1", title="Đổi tựa", action="save")),
    "GET /bai-viet/{id}/len-trang": article("read", None, *LIVE),
    "GET /bai-viet/{id}/buoc/{step}": article("publish"),
    "POST /bai-viet/{id}/buoc/{step}": article("publish", fixed(version="1", reason="x")),
    "GET /bai-viet/{id}/dang-dang": article("publish", None, *LIVE),
    "POST /bai-viet/{id}/dang-dang": article("publish", fixed(version="4", title="Đổi tựa", allow_print="on"), *LIVE),
    "GET /bai-viet/{id}/duyet": article("read", None, "submit"),
    "POST /bai-viet/{id}/duyet": article("publish", fixed(version="2", state="in_review", action="approve"), "submit"),
    "POST /bai-viet/{id}/nhan-xet": article("write", fixed(version="1", action="add", text="Kiểm lại")),
    "GET /bai-viet/{id}/lich-su": article("read"),
    "POST /bai-viet/{id}/lich-su": article("write", fixed(version="1")),
    "GET /bai-viet/{id}/so-sanh": article("read", None, "submit", query="from=1&to=2"),
    "GET /nguoi": listed("admin", "site"),
    "POST /nguoi": listed(
        "admin", "site", lambda one: {"email": one.name, "name": "Mới", f"grant/{one.place.site}": "read"}, 200
    ),
    "GET /nguoi/nhat-ky": listed("admin", "site"),
    "GET /nguoi/{id}": Need("admin", "site", "person"),
    "POST /nguoi/{id}": Need("admin", "site", "person", fixed(action="lock")),
    "GET /trang-nhat": listed("read", "any section"),
    "POST /trang-nhat": listed(
        "publish",
        "site",
        lambda one: {"version": one.name, "breaking_text": "Tin nóng", "breaking_until": "2030-01-02T03:04"},
    ),
    "GET /chuyen-muc": listed("read", "any section"),
    "POST /chuyen-muc": listed("publish", "site", lambda one: {"name": f"Mục {one.name}"}),
    "GET /chuyen-muc/{slug}": structure(),
    "POST /chuyen-muc/{slug}": structure(lambda one: {"name": f"Đổi {one.name}", "slug": one.name}),
    "GET /the": listed("read", "any section"),
    "GET /the/{slug}": structure(),
    "POST /the/{slug}": structure(lambda one: {"name": one.name.upper(), "confirmed": "1"}),
    "GET /tac-gia": listed("read", "any section"),
    "POST /tac-gia": listed("publish", "site", lambda one: {"name": f"Tác giả {one.name}"}),
    "GET /tac-gia/{slug}": structure(),
    "POST /tac-gia/{slug}": structure(lambda one: {"name": f"Đổi {one.name}", "confirmed": "1"}),
    "GET /trang": listed("read", "any section"),
    "GET /trang/moi": listed("", "any section"),
    "POST /trang/moi": listed("publish", "site", lambda one: {"title": "Trang", "slug": f"t{one.name}"}),
    "GET /trang/{id}": Need("read", "any section", "page"),
    "POST /trang/{id}": Need(
        "publish", "site", "page", lambda one: {"title": "Đổi tựa", "slug": one.name[-8:], "action": "save"}
    ),
    "GET /menu": listed("read", "any section"),
    "POST /menu": listed(
        "publish",
        "site",
        lambda one: {"version": one.name, "target": "home:", "label": one.name, "url": "", "level": "1"},
    ),
    "GET /banner": listed("read", "any section"),
    "POST /banner": Need("publish", "site", "banner", fixed(move="drop:0")),
    "GET /banner/moi": listed("read", "any section"),
    "POST /banner/moi": Need("publish", "site", "banner", lambda one: {"media": one.name, "alt": "x", "place": "top"}),
    "GET /banner/{id}": Need("read", "any section", "banner"),
    "POST /banner/{id}": Need("publish", "site", "banner", lambda one: {"alt": one.name, "place": "top"}),
    "GET /anh-va-tep": listed("read", "any section"),
    "POST /anh-va-tep": listed("write", "any section", lambda one: {"file": png(int(one.name))}, 200),
    "GET /anh-va-tep/{id}": Need("read", "any section", "medium"),
    "POST /anh-va-tep/{id}": Need("write", "any section", "medium", fixed(action="centre")),
}
"""Every other page."""


def expected(need: Need, caller: str, place: str) -> int:
    """Return the status of a request by a caller about something in a place."""
    if caller == "nobody":
        return 303 if need.form is None else 401
    scopes = INCLUDED[SCOPES.get(caller, "admin")]
    if need.about == "person" and "admin" not in scopes:
        return 403
    if place == "another site":
        return 404 if need.about != "bulk" else need.success
    has_site = caller in ("publisher", "administrator")
    if need.about == "article" and place != "own section" and not has_site:
        return 404
    within = (
        {"section", "any section", "site"}
        if has_site
        else {"any section"} | ({"section"} if place == "own section" else set())
    )
    return need.success if need.about == "bulk" or (need.scope in scopes and need.within in within) else 403


def may_read(caller: str, place: Place) -> bool:
    """Return whether a caller may read the articles of a place."""
    seen = {"nobody": 0, "publisher": 2, "administrator": 2}.get(caller, 1)
    return place in list(PLACES.values())[:seen]


def may_change(need: Need, caller: str, place: str) -> bool:
    """Return whether a request of a caller changes something."""
    if need.form is None or caller == "nobody" or place == "another site":
        return False
    is_reached = need.about != "bulk" or may_read(caller, PLACES[place])
    return is_reached and expected(need, caller, place) == need.success


@dataclass
class Objects:
    """Makes what requests are about."""

    world: World
    count: int = field(default=0)

    async def make(self, name: str, need: Need, place: Place) -> str:
        """Return what the path of a page names."""
        self.count += 1
        api = self.world.api
        if need.about in ("article", "bulk"):
            made = await api.create(place.title, site=place.site, section=place.section)
            for version, step in enumerate(need.steps, 1):
                done = await api.call("POST", f"/articles/{made['id']}/{step}", {"version": version}, "publish")
                assert done.status == 200, done.body
            return str(made["id"])
        if need.about in ("person", "page"):
            return await self.world.object(need.about, place.site, ())
        if need.about in ("banner", "medium"):
            is_picture = need.about == "medium" or name.endswith("/moi")
            return await (self.world.image(place.site) if is_picture else self._banner(place.site))
        if need.about != "structure":
            versioned = {"POST /trang-nhat": "/front-page", "POST /menu": "/menus/main"}.get(name)
            if versioned is not None:
                return str((await api.call("GET", f"{versioned}?site={place.site}", None, "read")).json()["version"])
            return f"moi{self.count}@x.example" if name == "POST /nguoi" else f"{self.count}"
        kind = {"chuyen-muc": "sections", "tac-gia": "authors"}.get(name.split("/")[1], "tags")
        sent = {"site": place.site, "name": f"Thử {self.count}"}
        if kind == "tags":
            await api.create("Bài", site=place.site, section=place.section, tags=[sent["name"]])
        else:
            made = await api.call("POST", f"/{kind}", sent, "admin")
            assert made.status == 201, made.body
        return f"thu-{self.count}"

    async def _banner(self, site: str) -> str:
        """Return the ID of a banner that is the only one."""
        image = {"media": await self.world.image(site), "alt": f"Ảnh {self.count}"}
        sent = {"items": [{"place": "top", "image": image}]}
        made = await self.world.api.call("PUT", f"/banners?site={site}", sent, "admin", if_match="*")
        assert made.status == 200, made.body
        return str(made.json()["items"][0]["id"])
