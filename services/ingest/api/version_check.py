"""If-Match and `version`: whether a request changes what its sender has read."""

import re
from datetime import UTC
from enum import Enum, auto
from typing import Any, Literal

from starlette.requests import Request

from services.ingest.articles.copies import StoredArticle
from services.ingest.queries import SQL
from shared.http.problems import Problem
from shared.postgres import Connection

_IF_MATCH = re.compile(r'^(?:W/)?"?(\d{1,16})(?:-[0-9a-f]{8})?(?:-(?:gzip|zstd|br))?"?$')
"""The version is what counts of an ETag: a digest and a coding say how it was read."""
_DIGITS_MAX = 10
"""Of the version of an article."""


class VersionRule(Enum):
    """Whether a request must name the version that it changes."""

    OPTIONAL = auto()
    REQUIRED = auto()
    """If-Match: * is accepted: the request replaces content, whatever it was."""
    EXACT = auto()
    """The request approves or publishes what the caller has read, so `*` is not enough."""


async def check_version(
    connection: Connection,
    request: Request,
    body_version: int | None,
    stored: StoredArticle,
    rule: VersionRule,
    *,
    copy: Literal["working", "live", "scheduled"] = "working",
) -> None:
    """Reject a change of a version that is no longer the newest of a copy.

    A version is still the newest one of a copy if only other copies were changed since: an editor may save a draft
    though the live copy was pinned meanwhile.

    Args:
        connection: In the transaction that locked the article.
        request: Its If-Match names versions, such as "3", or * for any.
        body_version: The version in the body.
        stored: The article as stored.
        rule: Whether to reject a change without a version.
        copy: The copy that the request changes.

    Raises:
        Problem: 412 with the current version and who made it when; 428 without a version; 400 for an invalid If-Match.
    """
    current = stored.head.version
    named = request.headers.get("if-match")
    is_any = named is not None and named.strip() == "*"
    if body_version is None and (named is None or (is_any and rule is VersionRule.EXACT)):
        if rule is VersionRule.OPTIONAL:
            return
        what = "that you have read" if rule is VersionRule.EXACT else "to change"
        detail = f'Name the version {what}: send If-Match: "{current}" or the field `version`.'
        raise Problem(428, detail, version=current)
    wanted = [] if body_version is None else [{body_version}]
    if named is not None and not is_any:
        wanted.append(named_versions(named, _DIGITS_MAX))
    for versions in wanted:
        if current not in versions and not await _is_unchanged_since(connection, stored, max(versions), copy):
            others = " or ".join(map(str, sorted(versions)))
            raise await _version_conflict(connection, stored, others, copy)


def named_versions(if_match: str, digits_max: int = 16) -> set[int]:
    """Return the versions that an If-Match other than `*` names.

    Raises:
        Problem: 400 if it names anything else, or a version with more digits.
    """
    found = [
        one for part in if_match.split(",") if (one := _IF_MATCH.match(part.strip())) and len(one[1]) <= digits_max
    ]
    if len(found) < if_match.count(",") + 1:
        raise Problem(400, 'Invalid If-Match; expected versions, such as "3", or *.', code="invalid_if_match")
    return {int(one[1]) for one in found}


async def _is_unchanged_since(connection: Connection, stored: StoredArticle, version: int, copy: str) -> bool:
    if not 1 <= version < stored.head.version:
        return False
    return bool(await connection.fetchval(SQL["is_unchanged_since"], stored.head.id, version, copy))


async def _version_conflict(connection: Connection, stored: StoredArticle, named: str, copy: str) -> Problem:
    current = stored.head.version
    row = await connection.fetchrow(SQL["last_change_of_copy"], stored.head.id, copy)
    detail = f"The request names version {named}, but the article is at version {current}"
    extensions: dict[str, Any] = {"version": current}
    if row is not None:
        who, action, at = row["who"], row["action"], row["at"].astimezone(UTC)
        of_which = "which" if row["version"] == current else f"the {copy} version of which"
        detail += f", {of_which} {who} made by {action} at {at:%Y-%m-%d %H:%M:%S} UTC"
        extensions |= {"changed_by": who, "changed_at": at, "action": action}
    return Problem(412, f"{detail}. Read it again first.", headers={"etag": f'"{current}"'}, **extensions)
