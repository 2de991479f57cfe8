"""docs/retention.md: its figures are the code's, and nothing that is kept is missing."""

import re
from pathlib import Path

import yaml

from services.ingest.collector.salts import KEPT
from services.ingest.settings import IngestSettings
from services.stats.admin.reference_model import OLD_MILLISECONDS
from services.stats.counting.retention import DAY_SECONDS, ONLINE_KEPT_SECONDS, STEP_DAYS, VISITOR_DAYS
from services.stats.counting.state import SLOT_MILLISECONDS
from services.stats.counting.store import PAST_SLOTS_KEPT
from shared.topics import DAY_MS, DEAD_LETTER_CONFIG, PAGE_VIEWS, TOPICS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/retention.md").read_text(encoding="utf-8")
ROWS = {row[0]: row for row in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| ", PAGE, re.MULTILINE)}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LOG_DAYS = int(PAGE_VIEWS.config["retention.ms"]) // DAY_MS


def test_figures_are_those_of_the_code() -> None:
    """Each figure in the column "how long" is what the code keeps; no figure stands there that is not compared."""
    queries = (ROOT / "services/ingest/sql/queries.sql").read_text()
    command = " ".join(COMPOSE["services"]["prometheus"]["command"])
    logs = COMPOSE["services"]["ingest"]["logging"]["options"]
    spool = IngestSettings.model_fields["spool_bytes_max"].default
    (kept,) = re.findall(r"retention\.time=\$\{PROMETHEUS_RETENTION:-(\d+)d\}", command)
    (size,) = re.findall(r"retention\.size=\$\{PROMETHEUS_RETENTION_SIZE:-(\d+)GB\}", command)
    (salts,) = re.findall(r"DELETE FROM ingest\.salts WHERE created_at < now\(\) - interval '(\d+ hours)'", queries)
    (answers,) = re.findall(r"idempotency_keys WHERE created_at < now\(\) - interval '(\d+ days)'", queries)
    assert salts == f"{KEPT.total_seconds() / 3600:g} hours"
    figures = {
        "page views": f"{LOG_DAYS} days",
        "dead letters": f"{int(DEAD_LETTER_CONFIG['retention.ms']) // DAY_MS} days",
        "counts of 5 minutes": f"{STEP_DAYS} days",
        "visitor IDs of a day": f"{VISITOR_DAYS} days",
        "who was online": f"{ONLINE_KEPT_SECONDS // 3600} hour",
        "IDs of past views": f"{PAST_SLOTS_KEPT * SLOT_MILLISECONDS // 3_600_000} hours",
        "salts": salts,
        "responses for repeated requests": answers,
        "events while Kafka is unavailable": f"until Kafka has them, at most {spool // 1024**3} GiB per collector",
        "metrics": f"{kept} days, at most {size} GB",
        "container logs": f"{int(logs['max-size'][:-1]) * int(logs['max-file'])} MB per container",
    }
    assert {what: row[2] for what, row in ROWS.items() if re.search(r"\d", row[2])} == figures
    assert f"older than the log ({LOG_DAYS} days)" in PAGE


def test_compacted_topics_are_those_that_keep_all() -> None:
    """The topics with a time are page views and the dead letters; each other one is compacted, as the page says."""
    compacted = {topic.name for topic in TOPICS if topic.config["cleanup.policy"] == "compact"}
    assert set(re.findall(r"`([a-z-]+)`", ROWS["articles, adjustments, live pages"][1])) == compacted
    assert {topic.name for topic in TOPICS} - compacted == {PAGE_VIEWS.name}


def test_nothing_that_is_kept_is_missing() -> None:
    """Each topic, each table of each service, and each volume of docker-compose.yml stands in the table."""
    where = "".join(row[1] for row in ROWS.values())
    named = set(re.findall(r"`([^`]+)`", where))
    topics = {name for topic in TOPICS for name in (topic.name, topic.dead_letters)}
    tables = set()
    for service in ("ingest", "stats", "render"):
        schema = (ROOT / f"services/{service}/sql/schema.sql").read_text()
        found = re.findall(r"CREATE TABLE (\S+) \(", schema)
        tables |= {name if "." in name else f"{service}.{name}" for name in found}
    assert len(tables) > 25
    assert topics | tables | set(COMPOSE["volumes"]) == named - {"step", "render_2", "render_3"}


def test_keys_of_visitors_outlast_what_can_ask_for_them() -> None:
    """visitor_days keeps a day for the log's time, an event's lateness and the day itself, up to the page's bound."""
    (bound,) = re.findall(r"Not above (\d+) days", PAGE)
    late_days = OLD_MILLISECONDS // DAY_MS
    assert int(bound) + late_days + 1 == VISITOR_DAYS
    assert int(bound) >= LOG_DAYS
    assert DAY_SECONDS * 1000 == DAY_MS
