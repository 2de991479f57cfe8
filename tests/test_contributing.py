"""The table "Where a change goes" of CONTRIBUTING.md is right."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from babel.messages.extract import extract_from_dir

from services.ingest.articles.transitions import TRANSITIONS
from services.ingest.collector.payloads import EventPayload
from services.ingest.content.article_models import CONTENT_FIELDS
from services.ingest.imports.detection import READERS
from services.ingest.settings import IngestSettings
from services.render.settings import RenderSettings
from services.stats.counting.rules import CountDeltas, LedgerOutcome
from services.stats.settings import StatsSettings
from shared.acls import READS, WRITES
from shared.articles import Article
from shared.events import PageEvent
from shared.topics import TOPICS
from tests.document_paths import ROOT, find_paths

SERVICES = ("ingest", "render", "stats")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (?!change|---)(.+?) \| (.+) \|$", CONTRIBUTING, re.MULTILINE))


def files(change: str) -> list[str]:
    """Return the paths that the row names, relative to the root."""
    return [str(path.relative_to(ROOT)) for path in find_paths(ROWS[change])[0]]


def without(names: Iterable[str], path: str, change: str) -> set[str]:
    """Return the names that do not occur as words in a file of a row."""
    assert path in files(change)
    words = set(re.findall(r"\w+", (ROOT / path).read_text(encoding="utf-8")))
    return set(names) - words


def manual(change: str) -> str:
    """Return the text of the documents that the row names."""
    documents = [path for path in files(change) if path.endswith(".md")]
    assert documents
    return "".join((ROOT / path).read_text(encoding="utf-8") for path in documents)


def file_of(module: str) -> str:
    return module.replace(".", "/") + ".py"


@pytest.mark.parametrize("change", ROWS)
def test_row_names_existing_files(change: str) -> None:
    """Each row names files, and all of them exist."""
    found, missing = find_paths(ROWS[change])
    assert found
    assert missing == []


def test_page_event_fields_are_in_the_named_files() -> None:
    """Each field is declared in events.py and encoded in payloads.py, and the counter decodes what it counts by."""
    change = "a field of a page event"
    names = PageEvent.__struct_fields__
    assert len(names) >= 10
    assert without(names, "shared/events.py", change) == set()
    assert without(names, "services/ingest/collector/payloads.py", change) == set()
    assert without(names, "services/stats/counting/decoding.py", change) == {"visitor_limit"}
    assert without(EventPayload.__struct_fields__, "services/ingest/collector/tracker/t.js", change) == set()


def test_counting_rules_are_in_both_implementations_and_the_document() -> None:
    """Each outcome of a record is in the rules, in the reference model and in ARCHITECTURE.md."""
    change = "a counting rule"
    outcomes = get_args(LedgerOutcome)
    assert len(outcomes) == 5
    for path in ("services/stats/counting/rules.py", "services/stats/admin/reference_model.py", "ARCHITECTURE.md"):
        assert without(outcomes, path, change) == set()


def test_stored_counters_are_in_the_named_files() -> None:
    """store.py writes each change that a batch makes, and counter_query.py reads each number of a counter."""
    change = "a stored counter"
    assert file_of(CountDeltas.__module__) in files(change)
    assert without((one.name for one in fields(CountDeltas)), "services/stats/counting/store.py", change) == set()
    numbers = ("online", "today", "week", "total")
    assert without(numbers, "services/stats/counter_api/counter_query.py", change) == set()


def test_topics_are_in_the_named_files() -> None:
    """Each topic is declared in topics.py, and acls.py has a service that writes it and one that reads it."""
    change = "a topic"
    assert {"shared/topics.py", "shared/acls.py"} <= set(files(change))
    for topic in TOPICS:
        assert any(topic in topics for topics in READS.values()), topic.name
        assert any(topic in topics for topics in WRITES.values()), topic.name


def test_article_fields_are_in_the_named_files() -> None:
    """Each field that editors write is in the request model, in the conversion and in the article of the topic."""
    change = "a field of an article"
    assert len(CONTENT_FIELDS) > 20
    assert set(CONTENT_FIELDS) <= set(Article.__struct_fields__)
    assert without(Article.__struct_fields__, "shared/articles.py", change) == set()
    assert without(CONTENT_FIELDS, "services/ingest/content/article_models.py", change) == set()


def test_workflow_steps_are_in_the_named_files() -> None:
    """Each step is in transitions.py and in the documented table."""
    change = "a step of the workflow"
    assert without(TRANSITIONS, "services/ingest/articles/transitions.py", change) == set()
    assert {name for name in TRANSITIONS if f"`{name}`" not in manual(change)} == set()


def test_import_formats_have_their_readers_in_the_named_package() -> None:
    """Each format's reader is in imports/readers or is put together in detection.py, and the format is documented."""
    named, documented = files("an import format"), manual("an import format").lower()
    for name, reader in READERS.items():
        path = file_of(reader.__module__)
        assert path in named or str(Path(path).parent) in named, name
        assert name in documented, name


@pytest.mark.parametrize("service", SERVICES)
def test_commands_are_registered_in_the_named_file(service: str) -> None:
    """Each command is a Command in the service's `__main__.py`, its work is in the service, and it is documented."""
    path = f"services/{service}/__main__.py"
    assert path in files("an admin command")
    text = (ROOT / path).read_text(encoding="utf-8")
    commands = importlib.import_module(f"services.{service}.__main__").COMMANDS
    assert commands
    for name, command in commands.items():
        assert f'"{name}": Command(' in text
        assert command.run.__module__.startswith(f"services.{service}."), name
        assert f"presstally {service} {name}" in manual("an admin command"), name


def test_settings_are_declared_in_the_named_files() -> None:
    """Each setting is a field of the service's own settings.py or of shared/settings.py."""
    named = files("a setting")
    for settings in (IngestSettings, StatsSettings, RenderSettings):
        for name in settings.model_fields:
            owner = next(one for one in settings.__mro__ if name in inspect.get_annotations(one))
            assert file_of(owner.__module__) in named, name


def test_metrics_are_declared_in_the_named_files() -> None:
    """Counters, gauges and histograms of Prometheus are made in the metrics.py files only."""
    named = files("a metric")
    kinds = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
    makers = set()
    for file in sorted([*(ROOT / "services").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [
            one for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) and one.module == "prometheus_client"
        ]
        local = {name.asname or name.name for one in imports for name in one.names if name.name in kinds}
        calls = {one.func.id for one in ast.walk(tree) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
        if local & calls:
            makers.add(str(file.relative_to(ROOT)))
    assert makers
    assert makers <= set(named)


def test_words_are_marked_in_the_named_files() -> None:
    """Every message for translation is marked in a named file, and every catalogue is named."""
    named = set(files("a word of the portal, the counter or the statistics")) | set(files("a word of the newsroom"))
    marked = {f"{folder}/{path}" for folder in ("services", "shared") for path, *_ in extract_from_dir(ROOT / folder)}
    assert len(marked) >= 4
    assert marked <= named
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "shared/locale").rglob("*.po")} <= named


def test_alerts_are_in_the_named_files() -> None:
    """Each alert of alerts.yml has its page in docs/runbooks."""
    change = "an alert"
    assert {"deploy/prometheus/rules/alerts.yml", "docs/runbooks"} <= set(files(change))
    rules = (ROOT / "deploy/prometheus/rules/alerts.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert len(alerts) > 15
    assert [name for name in alerts if not (ROOT / "docs/runbooks" / f"{name}.md").is_file()] == []
