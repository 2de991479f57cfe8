"""The documented table of settings agrees with the settings."""

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
PLACES = [ROOT / "docs/configuration.md", ROOT / "README.md"]
TABLE = next(place for place in PLACES if place.exists() and "| `KAFKA_BOOTSTRAP` |" in place.read_text("utf-8"))
ROW = re.compile(r"^\| `((?:PRESSTALLY|KAFKA|DATABASE|OTEL)_[A-Z_]+)` \|([^|]*)\|", re.MULTILINE)
ROWS = ROW.findall(TABLE.read_text(encoding="utf-8"))
DOCUMENTED = {name: default.strip().strip("`") for name, default in ROWS}
OF_THE_LOCAL_STACK = {"PRESSTALLY_PORT", "PRESSTALLY_HOME", "PRESSTALLY_BIND"}
IN_WORDS = {
    "KAFKA_CA_FILE": {"the system's": None},
    "PRESSTALLY_PUBLIC_URL": {"the site's first origin": None},
    "PRESSTALLY_HTTP_PORT": {"a free one": 0},
    "PRESSTALLY_TRUSTED_PROXIES": {"none": ()},
    "PRESSTALLY_TRACING": {"off": False},
}
"""Defaults that are described, each with the value that it stands for."""
FIELDS: list[tuple[str, FieldInfo]] = [
    (variable_name(settings, name), field)
    for settings in (IngestSettings, StatsSettings, RenderSettings, TopicSettings)
    for name, field in settings.model_fields.items()
]


def documented_value(name: str, default: Any) -> Any:
    """Return the default that the table has for a variable, as a value of the same type."""
    text = DOCUMENTED[name]
    if name in IN_WORDS:
        return IN_WORDS[name].get(text, text)
    if text == "":
        return default if default in (None, "") else text
    return type(default)(text)


def test_every_setting_is_documented_once() -> None:
    """The table has a row for each variable, and no other."""
    assert sorted(name for name, _ in ROWS) == sorted({name for name, _ in FIELDS} | OF_THE_LOCAL_STACK)


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=[name for name, _ in FIELDS])
def test_documented_default_is_the_default(name: str, field: FieldInfo) -> None:
    """The table's default is the one in the code; a variable without default has none there."""
    if field.is_required():
        assert DOCUMENTED[name] == ""
    elif name == "PRESSTALLY_GROUP":
        assert DOCUMENTED[name] == "by service"
    else:
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        assert documented_value(name, default) == default
