"""An article ↔ the fields of its form. Pure.

A form is compared with the version that it was made from: only fields that somebody has changed are sent, so that two
people who change different fields do not undo each other's work.
"""

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from services.ingest.content.errors import invalid
from services.ingest.newsroom.markdown import api_blocks, blocks_to_markdown, form_blocks, sent_blocks
from services.ingest.newsroom.times import api_value, form_value

Form = dict[str, Any]
"""Fields by name: texts, and lists of texts where several may be chosen. The body of a script is a list of blocks."""
LINES = ("title", "kicker", "subtitle", "lead", "slug", "place", "section", "kind", "translation_of", "language")
TIMES = ("publish_at", "unpublish_at", "embargo_until", "pinned_until", "featured_until", "published_at")
PARTS: dict[str, tuple[str, ...]] = {
    "source": ("name", "label", "url"),
    "seo": ("title", "description", "noindex", "canonical"),
    "rights": ("holder", "notice"),
}
"""Fields of a field, and in the form `source_name` and so on."""
DEFAULT_LABEL = "Theo"
_NULLABLE = ("slug", "translation_of")


def new_form(section: str = "") -> Form:
    """Return the form of a new article."""
    return article_form({"section": section, "kind": "article", "allow_print": True}, ZoneInfo("UTC"))


def article_form(article: Mapping[str, Any], zone: ZoneInfo) -> Form:
    """Return the form of an article."""
    form: Form = {name: str(article.get(name) or "") for name in LINES}
    form |= {name: form_value(article.get(name), zone) for name in TIMES}
    form["body"] = blocks_to_markdown(article.get("body") or ())
    form["also_in"] = list(article.get("also_in") or ())
    form["tags"] = ", ".join(article.get("tags") or ())
    form["authors"] = "\n".join(_author_line(one) for one in article.get("authors") or ())
    form["old_urls"] = "\n".join(article.get("old_urls") or ())
    form["priority"] = str(article.get("priority") or 5)
    form["date_precision"] = str(article.get("date_precision") or "exact")
    form["allow_print"] = "on" if article.get("allow_print", True) else ""
    image = article.get("lead_image")
    form["lead_image"] = blocks_to_markdown([{**image, "type": "figure"}]) if image else ""
    for field, parts in PARTS.items():
        value = article.get(field) or {}
        form |= {f"{field}_{part}": _text(value.get(part)) for part in parts}
    form["source_label"] = form["source_label"] or DEFAULT_LABEL
    return form


def block_form(article: Mapping[str, Any], zone: ZoneInfo) -> Form:
    """Return the form of an article whose body is a list of blocks, as a script sends it."""
    return {**article_form({**article, "body": ()}, zone), "body": sent_blocks(article.get("body") or ())}


def plain_form(form: Form) -> Form:
    """Return a form with its body as Markdown."""
    return form if isinstance(form["body"], str) else {**form, "body": blocks_to_markdown(form["body"])}


def _text(value: Any) -> str:
    return "on" if value is True else str(value or "")


def _author_line(author: Mapping[str, Any]) -> str:
    return ", ".join(part for part in (author["name"], author.get("role"), author.get("url")) if part)


def changed_fields(form: Form, before: Form) -> list[str]:
    """Return the names of an article's fields whose form has changed, in the order of the form."""
    return [name for name in FIELDS if any(form.get(one) != before.get(one) for one in _form_names(name))]


def _form_names(name: str) -> list[str]:
    return [f"{name}_{part}" for part in PARTS[name]] if name in PARTS else [name]


def sent_fields(form: Form, names: list[str], zone: ZoneInfo) -> dict[str, Any]:
    """Return fields of a form as the API takes them.

    Raises:
        InvalidContentError: a field cannot be read, by its name.
    """
    return {name: FIELDS[name](form, name, zone) for name in names}


def _line(form: Form, name: str, zone: ZoneInfo) -> str | None:
    text = " ".join(str(form[name]).split())
    return text or (None if name in _NULLABLE else "")


def _time(form: Form, name: str, zone: ZoneInfo) -> str | None:
    try:
        return api_value(form[name], zone)
    except ValueError as error:
        raise invalid(name, "not_a_local_time") from error


def _body(form: Form, name: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    return form_blocks(form[name])


def _choices(form: Form, name: str, zone: ZoneInfo) -> list[str]:
    return list(form[name])


def _tags(form: Form, name: str, zone: ZoneInfo) -> list[str]:
    return [tag.strip() for tag in form[name].replace("\n", ",").split(",") if tag.strip()]


def _rows(form: Form, name: str, zone: ZoneInfo) -> list[str]:
    return [line.strip() for line in form[name].splitlines() if line.strip()]


def _authors(form: Form, name: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    authors = []
    for line in _rows(form, name, zone):
        parts = [part.strip() for part in line.split(",")]
        url = parts.pop() if len(parts) > 1 and parts[-1].startswith(("http://", "https://", "/")) else None
        role = ", ".join(parts[1:])
        authors.append({"name": parts[0], "role": role, "url": url})
    return authors


def _number(form: Form, name: str, zone: ZoneInfo) -> int:
    try:
        return int(form[name] or 5)
    except ValueError as error:
        raise invalid(name, "not_a_priority") from error


def _switch(form: Form, name: str, zone: ZoneInfo) -> bool:
    return bool(form[name])


def _image(form: Form, name: str, zone: ZoneInfo) -> dict[str, Any] | None:
    if not form[name]:
        return None
    blocks = api_blocks(form[name])
    if len(blocks) != 1 or blocks[0]["type"] != "figure":
        raise invalid(name, "not_one_picture")
    return blocks[0]


def _parts(form: Form, name: str, zone: ZoneInfo) -> dict[str, Any] | None:
    value: dict[str, Any] = {part: form[f"{name}_{part}"] for part in PARTS[name]}
    if name == "source":
        return {**value, "url": value["url"] or None} if value["name"] else None
    if name == "seo":
        value |= {"noindex": bool(value["noindex"]), "canonical": value["canonical"] or None}
    return value if any(value.values()) else None


FIELDS: dict[str, Callable[[Form, str, ZoneInfo], Any]] = {
    **dict.fromkeys(LINES[:4], _line),
    "body": _body,
    "lead_image": _image,
    **dict.fromkeys(LINES[4:], _line),
    "also_in": _choices,
    "tags": _tags,
    "authors": _authors,
    **dict.fromkeys(PARTS, _parts),
    **dict.fromkeys(TIMES, _time),
    "date_precision": _line,
    "priority": _number,
    "allow_print": _switch,
    "old_urls": _rows,
}
"""How each field of an article is read from a form."""
SWITCHES = ("allow_print", "seo_noindex")
"""Fields that a form without them has switched off."""
FORM_NAMES = tuple(part for name in FIELDS for part in _form_names(name))


def typed_form(text: Callable[[str], str], texts: Callable[[str], list[str]], has: Callable[[str], bool]) -> Form:
    """Return the form that somebody has sent. A field that the page did not have is left out.

    Args:
        text: Returns a field.
        texts: Returns all values of a field.
        has: Whether the form has a field.
    """
    form: Form = {name: text(name) for name in FORM_NAMES if has(name) or name in SWITCHES}
    if has("also_in") or has("has_also_in"):
        form["also_in"] = texts("also_in")
    return form
