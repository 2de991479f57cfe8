"""What strangers and accidents do to the newsroom: real Chromium with scripts, on the real system."""

import os
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.newsroom_people import PASSWORD, Editor, editor, person
from tests.browser.newsroom_steps import CARET, LAST, LINES, PASTE, draft, save, saved, stored, write
from tests.e2e.conftest import Editors


@pytest.fixture(scope="module")
def clerk(browser: Browser, editors: Editors) -> Editor:
    return editor(browser, editors, "thu.vung@haihau.example", "Vũ Thị Thu", "write:haihau")


@pytest.fixture(scope="module")
def colleague(browser: Browser, editors: Editors) -> Editor:
    return editor(browser, editors, "nam.vung@haihau.example", "Trần Nam", "publish:haihau")


HOSTILE = [
    "<p>Bình thường</p><script>window.ran = 1</script>",
    "<p onclick='window.ran = 2' onmouseover='window.ran = 2'>Rê chuột</p>",
    "<svg onload='window.ran = 3'><script>window.ran = 3</script><a xlink:href='javascript:window.ran=3'>x</a></svg>",
    "<iframe srcdoc='<script>parent.ran = 4</script>'></iframe><object data='javascript:parent.ran=4'></object>",
    (
        "<p><a href='javascript:window.ran=5'>xem</a> <a href=' jAvA\tscript:window.ran=5'>nữa</a>"
        " <a href='data:text/html,<script>opener.ran=5</script>'>dữ liệu</a> <a href='vbscript:x'>vb</a></p>"
    ),
    (
        "<img src=x onerror='window.ran = 6'><img src='data:image/svg+xml,<svg onload=parent.ran=6>'>"
        "<video src=x onerror='window.ran = 6'></video><input autofocus onfocus='window.ran = 6'>"
    ),
    "<!--[if gte mso 9]><xml><o:x/></xml><script>window.ran = 7</script><![endif]--><p class=MsoNormal>Word</p>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=window.ran=8&gt;'>",
    "<table><tr><td>ngoài<table><tr><td>trong<table><tr><td>sâu</td></tr></table></td></tr></table></td></tr></table>",
    "<p>Chữ\u200bẩn\u200d và \u202eđảo\u202c, \ufeffBOM, \u2066cô lập\u2069</p>",
    "<p style='background:url(javascript:window.ran=9)' id='write' name='csrf'>Kiểu</p><base href='https://x.example/'>",
    "<form action='https://x.example/'><input name=a><button>Gửi</button></form>",
    "<meta http-equiv=refresh content='0;url=/'>",
    "<template><script>window.ran = 10</script></template><noscript><p title='</noscript><img src=x onerror=ran=10>'>",
]


def test_hostile_paste_runs_nothing_and_stores_nothing_strange(editors: Editors, clerk: Editor) -> None:
    """Nothing of what is pasted runs or violates the policies; only what the model has is stored, with its words."""
    article = draft(editors, "Dán vào đây", "Đầu bài")
    page = clerk.open(f"bai-viet/{article}")
    elsewhere: list[str] = []
    page.on("request", lambda one: elsewhere.append(one.url) if not one.url.startswith(clerk.system.url) else None)
    for html in HOSTILE:
        page.evaluate(CARET, LAST)
        page.keyboard.press("Enter")
        page.evaluate(PASTE, [f"<html><body><!--StartFragment-->{html}<!--EndFragment--></body></html>", ""])
    page.hover(".editor-text p >> text=Rê chuột")
    page.click(".editor-text p >> text=xem")
    styles = f"style='{'mso-x:1;color:red;' * 130}'"
    big = f"<p class=MsoNormal {styles}><span {styles}>Một câu dài.<o:p></o:p></span></p>"
    page.evaluate(CARET, LAST)
    page.keyboard.press("Enter")
    page.evaluate(PASTE, [big * (2_000_000 // len(big)), ""])
    assert page.evaluate("window.ran") is None
    assert page.locator(".editor-text :is(script, svg, iframe, object, form, video, style, base, meta)").count() == 0
    save(page)
    saved(page, 2)
    body = stored(editors, article)["body"]
    text = "\n".join(str(block) for block in body)
    assert {block["type"] for block in body} <= {"paragraph", "table", "heading", "list", "figure"}
    for word in (
        "javascript",
        "vbscript",
        "data:",
        "onerror",
        "onclick",
        "mso",
        "x.example",
        "\u202e",
        "\u200b",
        "\ufeff",
    ):
        assert word not in text, word
    for word in ("Bình thường", "Rê chuột", "Word", "trong", "sâu", "cô lập", "Kiểu"):
        assert word in text, word
    assert text.count("Một câu dài.") == 2_000_000 // len(big)
    page.close()
    assert elsewhere == []
    assert clerk.faults == []


ATTACK = """<!doctype html><meta charset="utf-8"><title>Trang lạ</title><iframe name="sink"></iframe>
<script>
async function attack({gateway, article, site}) {
  const form = (action, fields, enctype) => {
    const made = document.createElement("form");
    Object.assign(made, {action: gateway + action, method: "post", target: "sink", enctype});
    for (const [name, value] of Object.entries(fields)) {
      const field = document.createElement("input");
      Object.assign(field, {type: "hidden", name, value});
      made.append(field);
    }
    document.body.append(made);
    const loaded = new Promise((done) => {
      document.querySelector("iframe").addEventListener("load", done, {once: true});
      setTimeout(done, 3000);
    });
    made.submit();
    return loaded;
  };
  const PATHS = {
    [`/ban-bien-tap/bai-viet/${article}`]: {version: "1", title: "Bị đổi", action: "save", csrf: "x"},
    [`/ban-bien-tap/bai-viet/${article}/buoc/discard`]: {version: "1", reason: "x"},
    "/ban-bien-tap/bai-viet/moi": {site, title: "Bài lạ", section: "tin-tuc", action: "publish"},
    "/ban-bien-tap/toi": {part: "name", name: "Tên lạ", language: "en"},
    "/ban-bien-tap/dang-xuat": {},
    "/ban-bien-tap/dang-nhap": {email: "ke.la.l@haihau.example", password: "bốn từ không liên quan"},
    [`/api/articles/${article}/submit`]: {version: "1"},
    "/api/sessions": {email: "ke.la.l@haihau.example", password: "bốn từ không liên quan"},
  };
  const TYPES = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
  for (const [path, fields] of Object.entries(PATHS)) for (const type of TYPES) await form(path, fields, type);
  const json = JSON.stringify({site, section: "tin-tuc", title: "Bài lạ", body: "<p>x</p>"});
  await form("/api/articles", {[json.slice(0, -1) + ',"note":"']: '"}'}, "text/plain");
  const url = `${gateway}/api/articles`;
  const send = (path, options) => fetch(path, {credentials: "include", ...options}).catch(() => null);
  const types = ["text/plain", "application/json"];
  for (const mode of ["cors", "no-cors"]) for (const type of types) {
    await send(url, {mode, method: "POST", headers: {"content-type": type}, body: json});
    const sent = {mode, method: "POST", headers: {"content-type": type}, body: '{"version":1}'};
    await send(`${url}/${article}/submit`, sent);
  }
  await send(`${url}/${article}`, {method: "DELETE"});
  const change = {method: "PATCH", headers: {"content-type": "application/json"}, body: '{"title":"x"}'};
  await send(`${url}/${article}`, change);
  const read = await send(`${url}/${article}`, {mode: "cors"});
  const seen = read && await read.text();
  navigator.sendBeacon(url, new Blob([json], {type: "text/plain"}));
  for (const path of ["/ban-bien-tap/dang-xuat", `/ban-bien-tap/bai-viet/${article}/buoc/discard`]) {
    await new Promise((done) => Object.assign(new Image(), {onerror: done, onload: done, src: gateway + path}));
  }
  await new Promise((done) => setTimeout(done, 300));
  return seen;
}
</script>"""


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a website of somebody else, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(ATTACK.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_page_of_a_stranger_changes_nothing(editors: Editors, clerk: Editor, stranger: int, host: str) -> None:
    """Forms, scripts and beacons of another port, whose requests have the cookies, or host change nothing."""
    person(editors, f"ke.la.{host[0]}@haihau.example", "Kẻ Lạ", "write:haihau")
    article = draft(editors, "Bài của tòa soạn")
    before = editors.call("GET", "/articles/counts?site=haihau", scope="read").json()
    me = clerk.call("GET", "/api/me").json()
    page, answers = clerk.context.new_page(), list[tuple[str, str, int, str]]()

    def note(answer: Any) -> None:
        if answer.url.startswith(clerk.system.url) and answer.request.method not in ("GET", "OPTIONS"):
            cookie = answer.request.all_headers().get("cookie", "")
            answers.append((answer.request.method, answer.url, answer.status, cookie))

    page.on("response", note)
    page.goto(f"http://{host}:{stranger}/")
    given = {"gateway": clerk.system.url, "article": article, "site": "haihau"}
    assert page.evaluate("(given) => attack(given)", given) is None
    page.close()
    assert len(answers) >= 25
    refused = {400, 401, 403, 404, 405, 415, 422}
    wrong = [
        one for one in answers if one[2] not in refused and one[1:3] != (f"{clerk.system.url}/ban-bien-tap/toi", 303)
    ]
    assert wrong == []
    assert any("presstally_session" in cookie for *_, cookie in answers) == (host == "localhost")
    assert editors.version(article) == 1
    after = editors.call("GET", "/articles/counts?site=haihau", scope="read").json()
    assert after == before
    now = clerk.call("GET", "/api/me").json()
    assert [now[name] for name in ("id", "name", "language", "session")] == [
        me[name] for name in ("id", "name", "language", "session")
    ]


def test_stolen_cookie_works_until_its_session_is_closed(system: Any, browser: Browser, editors: Editors) -> None:
    """Scripts do not see the cookie; a copy works elsewhere until its owner closes the session in the own account."""
    owner = editor(browser, editors, "chu.vung@haihau.example", "Đỗ Chủ", "write:haihau")
    (cookie,) = [one for one in owner.context.cookies() if "session" in one["name"]]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] in ("Lax", "Strict")
    page = owner.open()
    assert cookie["value"] not in page.evaluate(
        "document.cookie + JSON.stringify({...localStorage, ...sessionStorage})"
    )

    def thief() -> int:
        stolen = f"{cookie['name']}={cookie['value']}"
        return int(system.get("/api/me", cookie=stolen, user_agent="curl/8.0", x_forwarded_for="198.51.100.9").status)

    assert thief() == 200
    elsewhere = Editor(system, browser.new_context(locale="vi-VN"), owner.email)
    elsewhere.log_in()
    account = elsewhere.open("toi")
    row = account.locator("li", has_not=account.locator(".badge")).filter(has=account.get_by_role("button"))
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Đăng xuất").click()
    expect(account.get_by_role("status")).to_contain_text("Đã đóng phiên")
    assert thief() == 401
    page.reload()
    expect(page).to_have_url(re.compile("/dang-nhap"))
    owner.log_in()
    account.reload()
    account.get_by_role("button", name="Đăng xuất ở mọi nơi khác").click()
    expect(account.get_by_role("status")).to_be_visible()
    page.goto(f"{system.url}/ban-bien-tap/")
    expect(page).to_have_url(re.compile("/dang-nhap"))
    assert elsewhere.call("GET", "/api/me").status == 200
    account.get_by_text("Đỗ Chủ").click()
    account.get_by_role("button", name="Đăng xuất", exact=True).first.click()
    expect(account).to_have_url(re.compile("/dang-nhap"))
    account.go_back()
    expect(account).to_have_url(re.compile("/dang-nhap"))
    elsewhere.context.close()
    owner.context.close()


@pytest.mark.parametrize("planted", ["invented", "of a session"])
def test_cookie_from_before_the_log_in_is_not_kept(
    browser: Browser, editors: Editors, clerk: Editor, planted: str
) -> None:
    """A person who has planted a cookie, invented or of the own session, has no session of the person who logs in."""
    (name, own), *_ = [(one["name"], one["value"]) for one in clerk.context.cookies() if "session" in one["name"]]
    value = own if planted == "of a session" else "A" * len(own)
    email = f"moi.{len(planted)}.vung@haihau.example"
    person(editors, email, "Người Mới", "write:haihau")
    victim = Editor(clerk.system, browser.new_context(locale="vi-VN"), email)
    victim.context.add_cookies([{"name": name, "value": value, "url": clerk.system.url}])
    victim.log_in()
    assert [one["value"] for one in victim.context.cookies() if one["name"] == name] != [value]
    assert victim.call("GET", "/api/me").json()["email"] == email
    seen = clerk.system.get("/api/me", cookie=f"{name}={value}")
    assert seen.status == 401 or seen.json()["email"] == clerk.email
    victim.context.close()


def test_session_that_ends_while_writing_loses_nothing(system: Any, browser: Browser, editors: Editors) -> None:
    """The log-in is asked for over the text; after it the text is stored, and saved with the next click."""
    email = "het.phien.vung@haihau.example"
    writer = editor(browser, editors, email, "Hết Phiên", "write:haihau")
    article = draft(editors, "Viết qua lúc hết phiên")
    page = writer.open(f"bai-viet/{article}")
    me = writer.call("GET", "/api/me").json()["id"]
    assert editors.call("DELETE", f"/people/{me}/sessions", scope="admin").status == 204
    write(page, " còn nguyên")
    save(page)
    dialog = page.locator("dialog.log-in")
    expect(dialog).to_be_visible()
    dialog.locator("input[name=password]").fill(PASSWORD)
    dialog.locator("button[type=submit]").click()
    saved(page, 2)
    assert stored(editors, article)["body"][-1]["html"] == "Đoạn 3 còn nguyên"
    assert page.evaluate(LINES)[-1] == "Đoạn 3 còn nguyên"
    assert writer.faults == []
    writer.context.close()


def test_publishing_goes_on_after_kafka_was_frozen(system: Any, editors: Editors, colleague: Editor) -> None:
    """What is published while Kafka does not answer is saved; the page says that it is on its way, and it arrives."""
    article = draft(editors, "Bài viết khi Kafka ngừng")
    page, pid = colleague.open(f"bai-viet/{article}"), system.state()["parts"]["kafka"]
    os.kill(pid, signal.SIGSTOP)
    try:
        write(page, " viết tiếp")
        page.get_by_role("button", name="Đăng", exact=True).click()
        expect(page.locator("main")).to_contain_text(re.compile("đang lên trang|trang tin"))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert editors.publication(article)["status"] == "live"
    assert stored(editors, article)["body"][-1]["html"] == "Đoạn 3 viết tiếp"
    page.close()
