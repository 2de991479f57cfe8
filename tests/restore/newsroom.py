"""What the drill's newsroom does to the structure of its site, and what must come back of it after a loss.

Before the backup a section is renamed, a tag spelled, an author, static pages, one of them with a file, a menu and a
front page made; after it each of these changes again. An oracle knows each version that the API has given.
"""

import copy
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tests.conftest import System, wait_for
from tests.e2e.conftest import Editors
from tests.ingest.files.samples import pdf

SITE = "haihau"
ARTICLE = {"section": "thong-bao", "tags": ["mùa vụ"], "authors": ["T. Hoa"]}
"""Fields of each article of the drill: it keeps these names, whatever the newsroom calls them later."""
PRIVATE_EMAIL = "hoa@haihau.example"
WAIT_SECONDS = 120
FILE = pdf(b"<</Title(Nghi quyet)>>")
UNTIL = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0).isoformat()
"""When what is on the front page ends: after the drill."""
LISTS = ("sections", "tags", "authors")
OF_ARTICLES = ("articles", "public_articles", "spellings")
CONTENT = ("slug", "name", "role", "title", "body", "items")
"""What the version of an answer is of."""


class Addresses(NamedTuple):
    """What readers must get."""

    texts: dict[str, str]
    """Path → text that the page has."""
    moved: dict[str, str]
    """Path → where it redirects to."""
    gone: Sequence[str] = ()

    def check(self, system: System) -> None:
        """Wait until all of it is so."""
        for path, text in self.texts.items():
            wait_for(lambda path=path, text=text: text in system.get(path).text, WAIT_SECONDS, f"{path}: {text}")
        for path, target in self.moved.items():

            def leads_there(path: str = path, target: str = target) -> bool:
                return system.get(path).headers.get("location") == target

            wait_for(leads_there, WAIT_SECONDS, f"{path} → {target}")
        for path in self.gone:
            wait_for(lambda path=path: system.get(path).status == 404, WAIT_SECONDS, path)


class StructureState(NamedTuple):
    """What must be true of the structure of the site."""

    editors: dict[str, Any]
    """As `read` returns it."""
    addresses: Addresses


class Newsroom:
    """Changes the structure, and checks it on the portal and in the statistics."""

    def __init__(self) -> None:
        self.states: dict[str, StructureState] = {}
        self._given: dict[tuple[str, int], Any] = {}
        self._pages: dict[str, str] = {}
        self._file = ""

    def work(self, system: System, editors: Editors, article: str) -> None:
        """Make the structure that the backup has; the article leads its front page."""
        call = self._caller(editors)
        call("PATCH", "/sections/thong-bao", {"slug": "thong-cao", "name": "Thông cáo"})
        call("PATCH", "/tags/mua-vu", {"name": "Mùa Vụ"})
        call("POST", "/authors", {"name": "Trần Thị Hoa", "role": "Phóng viên", "email": PRIVATE_EMAIL})
        call("POST", "/authors/t-hoa/merge", {"into": "tran-thi-hoa"})
        for name, slug in (("Giới thiệu", "gioi-thieu"), ("Tạm thời", "tam-thoi")):
            self._pages[slug] = call("POST", "/pages", {"title": name, "body": f"<p>Trang {slug}.</p>"})["id"]
            call("POST", f"/pages/{self._pages[slug]}/publish", {})
        self._offer_file(call, editors)
        self._set_menu(call, "thong-bao", "Bảng tin")
        self._arrange(call, "Khẩn: bão số 8", article)
        texts = {
            "/": "Khẩn: bão số 8",
            "/so-do-site": "Bảng tin",
            "/thong-cao/": "Thông cáo",
            "/tag/mua-vu/": "Mùa Vụ",
            "/tac-gia/tran-thi-hoa/": "Phóng viên",
            "/trang/gioi-thieu.html": "Trang gioi-thieu.",
            "/trang/tam-thoi.html": "Trang tam-thoi.",
        }
        self._remember("old", system, editors, Addresses(texts, {"/thong-bao/": "/thong-cao/"}))

    def work_on(self, system: System, editors: Editors, *articles: str) -> None:
        """Change all of it after the backup; the articles lead the front page."""
        call = self._caller(editors)
        call("PATCH", "/sections/thong-cao", {"slug": "cong-bo", "name": "Công bố"})
        call("POST", "/sections/van-hoa/merge", {"into": "cong-bo"})
        call("POST", "/sections", {"name": "Nông nghiệp"})
        call("PATCH", "/tags/mua-vu", {"name": "Thời vụ"})
        call("PATCH", "/authors/tran-thi-hoa", {"role": "Biên tập viên"})
        page, withdrawn = self._pages["gioi-thieu"], self._pages["tam-thoi"]
        call("PATCH", f"/pages/{page}", {"slug": "ve-chung-toi", "body": "<p>Về chúng tôi.</p>"})
        call("POST", f"/pages/{page}/publish", {})
        call("PATCH", f"/pages/{page}", {"body": "<p>CHƯA DUYỆT.</p>"})
        call("POST", f"/pages/{withdrawn}/unpublish", {})
        self._set_menu(call, "cong-bo", "Công bố của huyện")
        self._arrange(call, "Khẩn: bão số 9", *articles)
        texts = {
            "/": "Khẩn: bão số 9",
            "/so-do-site": "Công bố của huyện",
            "/cong-bo/": "Công bố",
            "/tag/thoi-vu/": "Thời vụ",
            "/tac-gia/tran-thi-hoa/": "Biên tập viên",
            "/trang/ve-chung-toi.html": "Về chúng tôi.",
        }
        moved = {f"/{former}/": "/cong-bo/" for former in ("thong-bao", "thong-cao", "van-hoa")}
        moved |= {"/tag/mua-vu/": "/tag/thoi-vu/", "/trang/gioi-thieu.html": "/trang/ve-chung-toi.html"}
        self._remember("new", system, editors, Addresses(texts, moved, ["/trang/tam-thoi.html"]))

    def check(self, system: System, editors: Editors, state: str, postgres: str) -> None:
        """Check that the structure of a state is back everywhere; `postgres` is what is left of it."""
        if state != "none":
            self._check_state(system, editors, self.states[state], has_private_email=postgres != "empty")
        call = self._caller(editors)
        name = f"Mục sau {state} {postgres}"
        added = call("POST", "/sections", {"name": name})
        call("POST", "/sections/tin-tuc/merge", {"into": added["slug"]})
        page = call("POST", "/pages", {"title": "Trang mới", "slug": "trang-moi", "body": "<p>Sau.</p>"})
        call("POST", f"/pages/{page['id']}/publish", {})
        texts = {f"/{added['slug']}/": name, "/trang/trang-moi.html": "Sau."}
        Addresses(texts, {"/tin-tuc/": f"/{added['slug']}/"}).check(system)

    def _check_state(self, system: System, editors: Editors, state: StructureState, *, has_private_email: bool) -> None:
        found, expected = read(editors), copy.deepcopy(state.editors)
        if not has_private_email:
            for author in expected["authors"]:
                author["email"] = ""
        differ = {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}
        assert not differ, differ
        state.addresses.check(system)
        download = system.get(self._file)
        assert (download.status, download.body) == (200, FILE), self._file
        former, target = next(iter(state.addresses.moved.items()))

        def is_in_statistics() -> bool:
            answer = system.get(f"/stats/{SITE}/top?period=today&section={former.strip('/')}")
            return answer.status == 200 and answer.json()["section"] == target.strip("/")

        wait_for(is_in_statistics, WAIT_SECONDS, f"{former} in the statistics")

    def _remember(self, name: str, system: System, editors: Editors, addresses: Addresses) -> None:
        addresses.check(system)
        self.states[name] = StructureState(read(editors), addresses)

    def _set_menu(self, call: Callable[..., Any], section: str, label: str) -> None:
        below = [{"kind": "tag", "target": "mua-vu"}, {"kind": "page", "target": self._pages["gioi-thieu"]}]
        entry = {"kind": "section", "target": section, "label": label, "items": below}
        call("PUT", "/menus/main", {"items": [{"kind": "home"}, entry]})

    def _offer_file(self, call: Callable[..., Any], editors: Editors) -> None:
        """Make a static page that offers a file."""
        answer = editors.call("POST", "/files?file_name=nghi-quyet.pdf", FILE, content_type="application/octet-stream")
        assert answer.status == 201, answer.text
        item = answer.json()
        self._file = item["url"]
        body = [{"type": "file", "media": item["id"], "name": "Nghị quyết"}]
        page = call("POST", "/pages", {"title": "Tài liệu", "body": body})
        call("POST", f"/pages/{page['id']}/publish", {})

    def _arrange(self, call: Callable[..., Any], text: str, *articles: str) -> None:
        """Arrange the front page: these articles, and the bar."""
        bar = {"text": text, "url": "https://namdinh.gov.vn/bao", "until": UNTIL}
        slots = [{"article": article, "until": UNTIL} for article in articles]
        call("PUT", "/front-page", {"slots": slots, "breaking": bar})

    def _caller(self, editors: Editors) -> Callable[..., Any]:
        """Return a function that calls the API, and takes note of each version of the structure."""

        def call(method: str, path: str, body: dict[str, Any]) -> Any:
            kind = path.split("/")[1]
            if method == "POST" and path == f"/{kind}":
                body = {"site": SITE, **body}
            elif kind != "pages":
                path += f"?site={SITE}"
            answer = editors.call(method, path, body, "admin", if_match="*")
            assert answer.status < 300, (method, path, answer.text)
            given = answer.json()
            content = {field: given[field] for field in CONTENT if field in given}
            before = self._given.setdefault((kind, given["version"]), content)
            assert before == content, f"version {given['version']} was given with another content"
            return given

        return call


def read(editors: Editors) -> dict[str, Any]:
    """Return the structure as the API has it, without what depends on articles."""
    found: dict[str, Any] = {}
    for name in LISTS:
        answer = editors.call("GET", f"/{name}?site={SITE}", None, "admin").json()
        found[name] = [{key: one[key] for key in one if key not in OF_ARTICLES} for one in answer[name]]
        found[f"version of {name}"] = answer["version"]
    menu = editors.call("GET", f"/menus/main?site={SITE}", None, "admin").json()
    found["menu"] = menu["items"], menu["warnings"]
    front_page = editors.call("GET", f"/front-page?site={SITE}", None, "admin").json()
    slots = [[one["id"], one["until"], one["is_shown"]] for one in front_page["slots"]]
    found["front page"] = front_page["version"], slots, front_page["breaking"]
    pages = editors.call("GET", f"/pages?site={SITE}", None, "admin").json()["pages"]
    found["pages"] = [[one["id"], one["state"], one["url"]] for one in pages]
    return found
