"""docs/retention.md: figures are those of the code, and everything that is stored is listed."""

import re
from datetime import timedelta
from pathlib import Path

import yaml

from deploy.local.log_files import LOG_BYTES_MAX
from services.ingest.articles.autosaves import SLOTS_MAX
from services.ingest.articles.presence import EXPIRES_SECONDS
from services.ingest.auth.account_links import LIFETIMES
from services.ingest.auth.sessions import IDLE, LIFETIME
from services.ingest.collector.salts import SALT_RETENTION
from services.ingest.settings import IngestSettings
from services.stats.admin.reference_events import OLD_MS
from services.stats.counting.refused_origins import KEPT_DAYS
from services.stats.counting.retention import BUCKET_5M_DAYS, DAY_SECONDS, ONLINE_KEPT_SECONDS, VISITOR_DAYS
from services.stats.counting.state import WINDOW_MS
from services.stats.counting.store import EVICTED_WINDOWS_KEPT
from shared.topics import DAY_MS, DEAD_LETTER_CONFIG, PAGE_VIEWS, PAGE_VIEWS_PARTITION_BYTES, REFUSED_ORIGINS, TOPICS

HOUR_MS = 3_600_000
ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/retention.md").read_text(encoding="utf-8")
ROWS = {row[0]: row for row in re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| ", PAGE, re.MULTILINE)}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LOG_DAYS = int(PAGE_VIEWS.config["retention.ms"]) // DAY_MS


def _hours(time: timedelta) -> str:
    return f"{time.total_seconds() / 3600:g}"


def test_retention_figures_match_the_code() -> None:
    """Each figure in the column "how long" is compared with the code."""
    queries = (ROOT / "services/ingest/sql/queries.sql").read_text()
    command = " ".join(COMPOSE["services"]["prometheus"]["command"])
    logs = COMPOSE["services"]["ingest"]["logging"]["options"]
    spool = IngestSettings.model_fields["spool_bytes_max"].default
    (kept,) = re.findall(r"retention\.time=\$\{PROMETHEUS_RETENTION:-(\d+)d\}", command)
    (size,) = re.findall(r"retention\.size=\$\{PROMETHEUS_RETENTION_SIZE:-(\d+)GB\}", command)
    (salts,) = re.findall(r"DELETE FROM ingest\.salts WHERE created_at < now\(\) - interval '(\d+ hours)'", queries)
    (answers,) = re.findall(r"idempotency_keys WHERE created_at < now\(\) - interval '(\d+ days)'", queries)
    (previews,) = re.findall(r"ingest\.previews WHERE expires_at < now\(\) - interval '(\d+ days)'", queries)
    accounts = (ROOT / "services/ingest/sql/accounts.sql").read_text()
    editing = (ROOT / "services/ingest/sql/editing.sql").read_text()
    (autosaves,) = re.findall(r"ingest\.autosaves\nWHERE saved_at < [a-z_]+\(\) - interval '(\d+ days)'", editing)
    (devices,) = re.findall(r"known_devices WHERE used_at < clock_timestamp\(\) - interval '(\d+ days)'", accounts)
    assert int(REFUSED_ORIGINS.config["retention.ms"]) == KEPT_DAYS * DAY_MS
    assert salts == f"{SALT_RETENTION.total_seconds() / 3600:g} hours"
    figures = {
        "page views": f"{LOG_DAYS} days, at most {PAGE_VIEWS_PARTITION_BYTES // 1024**3} GiB per partition",
        "views refused from undeclared origins": f"{KEPT_DAYS} days",
        "dead letters": f"{int(DEAD_LETTER_CONFIG['retention.ms']) // DAY_MS} days",
        "counts of 5 minutes": f"{BUCKET_5M_DAYS} days",
        "visitor IDs of a day": f"{VISITOR_DAYS} days",
        "evidence of who is counted": f"{VISITOR_DAYS} days",
        "visitor IDs that were excluded": f"{VISITOR_DAYS} days",
        "who was online": f"{ONLINE_KEPT_SECONDS // 3600} hour",
        "IDs of past views, activities of visitor IDs": (
            f"{EVICTED_WINDOWS_KEPT * WINDOW_MS // HOUR_MS} hours in which events arrived, at most {VISITOR_DAYS} days"
        ),
        "salts": salts,
        "responses for repeated requests": answers,
        "events for webhooks": "7 days after they were delivered, 30 days after they were given up",
        "unsaved texts": f"{autosaves} after the last one; the newest {SLOTS_MAX} of a person; with the account",
        "who has an article open": f"{EXPIRES_SECONDS:g} seconds",
        "preview links": f"{previews} after they expired",
        "IDs around a change of partitions": "4 days",
        "events while Kafka is unavailable": f"until Kafka has them, at most {spool // 1024**3} GiB per collector",
        "sessions": f"{_hours(IDLE)} hours without a request, at most {LIFETIME.days} days",
        "browsers in which somebody has logged in": f"{devices} without a log-in",
        "links of invitations, new passwords, log-ins": (
            f"{LIFETIMES['invitation'].days} days, {_hours(LIFETIMES['reset'])} hours, "
            f"{LIFETIMES['login'].total_seconds() / 60:g} minutes; once"
        ),
        "metrics": f"{kept} days, at most {size} GB",
        "logs of the local installation": f"{2 * LOG_BYTES_MAX // 1024**2} MB per program",
        "container logs": f"{int(logs['max-size'][:-1]) * int(logs['max-file'])} MB per container",
    }
    assert {what: row[2] for what, row in ROWS.items() if re.search(r"\d", row[2])} == figures
    assert f"older than the log ({LOG_DAYS} days)" in PAGE


def test_topics_without_retention_are_compacted() -> None:
    """Page views and dead letters have a retention; every other topic is compacted, as the page says."""
    compacted = {topic.name for topic in TOPICS if topic.config["cleanup.policy"] == "compact"}
    assert set(re.findall(r"`([a-z-]+)`", ROWS["articles, adjustments, live pages, site structure"][1])) == compacted
    assert {topic.name for topic in TOPICS} - compacted == {PAGE_VIEWS.name, REFUSED_ORIGINS.name}


def test_every_topic_table_and_volume_is_listed() -> None:
    """Each topic, each table of each service, and each volume of docker-compose.yml is in the table."""
    where = "".join(row[1] for row in ROWS.values())
    named = set(re.findall(r"`([^`]+)`", where))
    topics = {name for topic in TOPICS for name in (topic.name, topic.dead_letters)}
    tables = set()
    for service in ("ingest", "stats", "render"):
        schema = (ROOT / f"services/{service}/sql/schema.sql").read_text()
        found = re.findall(r"CREATE (?:UNLOGGED )?TABLE (\S+) \(", schema)
        tables |= {name if "." in name else f"{service}.{name}" for name in found}
    assert len(tables) > 25
    assert topics | tables | set(COMPOSE["volumes"]) == named - {"5m", "render_2", "render_3"}


def test_visitor_retention_exceeds_log_retention() -> None:
    """visitor_days keeps a day for the retention of the log, the lateness of an event and the day itself."""
    (bound,) = re.findall(r"Not above (\d+) days", PAGE)
    late_days = OLD_MS // DAY_MS
    assert int(bound) + late_days + 1 == VISITOR_DAYS
    assert int(bound) >= LOG_DAYS
    assert DAY_SECONDS * 1000 == DAY_MS


def test_named_constants_and_queries_exist() -> None:
    """Each constant and query that the column "changed by" names is in the file that it names."""
    files = ("queries", "accounts", "editing")
    queries = "".join((ROOT / f"services/ingest/sql/{name}.sql").read_text(encoding="utf-8") for name in files)
    file, found = "", 0
    for row in re.findall(r"^\| (.+) \|$", PAGE, re.MULTILINE):
        cell = row.split(" | ")[3] if row.count(" | ") > 3 else ""
        file = next(iter(re.findall(r" in `([^`]+\.(?:py|yml))`", cell)), file)
        for name in re.findall(r"`([A-Z0-9_]+|x-[a-z]+)` in `?(?:services|docker|the same)", cell):
            found += 1
            assert re.search(rf"(?<![\w-]){name}\b", (ROOT / file).read_text(encoding="utf-8")), (name, file)
        for name in re.findall(r"query `([a-z_]+)`", cell):
            found += 1
            assert f"-- name: {name}\n" in queries, name
    assert found > 6
