"""Fields that no table of a format has, but whose names say that an item is not public, or from when or until when.

Themes, plugins, agencies and newsrooms add fields of their own: `members_only`, `expires_at`, `go_live`. They are read
by the words of their names. Sources: front matter of Hugo, Jekyll, Eleventy and Gatsby sites, post meta of WordPress's
plugins for access and expiry, Joomla, schema.org, Dublin Core and PRISM. Pure.
"""

import re
from collections.abc import Mapping

from services.ingest.imports.publication import SourceState, normalized
from services.ingest.imports.state_fields import STATE_FIELDS, Outcome, StateField

_DRAFTS = (
    "draft pending review in-review in_review inreview private hidden unlisted archived archive unpublished trash"
    " trashed deleted inactive disabled wip embargoed expired scheduled future rejected idea planned"
)
_OPEN = "public all everyone everybody anyone open free none default false no 0 off guest anonymous unlocked world"
_HIDDEN = (
    r"(?:is-?|as-?)?(?:draft|private|secret|hidden|restrict(?:ed|ion|ions)?(?:-?(?:content|access))?|paywall(?:ed)?|premium"
    r"(?:-?content)?|internal|wip|work-?in-?progress|archived|unlisted|unpublished|protect(?:ed|ion)|confidential|embargoed|locked"
    r"|deleted|trashed|disabled|expired|do-?not-?publish|not-?public|contains-?paywalled-?content)"
    r"|hide-?(?:page|post|article|from-?(?:lists?|home|all|public|site))|exclude-?from-?collections"
    r"|(?:for-?)?(?:members?|subscribers?|users?|login|logged-?in|registered|staff|admins?|editors?|internal|paid|premium)-?only"
    r"|(?:requires?|needs?)-?(?:login|auth|authentication|membership|subscription|password)"
    r"|(?:login|auth|membership|subscription|password)-?(?:required|protected)|wpmem-?block|postexpirator"
)
_SHOWN = r"_?(?:is-?)?(?:publish|published|public|listed|online|live|visible|active|enabled)"
_ACCESS = (
    r"access(?:-?(?:level|control|type|rights?|rule|role)s?)?|visibility|who-?can-?(?:view|read|see)|allowed-?(?:groups?|roles?|users?)"
    r"|groups?-?(?:view|read)|permissions?|content-?tier|membership(?:-?(?:level|plan)s?)?|subscription-?level|required-?role"
    r"|conditions-?of-?access|security-?level|newsletter-?access"
)
_STATE = r"(?:post|page|article|entry|content|publish(?:ing)?|publication|editorial|workflow|review)-?(?:status|state)"
_STAGE = r"stage|workflow"
_LOCK = r"(?:post-?|page-?|article-?|content-?)?(?:password|passwd|passphrase|passcode|pwd)"
_DATE = r"(?:-?(?:date|time|at|on|for))"
_EMBARGO = rf"(?:utc-?)?embargo(?:ed)?(?:-?(?:until|till|to|ends?|lifts?)|{_DATE})*"
_BEGIN = (
    rf"(?:utc-?)?publish(?:ed)?(?:{_DATE}|-?(?:from|after|up|start|schedule))+|pub-?date|start-?publish(?:ing)?|date-?published"
    rf"|schedul(?:ed?|ing)(?:{_DATE}|-?publish)+|goe?s?-?live{_DATE}?|(?:live|available|visible|show|display|valid)-?(?:from|after)"
    rf"|(?:live|available){_DATE}|hide-?until|not-?before"
)
_END = (
    rf"expir(?:e|es|ed|y|ation){_DATE}+|expir(?:e|es|y|ation)|unpublish(?:ed)?{_DATE}+|unpublish|publish-?(?:down|until|end)"
    rf"|(?:end|stop|finish)-?publish(?:ing)?{_DATE}?|(?:valid|visible|show|display|available|live)-?(?:until|till|to|through)"
    rf"|(?:hide|remove|delete|archive)-?(?:after|at|on|date)|kill-?date|take-?down{_DATE}?"
)


def _outcomes(outcome: Outcome, values: str) -> dict[str, Outcome]:
    return dict.fromkeys(values.split(), outcome)


def _field(name: str, kind: str) -> StateField:
    drafts, opened = _outcomes("draft", _DRAFTS), _outcomes("public", _OPEN)
    shown = _outcomes("public", "true") | _outcomes("draft", "false")
    published = _outcomes("public", "publish published public live active final done approved visible")
    return {
        "hidden": StateField(name, "visibility", {"true": "draft", "false": "public"}, is_flag=True),
        "shown": StateField(name, "state", shown | drafts, other="public", is_flag=True),
        "access": StateField(name, "visibility", opened),
        "state": StateField(name, "state", published | drafts),
        "stage": StateField(name, "state", drafts, other="public"),
        "password": StateField(name, "visibility", _outcomes("public", "false no 0 off")),
        "embargo": StateField(name, "embargo", is_flag=True),
        "begin": StateField(name, "publish_time", is_flag=True),
        "end": StateField(name, "expiry", is_flag=True),
    }[kind]


_KINDS = {
    "hidden": _HIDDEN,
    "shown": _SHOWN,
    "access": _ACCESS,
    "state": _STATE,
    "stage": _STAGE,
    "password": _LOCK,
    "embargo": _EMBARGO,
    "begin": _BEGIN,
    "end": _END,
}
_PREFIXED = ("hidden", "access", "password", "embargo", "end")
"""Kinds of which a plugin's own name may come first, as in `_ppw_post_password`."""
_PATTERN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_WITH_PREFIX = re.compile(
    "(?:[a-z0-9]+-){1,3}(?:" + "|".join(f"(?P<{kind}>{_KINDS[kind]})" for kind in _PREFIXED) + ")"
)
NAME_CHARACTERS_MAX = 80
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def kind_of_name(name: str, *, is_prefixed: bool = False) -> str:
    """Return what a field with this name says of a publication; "" if it says nothing.

    Args:
        name: The name of the field, in any notation: `membersOnly`, `members-only`, `_members_only`.
        is_prefixed: Whether names may start with that of a plugin.
    """
    if len(name) > NAME_CHARACTERS_MAX:
        return ""
    words = "-".join(re.findall(r"[a-z0-9]+", _CAPITAL.sub("-", name).lower()))
    found = _PATTERN.fullmatch(words) or (_WITH_PREFIX.fullmatch(words) if is_prefixed else None)
    return "" if found is None else next(kind for kind, text in found.groupdict().items() if text is not None)


def source_state(
    format_name: str, values: Mapping[str, object], others: Mapping[str, object], *, is_prefixed: bool = False
) -> SourceState:
    """Return the state of an item.

    Args:
        format_name: A key of STATE_FIELDS.
        values: The values of the fields of its table.
        others: All fields of the item, or those that are not in the table, by their names.
        is_prefixed: Whether names may start with that of a plugin.
    """
    known = {rule.name.lower() for rule in STATE_FIELDS[format_name]}
    more: dict[str, StateField] = {}
    for name, value in others.items():
        if name.lower() not in known and not isinstance(value, list | dict) and normalized(value):
            kind = kind_of_name(name, is_prefixed=is_prefixed)
            if kind:
                more[name] = _field(name, kind)
    return SourceState(format_name, {**values, **{name: others[name] for name in more}}, tuple(more.values()))
