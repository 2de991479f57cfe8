"""Pictures and documents: upload several, search, set focus and texts of a picture, see where one is used."""

from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article_state import STATES
from services.ingest.newsroom.markdown import blocks_to_markdown
from services.ingest.newsroom.pages import Page, screen
from shared.translations import LANGUAGES, ngettext, pgettext, translate

PATH = "anh-va-tep"
ROWS = 48
STORED = ngettext("{count} file was stored.", "{count} files were stored.")
DONE = translate(
    {
        "focus": pgettext("done", "The focus is set; articles get the new crops."),
        "described": pgettext("done", "Saved, for articles that use the picture from now on."),
        "renamed": pgettext("done", "Renamed, for articles that are saved from now on."),
        "removed": pgettext("done", "Removed."),
    }
)
OWN_ERRORS = (403, 404, 409, 413, 415, 422)


async def show_media(page: Page) -> Response:
    """List pictures or documents, the newest first."""
    return await _media_page(page)


def _is_files(page: Page) -> bool:
    return page.query("kind") == "files"


async def _media_page(page: Page, status: int = 200, **values: Any) -> Response:
    path, key = ("/files", "files") if _is_files(page) else ("/media", "media")
    asked = {"q": page.query("q")} if page.query("q") else {}
    found = await page.api.get(path, site=page.site_slug, limit=ROWS, cursor=page.query("cursor") or None, **asked)
    given: dict[str, Any] = {"notice": DONE[page.language].get(page.query("done"), ""), "failed": [], **values}
    return page.render(
        "media.html",
        status,
        is_files=_is_files(page),
        items=found[key],
        following=found["next"],
        markdown=_markdown,
        small=small_copy,
        uses_of=_uses_of,
        may_write=page.may("write", "*"),
        **given,
    )


def _markdown(item: dict[str, Any]) -> str:
    """Return what is written into an article to show a picture or to offer a document."""
    block = item.get("block")
    if block is None:
        block = {"type": "figure", "caption": item["caption"], "credit": item["credit"] or None, "image": item["image"]}
    return blocks_to_markdown([block])


def small_copy(item: dict[str, Any]) -> str:
    """Return the address of a small copy of a picture."""
    copies = sorted(item["image"].get("renditions") or (), key=lambda one: one["width"])
    return str(copies[0]["url"] if copies else item["image"]["url"])


def _uses_of(item: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the path and the name of each place that shows a picture or offers a document."""
    found = [(f"bai-viet/{one['id']}", one["title"]) for one in item["used_in"]]
    found += [(f"trang/{one['page']}", one["title"]) for one in item["pages"]]
    found += [(f"banner/{one['banner']}", one["alt"]) for one in item.get("banners", ())]
    return [*found, *((f"tac-gia/{one['author']}", one["name"]) for one in item.get("authors", ()))]


async def upload(page: Page) -> Response:
    """Store files; each is a picture or a document by its content, and a refusal does not stop the others."""
    failed, count = [], 0
    for one in page.form.getlist("file"):
        if not isinstance(one, UploadFile) or not one.filename:
            continue
        is_picture = (one.content_type or "").startswith("image/")
        try:
            await page.api.upload(
                "/media" if is_picture else "/files",
                one.file,
                one.size or 0,
                csrf=page.sent_csrf,
                site=page.site_slug,
                file_name=one.filename[-200:],
            )
            count += 1
        except ApiError as error:
            if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
                raise
            failed.append((one.filename, str(error)))
    notice = LANGUAGES[page.language].plural(STORED, count).format(count=count) if count else ""
    return await _media_page(page, 422 if failed else 200, failed=failed, notice=notice)


async def show_one(page: Page) -> Response:
    """Show a picture or a document."""
    return await _one_page(page)


def _id(page: Page) -> str:
    return str(page.request.path_params["id"])


async def _one_page(page: Page, error: ApiError | None = None) -> Response:
    is_files = _is_files(page)
    item = await page.api.get(f"/{'files' if is_files else 'media'}/{_id(page)}", site=page.site_slug)
    return page.render(
        "medium.html",
        200 if error is None else error.status,
        item=item,
        is_files=is_files,
        states=STATES[page.language],
        markdown=_markdown(item),
        may_write=page.may("write", "*"),
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
        notice=DONE[page.language].get(page.query("done"), ""),
    )


async def change(page: Page) -> Response:
    """Set the focus or the texts of a picture; rename or remove a document."""
    action, more = page.text("action"), {"kind": "files"} if _is_files(page) else {}
    try:
        if action == "remove" and more:
            await page.api.send("DELETE", f"/files/{_id(page)}", csrf=page.sent_csrf, site=page.site_slug)
            return page.redirect(PATH, done="removed", **more)
        if more:
            sent: dict[str, Any] = {"name": page.text("name")}
            await page.api.send("PATCH", f"/files/{_id(page)}", sent, csrf=page.sent_csrf, site=page.site_slug)
            return page.redirect(f"{PATH}/{_id(page)}", done="renamed", **more)
        if action == "describe":
            sent = {name: page.text(name) for name in ("alt", "caption", "credit")}
            await page.api.send("PATCH", f"/media/{_id(page)}", sent, csrf=page.sent_csrf, site=page.site_slug)
            return page.redirect(f"{PATH}/{_id(page)}", done="described")
        focus = {"x": _fraction(page.text("x")), "y": _fraction(page.text("y"))}
        sent = {"focus": None if action == "centre" else focus}
        await page.api.send("PATCH", f"/media/{_id(page)}", sent, csrf=page.sent_csrf, site=page.site_slug)
    except ApiError as error:
        if error.status not in OWN_ERRORS or error.code == "wrong_csrf_token":
            raise
        return await _one_page(page, error)
    return page.redirect(f"{PATH}/{_id(page)}", done="focus")


def _fraction(percent: str) -> float:
    try:
        return min(max(float(percent) / 100, 0), 1)
    except ValueError:
        return 0.5


ROUTES = [
    screen(PATH, show_media),
    screen(PATH, upload, ("POST",)),
    screen(f"{PATH}/{{id}}", show_one),
    screen(f"{PATH}/{{id}}", change, ("POST",)),
]
