"""The own account: name and language, password, two steps, recovery codes, sessions."""

import io
from typing import Any

import segno
from markupsafe import Markup
from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.pages import Page, screen
from shared.translations import LANGUAGES, pgettext, translate

DONE = translate(
    {
        "name": pgettext("done", "Saved."),
        "password": pgettext("done", "The password is changed; all other sessions are closed."),
        "sessions": pgettext("done", "The session is closed."),
        "others": pgettext("done", "All other sessions are closed."),
        "off": pgettext("done", "Two steps are switched off."),
    }
)


async def show_account(page: Page) -> Response:
    """Show the account."""
    return _account_page(page)


def _account_page(page: Page, part: str = "", error: ApiError | None = None, **values: Any) -> Response:
    given: dict[str, Any] = {"secret": None, "qr": "", "codes": None, "failed": part, **values}
    return page.render(
        "account.html",
        200 if error is None else error.status,
        languages=[(code, language.name) for code, language in LANGUAGES.items() if code in ("vi", "en")],
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
        notice=DONE[page.language].get(page.query("done"), ""),
        **given,
    )


def qr_code(text: str) -> Markup:
    """Return a QR code as an SVG image, without styles or scripts."""
    output = io.BytesIO()
    segno.make(text, error="m").save(
        output, kind="svg", xmldecl=False, svgns=True, scale=4, border=2, omitsize=True, svgclass="qr", lineclass=None
    )
    return Markup(output.getvalue().decode())  # noqa: S704 - made of squares


async def change_account(page: Page) -> Response:
    """Change what a form of the page is for."""
    part = page.text("part")
    work = _PARTS.get(part)
    if work is None:
        return page.redirect("toi")
    try:
        return await work(page)
    except ApiError as error:
        if error.status not in (400, 403, 404, 409, 422, 429) or error.code == "wrong_csrf_token":
            raise
        page.me = await page.api.get("/me")
        secret = page.text("secret")
        qr = qr_code(page.text("uri")) if secret and page.text("uri").startswith("otpauth://") else ""
        return _account_page(page, part, error, secret=secret or None, uri=page.text("uri"), qr=qr)


def _raw(page: Page, name: str) -> str:
    """Return a password as it was typed."""
    value = page.form.get(name)
    return value if isinstance(value, str) else ""


async def _change_name(page: Page) -> Response:
    sent = {"name": page.text("name"), "language": page.text("language")}
    await page.api.send("PATCH", "/me", sent, csrf=page.sent_csrf)
    return page.redirect("toi", done="name")


async def _change_password(page: Page) -> Response:
    if _raw(page, "password") != _raw(page, "repeated"):
        message = page.gettext("The two passwords are not the same.")
        raise ApiError(422, {"detail": message, "errors": [{"field": "repeated", "fault": message}]})
    sent = {"password": _raw(page, "password"), "current_password": _raw(page, "current_password")}
    await page.api.send("PATCH", "/me", sent, csrf=page.sent_csrf)
    return page.redirect("toi", done="password")


async def _begin_two_steps(page: Page) -> Response:
    sent = {"current_password": _raw(page, "current_password")}
    made = await page.api.send("POST", "/me/totp", sent, csrf=page.sent_csrf)
    return _account_page(page, secret=made["secret"], uri=made["uri"], qr=qr_code(made["uri"]))


async def _confirm_two_steps(page: Page) -> Response:
    sent = {"current_password": _raw(page, "current_password"), "code": page.text("code")}
    made = await page.api.send("PUT", "/me/totp", sent, csrf=page.sent_csrf)
    return _account_page(page, codes=made["recovery_codes"])


async def _end_two_steps(page: Page) -> Response:
    sent = {"current_password": _raw(page, "current_password"), "code": page.text("code")}
    await page.api.send("DELETE", "/me/totp", sent, csrf=page.sent_csrf)
    return page.redirect("toi", done="off")


async def _renew_codes(page: Page) -> Response:
    sent = {"current_password": _raw(page, "current_password"), "code": page.text("code")}
    made = await page.api.send("POST", "/me/recovery-codes", sent, csrf=page.sent_csrf)
    return _account_page(page, codes=made["recovery_codes"])


async def _close_session(page: Page) -> Response:
    await page.api.send("DELETE", f"/sessions/{page.text('session')}", csrf=page.sent_csrf)
    return page.redirect("toi", done="others" if page.text("session") == "others" else "sessions")


_PARTS = {
    "name": _change_name,
    "password": _change_password,
    "two_steps": _begin_two_steps,
    "confirm": _confirm_two_steps,
    "off": _end_two_steps,
    "codes": _renew_codes,
    "session": _close_session,
}

ROUTES = [screen("toi", show_account), screen("toi", change_account, ("POST",))]
