"""Steps of the workflow that are asked for first, and the way of a publication to its public address."""

from typing import Any

from starlette.responses import Response

from services.ingest.content.errors import InvalidContentError, invalid
from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.article import article_id, path_of, read_article
from services.ingest.newsroom.article_form import sent_fields
from services.ingest.newsroom.article_state import STEP_TITLES, STEPS
from services.ingest.newsroom.field_names import error_sentence
from services.ingest.newsroom.pages import Page, screen, whole_number
from services.ingest.newsroom.times import parse_time
from shared.translations import pgettext, translate

PUBLICATION_WAIT = "6s"
EFFECTS = translate(
    {
        "schedule": pgettext("effect", "It is published at this time by itself, as it is now."),
        "unschedule": pgettext("effect", "It is not published at its time, and stays approved."),
        "refuse": pgettext("effect", "It becomes a draft again. Its author reads the reason on the desk."),
        "unpublish": pgettext("effect", "Its address says that there is no such page. You can publish it again."),
        "archive": pgettext(
            "effect",
            "Its address says that there is no such page. It is kept, apart from the current articles.",
        ),
        "kill": pgettext(
            "effect",
            "Its address says that it was withdrawn, and search engines remove it. "
            "Only an administrator can undo this.",
        ),
        "discard": pgettext("effect", "It disappears from the desk. Only an administrator can bring it back."),
        "undo": pgettext("effect", "It comes back, but is not live: publish it again to make it public."),
    }
)
ASKS_REASON = ("refuse", "kill")
MAY_HAVE_REASON = ("unpublish", "archive", "discard")


async def show_publication(page: Page) -> Response:
    """Wait a moment until the public address serves a version, and show it."""
    article = await read_article(page)
    status = await page.api.get(
        f"/articles/{article_id(page)}/publication",
        wait=PUBLICATION_WAIT,
        version=whole_number(page.query("version")),
    )
    return page.render("publication.html", article=article, publication=status)


async def show_step(page: Page) -> Response:
    """Ask before a step: what readers will see, and why."""
    return await _step_page(page)


async def _step_page(page: Page, error: ApiError | None = None) -> Response:
    step = STEPS.get(str(page.request.path_params["step"]))
    if step is None or not step.asks:
        return page.render("message.html", 404, reason="not_found", detail="")
    article = await read_article(page)
    if not page.may(step.scope, article["section"]):
        return page.render("message.html", 403, reason="forbidden", detail="")
    time = page.text("publish_at") or page.field_time(article.get("scheduled_for") or article.get("publish_at"))
    return page.render(
        "step.html",
        200 if error is None else error.status,
        article=article,
        step=step,
        title=STEP_TITLES[page.language][step.name],
        effect=EFFECTS[page.language][step.name],
        asks_reason=step.name in ASKS_REASON,
        may_have_reason=step.name in MAY_HAVE_REASON,
        time=time,
        errors={} if error is None else error.field_errors,
        problem=None if error is None else str(error),
    )


async def take_step(page: Page) -> Response:
    """Take a step that was confirmed."""
    name, article = str(page.request.path_params["step"]), article_id(page)
    if name not in STEPS or not STEPS[name].asks:
        return page.render("message.html", 404, reason="not_found", detail="")
    reason, version = page.text("reason"), page.text("version") or None
    try:
        if name == "discard":
            await page.api.send(
                "DELETE", f"/articles/{article}", csrf=page.sent_csrf, version=version, note=reason or None
            )
            return page.redirect("", done="discard")
        sent: dict[str, Any] = {"reason": reason} if reason else {}
        if name == "undo":
            await page.api.send("POST", f"/articles/{article}/restore", {}, csrf=page.sent_csrf)
        else:
            if name == "schedule":
                await read_article(page)
                sent = sent_fields({"publish_at": page.text("publish_at")}, ["publish_at"], page.zone())
                due = parse_time(sent["publish_at"])
                if due is not None and due <= page.newsroom.now():  # a wrong year would publish at once
                    raise invalid("publish_at", "over")
            await page.api.send("POST", f"/articles/{article}/{name}", sent, csrf=page.sent_csrf, version=version)
    except InvalidContentError as error:
        faults = [{"field": field, "fault": fault} for field, fault in page.said_of(error).items()]
        problem = {"detail": error_sentence(faults, page.language), "errors": faults}
        return await _step_page(page, ApiError(422, problem))
    except ApiError as error:
        if error.status not in (403, 409, 412, 422, 428) or error.code == "wrong_csrf_token":
            raise
        return await _step_page(page, error)
    return page.redirect(path_of(article), done=name)


ROUTES = [
    screen("bai-viet/{id}/len-trang", show_publication),
    screen("bai-viet/{id}/buoc/{step}", show_step),
    screen("bai-viet/{id}/buoc/{step}", take_step, ("POST",)),
]
