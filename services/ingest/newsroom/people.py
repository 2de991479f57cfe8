"""People: who may do what, invitations, locks; for administrators of a site or of the installation."""

import asyncio
from typing import Any

from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.audit_words import KINDS, action_words, kind_word
from services.ingest.newsroom.pages import Page, screen
from shared.translations import pgettext, translate

SCOPES = ("read", "write", "publish", "admin")
SCOPE_NAMES = translate(
    {
        "read": pgettext("right", "reads"),
        "write": pgettext("right", "writes"),
        "publish": pgettext("right", "approves and publishes"),
        "admin": pgettext("right", "administers"),
    }
)
STATES = translate(
    {
        "invited": pgettext("person", "Invited"),
        "active": pgettext("person", "Active"),
        "locked": pgettext("person", "Locked"),
    }
)
DONE = translate(
    {
        "saved": pgettext("done", "Saved."),
        "locked": pgettext("done", "Locked: every session is closed."),
        "unlocked": pgettext("done", "Unlocked."),
        "sessions": pgettext("done", "Every session of the person is closed."),
        "two_steps": pgettext("done", "Two steps are switched off."),
        "removed": pgettext("done", "The account is removed. The history keeps the name."),
        "sent": pgettext("done", "The link was sent by mail."),
    }
)
ACTIONS = ("save", "lock", "unlock", "sessions", "two_steps", "invitation", "password-reset", "remove")
AUDIT_ROWS = 50
PATH = "nguoi"


async def show_people(page: Page) -> Response:
    """List the people whom the caller administers."""
    return await _people_page(page)


async def _people_page(page: Page, error: ApiError | None = None, **values: Any) -> Response:
    found = await page.api.get("/people")
    given: dict[str, Any] = {"invited": None, "grants": {}, "typed": {}, **values}
    return page.render(
        "people.html",
        200 if error is None else error.status,
        people=[{**one, "rights": _described(page, one["grants"])} for one in found["people"]],
        states=STATES[page.language],
        scopes=SCOPE_NAMES[page.language],
        administered=_administered(page),
        is_administrator=_is_administrator(page),
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
        notice=DONE[page.language].get(page.query("done"), ""),
        **given,
    )


def _is_administrator(page: Page) -> bool:
    """Return whether the caller administers the whole installation."""
    grants = (page.me or {}).get("grants") or ()
    return any(one["scope"] == "admin" and one["site"] is None for one in grants)


def _administered(page: Page) -> list[dict[str, Any]]:
    return [one for one in page.sites if "admin" in one["scopes"]]


def _described(page: Page, grants: list[dict[str, Any]]) -> list[str]:
    """Return rights as sentences: what, on which site, in which section."""
    sites = {one["slug"]: one for one in page.sites}
    texts = []
    for grant in grants:
        text = str(SCOPE_NAMES[page.language][grant["scope"]])
        site = sites.get(grant["site"] or "")
        if grant["site"] is not None:
            text += f" · {site['name'] if site else grant['site']}"
        if grant["section"] is not None:
            names = {one["slug"]: one["name"] for one in site["sections"]} if site else {}
            text += f" · {names.get(grant['section'], grant['section'])}"
        texts.append(text)
    return texts


def _grants_of_form(page: Page) -> list[dict[str, Any]]:
    """Return the rights that a form names: `grant` has the scope for all sites, `grant/SITE/SECTION` for one place."""
    found = []
    for name, value in page.form.multi_items():
        head, _, place = name.partition("/")
        if head == "grant" and value in SCOPES:
            site, _, section = place.partition("/")
            found.append({"scope": str(value), "site": site or None, "section": section or None})
    return found


def _grant_values(grants: list[dict[str, Any]]) -> dict[str, str]:
    """Return rights as the fields of a form."""
    order = {scope: number for number, scope in enumerate(SCOPES)}
    values: dict[str, str] = {}
    for one in grants:
        name = "/".join(["grant", *(part for part in (one["site"], one["section"]) if part)])
        if order[one["scope"]] >= order.get(values.get(name, "read"), 0):
            values[name] = one["scope"]
    return values


async def invite(page: Page) -> Response:
    """Invite a person: by mail, or with a link to be handed over."""
    grants = _grants_of_form(page)
    typed = {"email": page.text("email"), "name": page.text("name"), "language": page.text("language") or "vi"}
    try:
        invited = await page.api.send("POST", "/people", {**typed, "grants": grants}, csrf=page.sent_csrf)
    except ApiError as error:
        if error.status not in (403, 409, 422) or error.code == "wrong_csrf_token":
            raise
        return await _people_page(page, error, typed=typed, grants=_grant_values(grants))
    return await _people_page(page, invited=invited)


def _id(page: Page) -> str:
    return str(page.request.path_params["id"])


async def show_person(page: Page) -> Response:
    """Show a person's rights and what can be done."""
    return await _person_page(page)


async def _person_page(page: Page, error: ApiError | None = None, **values: Any) -> Response:
    found = await page.api.get("/people")
    person = next((one for one in found["people"] if one["id"] == _id(page)), None)
    if person is None:
        return page.render("message.html", 404, reason="not_found", detail="")
    given: dict[str, Any] = {
        "link": None,
        "asked": page.query("ask"),
        "grants": _grant_values(person["grants"]),
        **values,
    }
    return page.render(
        "person.html",
        200 if error is None else error.status,
        person=person,
        states=STATES[page.language],
        scopes=SCOPE_NAMES[page.language],
        administered=_administered(page),
        is_administrator=_is_administrator(page),
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
        notice=DONE[page.language].get(page.query("done"), ""),
        **given,
    )


async def change_person(page: Page) -> Response:
    """Save rights and name, or do what a button of the page says."""
    action, path, csrf = page.text("action"), f"/people/{_id(page)}", page.sent_csrf
    if action not in ACTIONS:
        return page.redirect(f"{PATH}/{_id(page)}")
    try:
        if action == "save":
            sent: dict[str, Any] = {"name": page.text("name"), "email": page.text("email")}
            grants = _grants_of_form(page)
            if _grant_values(grants) != dict(one.split("=", 1) for one in page.texts("before")):
                sent["grants"] = grants
            await page.api.send("PATCH", path, sent, csrf=csrf)
        elif action in ("lock", "unlock"):
            await page.api.send("PATCH", path, {"locked": action == "lock"}, csrf=csrf)
        elif action == "sessions":
            await page.api.send("DELETE", f"{path}/sessions", csrf=csrf)
        elif action == "two_steps":
            await page.api.send("DELETE", f"{path}/totp", csrf=csrf)
        elif action == "remove":
            await page.api.send("DELETE", path, csrf=csrf)
            return page.redirect(PATH, done="removed")
        else:
            made = await page.api.send("POST", f"{path}/{action}", csrf=csrf)
            if made.get("link"):
                return await _person_page(page, link=made)
    except ApiError as error:
        if error.status not in (403, 409, 422) or error.code == "wrong_csrf_token":
            raise
        return await _person_page(page, error)
    done = {"save": "saved", "lock": "locked", "unlock": "unlocked", "sessions": "sessions", "two_steps": "two_steps"}
    return page.redirect(f"{PATH}/{_id(page)}", done=done.get(action, "sent"))


async def show_audit(page: Page) -> Response:
    """Show who changed what: articles, people, sections and everything else."""
    query = {name: page.query(name) or None for name in ("who", "kind", "cursor")}
    found, people = await asyncio.gather(
        page.api.get("/audit", **query, site=page.site_slug or None, limit=AUDIT_ROWS), page.api.get("/people")
    )
    return page.render(
        "audit.html",
        entries=found["entries"],
        kinds=KINDS[page.language],
        action=lambda one: action_words(one["action"], one["kind"], page.language),
        kind=lambda one: kind_word(one["kind"], page.language),
        following=found["next"],
        names=sorted({one["name"] for one in people["people"]}),
    )


ROUTES = [
    screen(PATH, show_people),
    screen(PATH, invite, ("POST",)),
    screen(f"{PATH}/nhat-ky", show_audit),
    screen(f"{PATH}/{{id}}", show_person),
    screen(f"{PATH}/{{id}}", change_person, ("POST",)),
]
