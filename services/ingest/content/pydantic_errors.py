"""Errors of pydantic as errors of fields: every type that it has is one of a few codes. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.ingest.content.errors import FieldError, field_error
from services.ingest.content.field_messages import MESSAGES, Value

CODES: Mapping[str, str] = {
    "missing": "required",
    "missing_argument": "required",
    "missing_keyword_only_argument": "required",
    "missing_positional_only_argument": "required",
    "extra_forbidden": "unknown_field",
    "unexpected_keyword_argument": "unknown_field",
    "string_type": "not_a_text",
    "string_unicode": "not_a_text",
    "string_pattern_mismatch": "wrong_form",
    "int_type": "not_an_integer",
    "int_parsing": "not_an_integer",
    "int_parsing_size": "not_an_integer",
    "int_from_float": "not_an_integer",
    "float_type": "not_a_number",
    "float_parsing": "not_a_number",
    "finite_number": "not_a_number",
    "decimal_type": "not_a_number",
    "decimal_parsing": "not_a_number",
    "bool_type": "not_a_boolean",
    "bool_parsing": "not_a_boolean",
    "list_type": "not_a_list",
    "tuple_type": "not_a_list",
    "set_type": "not_a_list",
    "frozen_set_type": "not_a_list",
    "iterable_type": "not_a_list",
    "dict_type": "not_an_object",
    "mapping_type": "not_an_object",
    "model_type": "not_an_object",
    "model_attributes_type": "not_an_object",
    "dataclass_type": "not_an_object",
    "arguments_type": "not_an_object",
    "literal_error": "not_one_of",
    "enum": "not_one_of",
    "union_tag_invalid": "not_one_of",
    "union_tag_not_found": "type_required",
    "date_type": "not_a_time",
    "date_parsing": "not_a_time",
    "date_from_datetime_parsing": "not_a_time",
    "date_from_datetime_inexact": "not_a_time",
    "time_type": "not_a_time",
    "time_parsing": "not_a_time",
    "datetime_type": "not_a_time",
    "datetime_parsing": "not_a_time",
    "datetime_object_invalid": "not_a_time",
    "datetime_from_date_parsing": "not_a_time",
    "timezone_aware": "no_time_zone",
    "timezone_offset": "no_time_zone",
    "time_delta_type": "not_a_duration",
    "time_delta_parsing": "not_a_duration",
    "less_than_equal": "too_large_number",
    "greater_than_equal": "too_small_number",
    "less_than": "not_below",
    "greater_than": "not_above",
}
"""{type of pydantic: key of MESSAGES}. Those of sizes depend on the value, too; all others are `invalid_value`."""
BLOCK_TAGS = {"text", "blocks", "paragraph", "heading", "figure", "list", "quote", "table", "embed", "file"}
REASON_CHARACTERS_MAX = 300


def field_error_of(item: Mapping[str, Any]) -> FieldError:
    """Return an error of pydantic as one of a field of the request."""
    kind, context, value = item["type"], item.get("ctx") or {}, item.get("input")
    place = field_path(item["loc"])
    if kind in MESSAGES:  # of a validator of this project: see invalid_value
        return field_error(place, kind, **{name: one for name, one in context.items() if name != "message"})
    # The limits apply to the size after NFC normalization, not to the size as sent.
    size = context.get("actual_length", len(value) if isinstance(value, str | list) else None)
    for name, bound in (("max_length", "many"), ("min_length", "few")):
        if name in context:
            unit = "characters" if isinstance(value, str) else "entries"
            return field_error(place, f"too_{bound}_{unit}", limit=int(context[name]), size=size or 0)
    code = CODES.get(kind, "invalid_value")
    return field_error(place, code, **_values(code, context, item["msg"].removeprefix("Value error, ")))


def _values(code: str, context: Mapping[str, Any], message: str) -> dict[str, Any]:
    """Return what the message of a code names."""
    if code in ("too_large_number", "too_small_number", "not_below", "not_above"):
        limit = next(context[name] for name in ("le", "ge", "lt", "gt") if name in context)
        return {"limit": limit if isinstance(limit, int) else f"{limit:g}"}
    named: dict[str, Value] = {}
    if code == "not_one_of":
        found = str(context.get("expected", context.get("expected_tags", "")))
        named["expected"] = found.replace("'", "").replace(" or ", ", ")
    elif code == "wrong_form":
        named["pattern"] = str(context.get("pattern", ""))
    elif code == "invalid_value":
        named["reason"] = message[:REASON_CHARACTERS_MAX]
    return named


def field_path(place: Sequence[int | str]) -> str:
    """Return the path of a field in the request, without the union tags that pydantic adds."""
    parts = list(place[1:]) if place and place[0] == "body" else list(place)
    stored = [part for index, part in enumerate(parts) if not _is_union_tag(parts, index)]
    return ".".join(str(part) for part in stored) or "body"


def _is_union_tag(parts: Sequence[int | str], index: int) -> bool:
    if index == 0 or parts[index] not in BLOCK_TAGS:
        return False
    after_body = parts[0] == "body" and index == 1
    return after_body or (parts[0] == "body" and isinstance(parts[index - 1], int) and index == 3)
