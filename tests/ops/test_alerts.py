"""Each alert fires when it must and is silent in health, tested with `promtool test rules`."""

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "deploy/prometheus/rules"
COLLECT = 'http_server_request_duration_seconds_count{job="ingest",route="/e",method="POST",code="%s"}'
COLLECT_FAST = 'http_server_request_duration_seconds_bucket{job="ingest",route="/e",method="POST",code="202",le="0.1"}'
PAGES = 'http_server_request_duration_seconds_count{job="render",route="/{path:path}",method="GET",code="%s"}'

HEALTH = {
    'up{job="ingest",instance="i"}': "1x700",
    'up{job="stats",instance="s"}': "1x700",
    'up{job="render",instance="r"}': "1x700",
    COLLECT % 202: "0+600x700",
    COLLECT % 503: "0x700",
    COLLECT_FAST: "0+600x700",
    PAGES % 200: "0+600x700",
    PAGES % 503: "0x700",
    "presstally_event_delay_seconds_count": "0+60x700",
    'presstally_event_delay_seconds_bucket{le="30.0"}': "0+60x700",
    'process_start_time_seconds{job="stats",instance="s"}': "5x700",
    'presstally_event_loop_lag_seconds_bucket{job="stats",instance="s",le="0.25"}': "0+240x700",
    'presstally_event_loop_lag_seconds_bucket{job="stats",instance="s",le="+Inf"}': "0+240x700",
    'presstally_db_pool_connections{job="stats",instance="s",state="used"}': "2x700",
    'presstally_db_pool_connections{job="stats",instance="s",state="max"}': "16x700",
    'presstally_memory_used_bytes{job="stats",instance="s"}': "150000000x700",
    'presstally_memory_limit_bytes{job="stats",instance="s"}': "234881024x700",
    'presstally_memory_limit_bytes{job="render",instance="r"}': "0x700",
    'presstally_memory_used_bytes{job="render",instance="r"}': "0x700",
    'presstally_sites_config_last_reload_successful{job="render",instance="r"}': "1x700",
    'presstally_spool_bytes{instance="i"}': "0x700",
    'presstally_spool_bytes_max{instance="i"}': "1000x700",
    'presstally_spool_corrupt_records_total{instance="i"}': "0x700",
    'presstally_producer_queue_events{instance="i"}': "12x700",
    'presstally_collect_address_share_ratio{instance="i"}': "0.2x700",
    'presstally_collector_clock_offset_seconds{instance="i"}': "-0.4x700",
    'presstally_collect_events_total{site="haihau",result="accepted"}': "0+600x700",
    'presstally_collect_events_total{site="haihau",result="invalid"}': "0+6x700",
    'presstally_events_processed_total{site="haihau",result="counted"}': "0+600x700",
    'presstally_events_processed_total{site="haihau",result="duplicate"}': "0+1x700",
    'presstally_consumer_lag_events{partition="0"}': "1x700",
    'presstally_consumer_lag_seconds{partition="0"}': "0.2x700",
    "presstally_consumer_last_commit_timestamp_seconds": "0+60x700",
    'presstally_consumer_assigned_partitions{instance="s"}': "12x700",
    "presstally_page_views_partitions": "12x700",
    "presstally_consumer_rebalances_total": "1x700",
    "presstally_consumer_lost_records_total": "0x700",
    "presstally_consumer_counting_stopped": "0x700",
    "presstally_consumer_unreadable_partitions": "0x700",
    'presstally_uncounted_article_views_total{site="haihau"}': "7x700",
    'presstally_topic_deviations{instance="s",topic="articles",property="cleanup.policy"}': "0x700",
    'presstally_topic_deviations{instance="s",topic="page-views",property="retention.ms"}': "0x700",
    "presstally_page_views_cut_span_seconds": "0x700",
    'presstally_suspect_visitors_ratio{site="haihau"}': "0.01x40 0.6x32 0.01x630",  # until readers' pages have answered
    'presstally_reconciliation_difference_events{check="ledger"}': "0x700",
    'presstally_reconciliation_difference_events{check="totals"}': "0x700",
    'presstally_dead_letters_total{topic="page-views"}': "3x700",
    "presstally_outbox_pending_messages": "0 3 0 2 0x700",
    "presstally_recovery_conflicts": "0x700",
    "presstally_schedule_overdue_seconds": "0x700",
    'presstally_articles_in_undeclared_sections{site="haihau"}': "0x700",
    'presstally_article_publish_to_live_seconds_bucket{le="10.0"}': "0+2x700",
    'presstally_article_publish_to_live_seconds_bucket{le="+Inf"}': "0+2x700",
    'presstally_articles_rendered_total{result="failed"}': "1x700",
    'presstally_page_responses_total{source="cache_stale"}': "4x700",
}


class Case(NamedTuple):
    """The changes to the healthy series (None removes a series), and the time at which the alert must fire."""

    alert: str
    severity: str
    changed: dict[str, str | None]
    at: str = "30m"
    interval_minutes: int = 1


CASES = [
    Case("TargetDown", "page", {'up{job="stats",instance="s"}': "1x5 0x40"}),
    Case("ServiceMissing", "page", {'up{job="render",instance="r"}': None}),
    Case("FrequentRestarts", "warning", {'process_start_time_seconds{job="stats",instance="s"}': "0+60x40"}),
    Case(
        "EventLoopBlocked",
        "warning",
        {
            'presstally_event_loop_lag_seconds_bucket{job="stats",instance="s",le="0.25"}': "0+200x40",
            'presstally_event_loop_lag_seconds_bucket{job="stats",instance="s",le="0.5"}': "0+240x40",
        },
    ),
    Case(
        "DbPoolExhausted", "warning", {'presstally_db_pool_connections{job="stats",instance="s",state="used"}': "16x40"}
    ),
    Case("MemoryNearLimit", "ticket", {'presstally_memory_used_bytes{job="stats",instance="s"}': "210000000x40"}),
    Case("SpoolInUse", "ticket", {'presstally_spool_bytes{instance="i"}': "5x40"}),
    Case("SpoolFilling", "page", {'presstally_spool_bytes{instance="i"}': "0+30x40"}),
    Case("SpoolCorrupt", "ticket", {'presstally_spool_corrupt_records_total{instance="i"}': "0x20 1x40"}),
    Case("CollectorClockWrong", "page", {'presstally_collector_clock_offset_seconds{instance="i"}': "-90x40"}),
    Case("ProducerQueueHigh", "warning", {'presstally_producer_queue_events{instance="i"}': "15000x40"}),
    Case("ViewsFromOneAddress", "ticket", {'presstally_collect_address_share_ratio{instance="i"}': "1x60"}),
    Case(
        "HighRejectionRate", "ticket", {'presstally_collect_events_total{site="haihau",result="invalid"}': "0+300x60"}
    ),
    Case(
        "NoTraffic",
        "ticket",
        {'presstally_collect_events_total{site="haihau",result="accepted"}': "0+3000x2000 6000000x100"},
        "10250m",
        5,
    ),
    Case("ConsumerLagHigh", "ticket", {'presstally_consumer_lag_seconds{partition="0"}': "0+30x60"}),
    Case("ConsumerStalled", "page", {"presstally_consumer_last_commit_timestamp_seconds": "60x60"}),
    Case("PartitionsUnassigned", "page", {'presstally_consumer_assigned_partitions{instance="s"}': "8x60"}),
    Case("PartitionsUnassigned", "page", {'presstally_consumer_assigned_partitions{instance="s"}': None}),
    Case("RebalanceStorm", "warning", {"presstally_consumer_rebalances_total": "0+1x60"}),
    Case("UnreadableRecords", "page", {"presstally_consumer_unreadable_partitions": "0x20 1x40"}),
    Case(
        "SitesConfigRefused",
        "ticket",
        {'presstally_sites_config_last_reload_successful{job="render",instance="r"}': "1x20 0x40"},
    ),
    Case(
        "ArticlesInUndeclaredSections",
        "ticket",
        {'presstally_articles_in_undeclared_sections{site="haihau"}': "0x20 3x40"},
    ),
    Case("WebhooksFailing", "ticket", {'presstally_webhooks_disabled{instance="a"}': "0x20 1x40"}),
    Case("HubsFailing", "ticket", {'presstally_hub_announcement_wait_seconds{instance="r"}': "0x10 4000x60"}),
    Case("CountingStopped", "page", {"presstally_consumer_counting_stopped": "0x20 1x40"}),
    Case(
        "TopicMisconfigured",
        "page",
        {'presstally_topic_deviations{instance="s",topic="articles",property="cleanup.policy"}': "0x20 1x40"},
    ),
    Case(
        "TopicMisconfigured",
        "ticket",
        {'presstally_topic_deviations{instance="s",topic="page-views",property="retention.ms"}': "0x20 1x40"},
    ),
    Case("TopicMisconfigured", "ticket", {"presstally_page_views_cut_span_seconds": "0x20 172800x40"}),
    Case("UncountedRecordsDeleted", "page", {"presstally_consumer_lost_records_total": "0x20 7x40"}),
    Case("DeadLetters", "ticket", {'presstally_dead_letters_total{topic="page-views"}': "3x25 4x40"}),
    Case(
        "HighDuplicateRate",
        "ticket",
        {'presstally_events_processed_total{site="haihau",result="duplicate"}': "0+90x60"},
    ),
    Case("TooManyNewArticles", "ticket", {'presstally_uncounted_article_views_total{site="haihau"}': "0x20 0+50x40"}),
    Case("VisitorsOfPrograms", "ticket", {'presstally_suspect_visitors_ratio{site="haihau"}': "0x10 0.6x50"}, "50m"),
    Case("CountsInconsistent", "page", {'presstally_reconciliation_difference_events{check="ledger"}': "0x20 1x40"}),
    Case(
        "AcceptedCountedMismatch",
        "ticket",
        {'presstally_events_processed_total{site="haihau",result="counted"}': "0+500x600"},
        "420m",
    ),
    Case("OutboxStuck", "page", {"presstally_outbox_pending_messages": "2x40"}),
    Case("RecoveryConflicts", "ticket", {"presstally_recovery_conflicts": "0x20 1x40"}),
    Case("PasswordsGuessed", "ticket", {'presstally_logins_total{result="wrong_credentials"}': "0+60x60"}),
    Case("MailsFailing", "ticket", {'presstally_mails_total{result="failed"}': "0x10 1x60"}),
    Case("ScheduleOverdue", "page", {"presstally_schedule_overdue_seconds": "0+60x40"}),
    Case(
        "PublishingSlow",
        "ticket",
        {
            'presstally_article_publish_to_live_seconds_bucket{le="10.0"}': "0+1x60",
            'presstally_article_publish_to_live_seconds_bucket{le="30.0"}': "0+2x60",
        },
    ),
    Case("RenderErrors", "ticket", {'presstally_articles_rendered_total{result="failed"}': "1x20 2x40"}),
    Case("PortalServingStale", "page", {'presstally_page_responses_total{source="cache_stale"}': "4+10x40"}),
    Case("CollectorErrorSLO", "page", {COLLECT % 503: "0+12x70"}, "65m"),
    Case("CollectorErrorSLO", "ticket", {COLLECT % 503: "0+2x700"}, "400m"),
    Case("CollectorLatencySLO", "page", {COLLECT_FAST: "0+400x70"}, "65m"),
    Case("CollectorLatencySLO", "ticket", {COLLECT_FAST: "0+580x700"}, "400m"),
    Case("PortalErrorSLO", "page", {PAGES % 503: "0+12x70"}, "65m"),
    Case("PortalErrorSLO", "ticket", {PAGES % 503: "0+2x700"}, "400m"),
    Case("CountFreshnessSLO", "page", {'presstally_event_delay_seconds_bucket{le="30.0"}': "0+40x70"}, "65m"),
    Case("CountFreshnessSLO", "ticket", {'presstally_event_delay_seconds_bucket{le="30.0"}': "0+58x700"}, "400m"),
]


def firing(alert: str, severity: str) -> str:
    return f'count(ALERTS{{alertname="{alert}",severity="{severity}",alertstate="firing"}}) > 0'


def suite(changed: dict[str, str | None], at: str, expression: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    series = {**HEALTH, **changed}
    return {
        "input_series": [{"series": name, "values": values} for name, values in series.items() if values is not None],
        "promql_expr_test": [{"expr": expression, "eval_time": at, "exp_samples": samples}],
    }


def rules_for(alert: str | None, folder: Path) -> list[str]:
    """Return the rule files; for one alert, copies with its own rules and the recorded series that they read.

    Evaluating all other rules for hours takes most of a test's time.
    """
    files = sorted(RULES.glob("*.yml"))
    if alert is None:
        return [str(file) for file in files]
    shipped = {file: yaml.safe_load(file.read_text()) for file in files}
    rules = [rule for one in shipped.values() for group in one["groups"] for rule in group["rules"]]
    needed, before = [rule for rule in rules if rule.get("alert") == alert], 0
    while len(needed) > before:
        before = len(needed)
        read = " ".join(rule["expr"] for rule in needed)
        needed += [rule for rule in rules if rule not in needed and "record" in rule and rule["record"] in read]
    for file, content in shipped.items():
        for group in content["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule in needed]
        content["groups"] = [group for group in content["groups"] if group["rules"]]
        (folder / file.name).write_text(yaml.safe_dump(content))
    return [str(folder / file.name) for file in files]


def run(folder: Path, tests: list[dict[str, Any]], interval_minutes: int = 1, alert: str | None = None) -> None:
    file = folder / "tests.yml"
    interval = f"{interval_minutes}m"
    for test in tests:
        test["interval"] = interval
    rules = rules_for(alert, folder)
    file.write_text(yaml.safe_dump({"rule_files": rules, "evaluation_interval": interval, "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_fires_in_health(tmp_path: Path) -> None:
    """A healthy system fires no alert, also after many hours."""
    firing_alerts = 'ALERTS{alertstate="firing"}'
    run(tmp_path, [suite({}, "100m", firing_alerts, []), suite({}, "600m", firing_alerts, [])])


@pytest.mark.parametrize("case", CASES, ids=[f"{case.alert} {case.severity} {n}" for n, case in enumerate(CASES)])
def test_alert_fires_with_its_severity(case: Case, tmp_path: Path) -> None:
    """The alert fires with its severity once its condition has lasted."""
    expression = firing(case.alert, case.severity).replace(" > 0", " > bool 0")
    run(
        tmp_path,
        [suite(case.changed, case.at, expression, [{"labels": "{}", "value": 1}])],
        case.interval_minutes,
        case.alert,
    )


def test_every_shipped_alert_has_a_case() -> None:
    """No alert of the shipped rules is without a case."""
    groups = [group for file in sorted(RULES.glob("*.yml")) for group in yaml.safe_load(file.read_text())["groups"]]
    rules = {
        (rule["alert"], rule["labels"]["severity"]) for group in groups for rule in group["rules"] if "alert" in rule
    }
    assert rules == {(case.alert, case.severity) for case in CASES}


@pytest.mark.parametrize(
    ("external", "url"),
    [
        ({}, "docs/runbooks/TargetDown.md"),
        ({"docs_url": "https://docs.example/presstally"}, "https://docs.example/presstally/runbooks/TargetDown.html"),
    ],
)
def test_runbook_url_leads_to_where_the_documentation_is_published(
    external: dict[str, str], url: str, tmp_path: Path
) -> None:
    """An alert's link opens the runbook, once Prometheus knows where the documentation is; else it names the file."""
    test = suite({'up{job="stats",instance="s"}': "1x5 0x40"}, "30m", "vector(1)", [{"labels": "{}", "value": 1}])
    annotations = {"summary": "stats at s does not answer.", "runbook_url": url}
    labels = {"job": "stats", "instance": "s", "severity": "page"}
    test["alert_rule_test"] = [
        {
            "eval_time": "30m",
            "alertname": "TargetDown",
            "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
        }
    ]
    test["external_labels"] = external
    run(tmp_path, [test], alert="TargetDown")
