"""Log in, with two steps; invitations, new passwords and log-in links; log out."""

from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.pages import ROOT, Page, screen

CODE_REQUIRED = "code_required"


def _next(page: Page) -> str:
    """Return the page to open after the log-in; it is one of these pages."""
    asked = page.text("next") or page.query("next")
    path, _, query = asked.partition("?")
    is_own = asked and not asked.startswith(("/", "\\")) and "//" not in path and ".." not in path and "\\" not in path
    return f"{ROOT}/{quote(path)}" + (f"?{query}" if query else "") if is_own else f"{ROOT}/"


async def _methods(page: Page) -> dict[str, Any]:
    return dict(await page.api.get("/sessions/methods"))


async def show_log_in(page: Page) -> Response:
    """Show the form: address and password."""
    return await _log_in_page(page)


async def _log_in_page(page: Page, error: ApiError | None = None, *, asks_code: bool = False) -> Response:
    methods = await _methods(page)
    status = 200 if error is None else error.status
    return page.render(
        "log_in.html",
        status,
        methods=methods,
        following=page.text("next") or page.query("next"),
        email=page.text("email"),
        password=str(page.form.get("password") or "") if asks_code else "",
        link=page.text("link"),
        asks_code=asks_code,
        problem=None if error is None or (asks_code and error.code == CODE_REQUIRED) else str(error),
        failed_elsewhere=page.query("error"),
    )


async def log_in(page: Page) -> Response:
    """Open a session; ask for the code if two-step verification is on."""
    sent = {"email": page.text("email"), "password": str(page.form.get("password") or "")}
    sent |= {name: page.text(name) for name in ("code", "link") if page.text(name)}
    if "link" in sent:
        sent["link"] = secret_of(sent["link"])
    try:
        await page.api.send("POST", "/sessions", sent)
    except ApiError as error:
        if error.status >= 500:
            raise
        asks_code = error.code == CODE_REQUIRED or bool(page.text("asks_code"))
        return await _log_in_page(page, error, asks_code=asks_code)
    return RedirectResponse(_next(page), 303)


async def log_out(page: Page) -> Response:
    """Close the session."""
    await page.api.send("DELETE", "/sessions/current", csrf=page.sent_csrf)
    return RedirectResponse(f"{ROOT}/dang-nhap", 303)


def secret_of(text: str) -> str:
    """Return the secret of a link that somebody has pasted, whole or only what is behind its `#`."""
    return text.rpartition("#")[2].strip()


async def show_forgotten(page: Page) -> Response:
    """Show the form that has a link sent."""
    return page.render("forgotten.html", methods=await _methods(page), email="", is_sent=False, purpose=_purpose(page))


def _purpose(page: Page) -> str:
    return "login" if (page.text("purpose") or page.query("purpose")) == "login" else "reset"


async def send_link(page: Page) -> Response:
    """Have a link sent: for a new password, or for a log-in that others have blocked."""
    purpose, email = _purpose(page), page.text("email")
    path = "/login-links" if purpose == "login" else "/password-resets"
    try:
        await page.api.send("POST", path, {"email": email})
    except ApiError as error:
        return page.render(
            "forgotten.html",
            error.status,
            methods=await _methods(page),
            email=email,
            is_sent=False,
            purpose=purpose,
            problem=str(error),
        )
    return page.render("forgotten.html", methods=await _methods(page), email=email, is_sent=True, purpose=purpose)


async def show_link(page: Page) -> Response:
    """Show the form of a link: its secret is behind `#`, so a script fills it in, or a person pastes the link."""
    return page.render("link.html", link="", person=None)


async def use_link(page: Page) -> Response:
    """Show for whom a link is, then set the password."""
    link = secret_of(page.text("link"))
    person = None
    try:
        person = await page.api.send("POST", "/account-links", {"link": link})
        password = str(page.form.get("password") or "")
        if not password:
            return page.render("link.html", link=link, person=person)
        if password != str(page.form.get("repeated") or ""):
            return page.render("link.html", 422, link=link, person=person, problem="repeated")
        name = page.text("name")
        sent = {"link": link, "password": password} | ({"name": name} if name else {})
        await page.api.send("POST", "/passwords", sent)
    except ApiError as error:
        return page.render("link.html", error.status, link=link, person=person, problem=str(error))
    return page.render("link_used.html", person=person)


ROUTES = [
    screen("dang-nhap", show_log_in, is_public=True),
    screen("dang-nhap", log_in, ("POST",), is_public=True),
    screen("dang-xuat", log_out, ("POST",)),
    screen("quen-mat-khau", show_forgotten, is_public=True),
    screen("quen-mat-khau", send_link, ("POST",), is_public=True),
    *(screen(path, show_link, is_public=True) for path in ("loi-moi", "mat-khau")),
    *(screen(path, use_link, ("POST",), is_public=True) for path in ("loi-moi", "mat-khau")),
]
