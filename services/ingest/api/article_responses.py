"""An article with its copies → the response of the editor API. Pure."""

from collections.abc import Sequence
from datetime import datetime

from services.ingest.api.schemas import ArticleResponse, CarryOverResult, SupersededSchedule
from services.ingest.articles.copies import ArticleChange, StoredArticle, due_at
from services.ingest.articles.live_copy import CarryOver, undone_fixes
from services.ingest.articles.workflow import allowed_transitions
from services.ingest.auth.callers import Caller
from services.ingest.content.article_models import CONTENT_FIELDS
from services.ingest.content.errors import FieldError, field_error
from services.ingest.content.validation import editor_warnings
from shared.articles import Article, article_path, is_public
from shared.sites import Site


def article_response(
    stored: StoredArticle,
    caller: Caller,
    site: Site,
    now: datetime,
    warnings: Sequence[FieldError] = (),
    *,
    change: ArticleChange | None = None,
    carried: CarryOver | None = None,
) -> ArticleResponse:
    """Return an article for editors, with warnings about it.

    Args:
        stored: The article.
        caller: Who gets the response: it offers them the steps that they may take.
        site: The article's.
        now: The time.
        warnings: About what was sent.
        change: The publication or schedule that the response reports.
        carried: What became of a change of the live version in the other ones.
    """
    fields = {name: getattr(stored.head, name) for name in Article.__struct_fields__}
    live, scheduled = stored.live, stored.scheduled
    is_open = live is not None and is_public(live, now)
    superseded = change.superseded if change is not None else None
    return ArticleResponse(
        **fields,
        live_version=None if live is None else live.version,
        live_state=None if live is None else live.state,
        url=site.url + article_path(live) if live is not None and is_open else None,
        problem=stored.schedule_error,
        steps=allowed_transitions(stored, lambda scope: caller.allows(scope, stored.head.site, stored.head.section)),
        warnings=[*warnings, *editor_warnings(stored.head, site), *_copy_warnings(stored)],
        scheduled_version=None if scheduled is None else scheduled.version,
        scheduled_for=None if scheduled is None else due_at(scheduled),
        differs_from_live=None if live is None else _differences(stored.head, live),
        differs_from_scheduled=None if scheduled is None else _differences(stored.head, scheduled),
        behind_live=sorted(stored.live_changes_of_head),
        refusal=stored.refusal,
        carry_over=None if carried is None else _carry_over_result(carried),
        superseded_schedule=None if superseded is None else SupersededSchedule(superseded.version, due_at(superseded)),
        kept_from_live=None if change is None or not change.is_public_change else list(change.kept),
    )


def _carry_over_result(carried: CarryOver) -> CarryOverResult:
    return CarryOverResult(carried.carried, carried.possible, carried.conflicts)


def _differences(head: Article, other: Article) -> list[str]:
    return [name for name in CONTENT_FIELDS if getattr(head, name) != getattr(other, name)]


def _copy_warnings(stored: StoredArticle) -> list[FieldError]:
    """Return warnings about what the copies would do to each other."""
    warnings = [
        field_error(name, f"fix_missing_in_{copy}")
        for copy in stored.live_changes
        for name in undone_fixes(stored, copy)
    ]
    if stored.scheduled is not None and stored.live is not None and stored.live.state != "published":
        due = due_at(stored.scheduled)
        values = {"state": stored.live.state, "version": stored.scheduled.version, "due": str(due)}
        warnings.append(field_error("scheduled_for", "schedule_of_withdrawn", **values))
    return warnings
