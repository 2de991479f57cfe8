"""The documented tables of settings agree with the settings."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from services.ingest.settings import IngestSettings
from services.render.settings import RenderSettings
from services.stats.settings import StatsSettings
from shared.settings import variable_name
from shared.topics import TopicSettings

ROOT = Path(__file__).parent.parent.parent
TABLES = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `((?:PRESSTALLY|KAFKA|DATABASE|OTEL)_[A-Z_]+)` \|([^|]*)\|", re.MULTILINE)
ROWS = ROW.findall(TABLES)
DOCUMENTED = {name: default.strip().strip("`") for name, default in ROWS}
OF_THE_LOCAL_STACK = {"PRESSTALLY_PORT", "PRESSTALLY_HOME", "PRESSTALLY_BIND", "KAFKA_HEAP_OPTS"}
IN_WORDS = {
    "KAFKA_CA_FILE": {"system CAs": None},
    "PRESSTALLY_PUBLIC_URL": {"first origin of the site": None},
    "PRESSTALLY_TRUSTED_PROXIES": {"none": ()},
    "PRESSTALLY_WEBHOOK_NETWORKS": {"none": ()},
    "PRESSTALLY_HUB_NETWORKS": {"none": ()},
    "PRESSTALLY_TRACING": {"off": False},
}
"""Defaults that the tables describe, each with its value."""
FIELDS: list[tuple[str, FieldInfo]] = [
    (variable_name(settings, name), field)
    for settings in (IngestSettings, StatsSettings, RenderSettings, TopicSettings)
    for name, field in settings.model_fields.items()
]


def documented_value(name: str, default: Any) -> Any:
    """Return the default that the tables have for a variable, as a value of the same type."""
    text = DOCUMENTED[name]
    if name in IN_WORDS:
        return IN_WORDS[name].get(text, text)
    if text == "":
        return default if default in (None, "") else text
    return type(default)(text)


def test_every_setting_is_documented_once() -> None:
    """The tables have a row for each variable, and no other."""
    assert sorted(name for name, _ in ROWS) == sorted({name for name, _ in FIELDS} | OF_THE_LOCAL_STACK)


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[name for name, _ in FIELDS])
def test_documented_default_is_the_default(name: str, field: FieldInfo) -> None:
    """The documented default is the one in the code; a variable without default has none there."""
    if field.is_required():
        assert DOCUMENTED[name] == ""
    elif name == "PRESSTALLY_GROUP":
        assert field.default in DOCUMENTED[name].split(", ")
    else:
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        assert documented_value(name, default) == default
