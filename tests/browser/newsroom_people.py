"""People in the newsroom of the running system, each in a browser of their own, with scripts."""

import io
import json
import zlib
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, expect

PASSWORD = "bốn từ không liên quan"
COUNT_CLICKS = "addEventListener('click', (event) => event.isTrusted && window.clicked(event.detail), true)"
REPORTS = """addEventListener("securitypolicyviolation", (event) =>
  window.violated(`${event.effectiveDirective}: ${event.sample || event.blockedURI}`))"""
expect.set_options(timeout=30_000)  # a publication is waited for


class Editor:
    """A person of the newsroom in a browser."""

    def __init__(self, system: Any, context: BrowserContext, email: str) -> None:
        self.system = system
        self.context = context
        self.email = email
        self.clicks = 0
        self.faults: list[str] = []
        """Errors of scripts, and what the policies of pages have stopped."""
        context.expose_function("clicked", self._clicked)
        context.expose_function("violated", self._violated)
        context.add_init_script(f"{COUNT_CLICKS}; {REPORTS}")
        context.on("weberror", lambda error: self.faults.append(str(error.error)))

    def _clicked(self, detail: int) -> None:
        self.clicks += detail <= 1  # a double click is one click more, and not three

    def _violated(self, what: str) -> None:
        self.faults.append(what)

    def log_in(self) -> None:
        page = self.context.new_page()
        page.goto(f"{self.system.url}/ban-bien-tap/dang-nhap")
        page.get_by_label("Thư điện tử").fill(self.email)
        page.get_by_label("Mật khẩu").fill(PASSWORD)
        page.get_by_role("button", name="Đăng nhập", exact=True).click()
        page.wait_for_url(f"{self.system.url}/ban-bien-tap/")
        page.close()

    def call(self, method: str, path: str) -> Any:
        """Return the response to a request with the cookies of the browser."""
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in self.context.cookies(self.system.url))
        return self.system.request(method, path, None, cookie=cookies)

    def open(self, path: str = "") -> Page:
        """Open a page; one in which is written is ready to be typed into."""
        page = self.context.new_page()
        page.goto(f"{self.system.url}/ban-bien-tap/{path}")
        if page.locator("#stored").count():
            page.wait_for_selector(".ProseMirror[contenteditable=true]")
        return page


def person(editors: Any, email: str, name: str, *grants: str) -> str:
    """Create a person with rights such as `write:haihau:tin-tuc` and a password; return the ID."""
    places = [dict(zip(("scope", "site", "section"), one.split(":"), strict=False)) for one in grants]
    made = editors.call("POST", "/people", {"email": email, "name": name, "grants": places}, "admin")
    assert made.status == 201, made.text
    link = made.json()["link"].rpartition("#")[2]
    sent = json.dumps({"link": link, "password": PASSWORD}).encode()
    done = editors.system.request(
        "POST", "/api/passwords", sent, content_type="application/json", origin=editors.system.url
    )
    assert done.status < 300, done.text
    return str(made.json()["person"]["id"])


def editor(browser: Browser, editors: Any, email: str, name: str, *grants: str) -> Editor:
    """Return the browser of a new person who has logged in."""
    person(editors, email, name, *grants)
    context = browser.new_context(locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh", accept_downloads=True)
    context.set_default_timeout(30_000)
    found = Editor(editors.system, context, email)
    found.log_in()
    return found


def photo(number: int) -> bytes:
    """Return a photo that no other has the content of."""
    picture = Image.new("RGB", (900, 600), (40 + number * 25, 120, 200 - number * 20))
    ImageDraw.Draw(picture).ellipse((100 + number * 60, 150, 300 + number * 60, 350), fill=(250, 240, 90))
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=82)
    return output.getvalue()


def decision(text: str) -> bytes:
    """Return a decision as a PDF of one page."""
    stream = zlib.compress(f"BT /F 14 Tf 72 720 Td ({text}) Tj ET".encode("latin-1"))
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font 6 0 R >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /F 5 0 R >>",
    ]
    content, places = b"%PDF-1.7\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(content))
    return content + b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table + end
