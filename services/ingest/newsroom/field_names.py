"""The fields of an article in the words of its editors, and what the API says of them as a sentence. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.translations import pgettext, translate

ERRORS_MAX = 5
"""Of the fields that a sentence names."""
FIELD_NAMES = translate(
    {
        "title": pgettext("field", "Title"),
        "kicker": pgettext("field", "Line above the title"),
        "subtitle": pgettext("field", "Line below the title"),
        "lead": pgettext("field", "Standfirst"),
        "section": pgettext("field", "Section"),
        "also_in": pgettext("field", "Also in"),
        "tags": pgettext("field", "Tags"),
        "authors": pgettext("field", "Authors"),
        "source": pgettext("field", "Source of the text"),
        "lead_image": pgettext("field", "Picture for lists"),
        "slug": pgettext("field", "Address"),
        "seo": pgettext("field", "Search engines"),
        "publish_at": pgettext("field", "Publish at"),
        "unpublish_at": pgettext("field", "Take down at"),
        "embargo_until": pgettext("field", "Embargo until"),
        "published_at": pgettext("field", "First published elsewhere"),
        "pinned_until": pgettext("field", "Pinned until"),
        "featured_until": pgettext("field", "Featured until"),
        "priority": pgettext("field", "Priority"),
        "corrections": pgettext("field", "Corrections"),
        "kind": pgettext("field", "Kind"),
        "place": pgettext("field", "Place"),
        "rights": pgettext("field", "Rights"),
        "old_urls": pgettext("field", "Former addresses"),
        "translation_of": pgettext("field", "Translation of"),
        "allow_print": pgettext("field", "It may be printed"),
        "language": pgettext("field", "Language"),
        "date_precision": pgettext("field", "Precision of the date"),
        "state": pgettext("field", "State"),
    }
)
PART_NAMES = translate(
    {
        "caption": pgettext("part", "caption"),
        "alt": pgettext("part", "what the picture shows"),
        "credit": pgettext("part", "photographer or source"),
        "focus": pgettext("part", "focus point"),
        "media": pgettext("part", "picture or document"),
        "url": pgettext("part", "address"),
        "href": pgettext("part", "link"),
        "name": pgettext("part", "name"),
        "label": pgettext("part", "words"),
        "target": pgettext("part", "target"),
        "description": pgettext("part", "description"),
        "canonical": pgettext("part", "canonical address"),
        "until": pgettext("part", "end"),
        "email": pgettext("part", "e-mail"),
        "password": pgettext("part", "password"),
        "reason": pgettext("part", "reason"),
        "note": pgettext("part", "note"),
        "text": pgettext("part", "text"),
        "slots": pgettext("part", "slots"),
        "breaking": pgettext("part", "breaking news"),
        "file_name": pgettext("part", "name of the file"),
        "query": pgettext("part", "value of the address"),
    }
)
"""Parts of fields, and fields of other forms."""
_WORDS = translate({"block": pgettext("part", "block {number}"), "body": pgettext("field", "Text")})


def error_sentence(errors: Sequence[Mapping[str, Any]], language: str) -> str:
    """Return what is wrong with fields, each named as its page names it, as one sentence.

    Args:
        errors: Those of a problem document: `field`, such as `body.1.image.alt`, and `fault`.
        language: A language of the newsroom.
    """
    named = [f"{field_name(str(one['field']), language)}: {one['fault']}" for one in errors[:ERRORS_MAX]]
    text = "; ".join(named) + ("; …" if len(errors) > ERRORS_MAX else "")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")


def field_name(path: str, language: str) -> str:
    """Return the name of a field by its path; that of a part of the text has the number of its block, from 1."""
    first, *rest = path.split(".")
    words, parts = _WORDS[language], PART_NAMES[language]
    numbered = first == "body" and bool(rest) and rest[0].isdecimal()
    if numbered:
        name = str(words["block"]).format(number=int(rest[0]) + 1)
    else:
        names = {**parts, **FIELD_NAMES[language], "body": words["body"]}
        name = str(names.get(first) or names.get(first.partition("_")[0]) or first)  # `seo_title`, as a form has it
    part = next((parts[one] for one in reversed(rest) if one in parts), None)
    return f"{name}, {part}" if part else name
