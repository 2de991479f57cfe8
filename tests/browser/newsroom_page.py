"""A page with the newsroom's editor and a small API behind it, in this process: for tests of the script alone."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from services.ingest.newsroom.pages import CSP

STATIC = Path(__file__).parent.parent.parent / "services/ingest/newsroom/static"
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
PAGE = """<!doctype html><html lang="vi"><head><meta charset="utf-8"><title>Bài viết</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/newsroom.css">
<link rel="stylesheet" href="/static/editor.css"><script type="module" src="/static/write.js"></script></head>
<body><main>
<h1>Bài viết</h1><form id="{form}" method="post">
<input type="hidden" name="csrf" value="c1"><input type="hidden" name="version" value="{version}">
<label>Tiêu đề<input name="title" maxlength="255" value="{title}"></label>
<label>Sapo<textarea name="lead">{lead}</textarea></label>
<label>Nội dung<textarea name="body"></textarea></label>
<p><button name="action" value="save">Lưu</button> <button name="action" value="submit">Gửi duyệt</button></p></form>
<script type="application/json" id="stored">{article}</script></main></body></html>"""


@dataclass
class NewsroomPage:
    """The state of the pretended server. What tests set, requests see at once."""

    article: dict[str, Any] | None
    form: str = "write"
    """Which form the page has: of the working version, `live`, or `page` of a static page."""
    me: str = "lan@haihau.example"
    posts: list[dict[str, str]] = field(default_factory=list)
    """The forms that were sent."""
    autosaves: list[dict[str, Any]] = field(default_factory=list)
    """The unsaved texts that were stored, in order."""
    stored: dict[str, Any] | None = None
    """The slot as a page reads it."""
    uploads: list[bytes] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    presences: list[dict[str, Any]] = field(default_factory=list)
    publication: list[dict[str, Any]] = field(default_factory=list)
    """The answers about the publication; the last one answers all further questions."""
    comments: list[dict[str, Any]] = field(default_factory=list)
    after_saves: list[Callable[[], None]] = field(default_factory=list)
    """What happens after each save, before its answer."""
    is_logged_in: bool = True
    is_reachable: bool = True
    upload_seconds: float = 0
    slot_seconds: float = 0
    """Until the answer to a request for the unsaved text."""

    def __post_init__(self) -> None:
        page = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: Any) -> None:
                pass

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if not page.is_reachable:
                    self.close_connection = True
                    return
                status, kind, content, more = page.respond(self.command, self.path, body, self.headers)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(content)))
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names of the base class

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.origin}/ban-bien-tap/bai-viet/{'moi' if self.article is None else self.article['id']}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, str, bytes, dict[str, str]]:
        """Return status, type, content and further headers of a response."""
        route, _, query = path.partition("?")
        if route.startswith("/static/"):
            file = STATIC / route.removeprefix("/static/")
            return 200, TYPES[file.suffix[1:]], file.read_bytes(), {}
        if route.startswith("/media/"):
            return 200, "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="40"/>', {}
        if route.startswith("/api/"):
            status, value, more = self.api(method, route.removeprefix("/api"), query, body, headers)
            return status, "application/json", b"" if value is None else json.dumps(value).encode(), more
        if method == "POST":
            return self._form(body)
        return 200, "text/html; charset=utf-8", self._page().encode(), {"content-security-policy": CSP}

    def _page(self) -> str:
        article = self.article or {"version": "", "title": "", "lead": ""}
        data = json.dumps(self.article).replace("<", "\\u003c")
        return PAGE.format(
            form=self.form, version=article["version"], title=article["title"], lead=article["lead"], article=data
        )

    def _form(self, body: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        html = "text/html; charset=utf-8"
        if not self.is_logged_in:
            return 401, html, b"<p>401</p>", {}
        self.posts.append(form)
        if self.article is not None:
            if form["version"] != str(self.article["version"]):
                return 412, html, b"<p>412</p>", {}
            self.save(title=form["title"], lead=form["lead"], body=json.loads(form["body"]))
        version = "" if self.article is None else self.article["version"]
        if self.after_saves:
            self.after_saves.pop(0)()
        return 303, html, b"", {"location": f"{self.url}?version={version}&saved=1"}

    def save(self, **fields: Any) -> None:
        """Store another version of the article."""
        assert self.article is not None
        self.article = {**self.article, **fields, "version": self.article["version"] + 1}
        self.stored = None

    def api(self, method: str, path: str, query: str, body: bytes, headers: Any) -> tuple[int, Any, dict[str, str]]:
        """Return status, JSON and further headers of a response of the API."""
        if path == "/sessions" and method == "POST":
            self.is_logged_in = True
            return 201, {"person": "p-1", "csrf_token": "c2"}, {}
        if not self.is_logged_in:
            return 401, {"status": 401, "code": "no_credentials", "detail": "Hãy đăng nhập."}, {}
        if path == "/me":
            return 200, {"id": "p-1", "name": self.me, "email": self.me, "csrf_token": "c2"}, {}
        name = path.rpartition("/")[2]
        if name in ("media", "files"):
            return self._upload(name, body)
        if name == "presence":
            return self._presence(method, body)
        return self._autosave(method, body) if "autosave" in path else self._read(name)

    def _read(self, name: str) -> tuple[int, Any, dict[str, str]]:
        if name == "comments":
            return 200, {"comments": self.comments, "version": 1}, {}
        if name == "publication":
            return 200, self.publication.pop(0) if len(self.publication) > 1 else self.publication[0], {}
        assert self.article is not None
        return 200, self.article, {"etag": f'"{self.article["version"]}"'}

    def _presence(self, method: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if method != "PUT":
            return 204, None, {}
        assert self.article is not None
        self.presences.append(json.loads(body))
        head = {"version": self.article["version"], "state": "draft", "changed_by": "Nam", "changed_action": "edit"}
        return 200, {"others": self.others, **head, "changed_at": None, "expires_seconds": 10}, {}

    def _autosave(self, method: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        if method == "PUT":
            sent = json.loads(body)
            self.autosaves.append(sent)
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.stored = {**sent, "saved_at": at, "head_version": 1, "head_state": "draft"}
            head = None if self.article is None else self.article["version"]
            return 200, {"sequence": sent["sequence"], "saved_at": at, "head_version": head, "head_state": "draft"}, {}
        if method == "GET":
            time.sleep(self.slot_seconds)
        if method == "DELETE":
            self.stored = None
        return (204, None, {}) if self.stored is None else (200, self.stored, {"etag": f'"{self.stored["sequence"]}"'})

    def _upload(self, name: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        time.sleep(self.upload_seconds)
        self.uploads.append(body)
        number = len(self.uploads)
        if name == "files":
            block = {"type": "file", "url": "/tep/1.pdf", "name": "1.pdf", "media": "f" * 32, "bytes": 9}
            return 201, {"block": {**block, "media_type": "application/pdf"}}, {}
        image = {"url": f"/media/{number}.jpg", "alt": "", "width": 64, "height": 40, "media": f"{number:064x}"}
        return 201, {"image": {**image, "renditions": [], "focus": None, "bytes": 9, "crops": []}}, {}


def article(body: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return an article as the API shows it, with what the script reads."""
    given = {
        "id": "a-1",
        "site": "haihau",
        "version": 1,
        "state": "draft",
        "title": "A",
        "lead": "A",
        "live_version": None,
    }
    return {**given, "body": body, **fields}
