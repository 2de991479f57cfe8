"""`python -m deploy.prometheus.slo`: write rules/slo.yml, the SLOs as recording rules and burn-rate alerts.

The alerts are those of the SRE Workbook ("Multiwindow, Multi-Burn-Rate Alerts"): 2 % of the error budget of 30 days
spent within an hour, or 5 % within six, is a page; 10 % within a day or three days is a ticket. The short window lets
the alert end soon after the cause.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "rules" / "slo.yml"
RUNBOOK_URL = (
    "{{ if $externalLabels.docs_url }}{{ $externalLabels.docs_url }}/runbooks/ALERT.html"
    "{{ else }}docs/runbooks/ALERT.md{{ end }}"
)
"""Where the documentation is published, as prometheus.yml names it; else the file."""
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BURNS = {
    "page": ((14.4, "1h", "5m"), (6.0, "6h", "30m")),
    "ticket": ((3.0, "1d", "2h"), (1.0, "3d", "6h")),
}
COLLECT = 'job="ingest",route=~"/e|/e/batch|/p.gif"'
READ = 'job=~"stats|render"'


@dataclass(frozen=True)
class Objective:
    """One SLO: the target share of good events, and PromQL for the rates of bad events and of all events."""

    name: str
    alert: str
    target: float
    bad: str
    all: str
    description: str


OBJECTIVES = (
    Objective(
        "collect_errors",
        "CollectorErrorSLO",
        0.999,
        f'sum(rate(http_server_request_duration_seconds_count{{{COLLECT},code=~"5.."}}[WINDOW]))',
        f"sum(rate(http_server_request_duration_seconds_count{{{COLLECT}}}[WINDOW]))",
        "Page views are answered with errors; trackers keep them for half an hour and send them again.",
    ),
    Objective(
        "collect_latency",
        "CollectorLatencySLO",
        0.99,
        f"(sum(rate(http_server_request_duration_seconds_count{{{COLLECT}}}[WINDOW]))"
        f' - sum(rate(http_server_request_duration_seconds_bucket{{{COLLECT},le="0.1"}}[WINDOW])))',
        f"sum(rate(http_server_request_duration_seconds_count{{{COLLECT}}}[WINDOW]))",
        "More than one page view in a hundred takes over 100 ms to be accepted.",
    ),
    Objective(
        "read_errors",
        "PortalErrorSLO",
        0.999,
        f'sum(rate(http_server_request_duration_seconds_count{{{READ},code=~"5.."}}[WINDOW]))',
        f"(sum(rate(http_server_request_duration_seconds_count{{{READ}}}[WINDOW]))"
        f" + (sum(rate(http_server_cached_responses_total{{{READ}}}[WINDOW])) or vector(0)))",
        "Readers get errors instead of pages or counters.",
    ),
    Objective(
        "freshness",
        "CountFreshnessSLO",
        0.99,
        "(sum(rate(presstally_event_delay_seconds_count[WINDOW]))"
        ' - sum(rate(presstally_event_delay_seconds_bucket{le="30.0"}[WINDOW])))',
        "sum(rate(presstally_event_delay_seconds_count[WINDOW]))",
        "Counts are committed more than 30 s after their events arrived.",
    ),
)


def recorded(objective: Objective, window: str) -> str:
    """Return the name of the recording rule: the share of bad events over a window."""
    return f"presstally:slo_{objective.name}:ratio_rate{window}"


def rules() -> dict[str, Any]:
    """Return the rule file."""
    groups = []
    for one in OBJECTIVES:
        budget = 1 - one.target
        recording: list[dict[str, Any]] = [
            {
                "record": recorded(one, window),
                # Without traffic the ratio would be NaN, which would keep an alert firing; it counts as no errors.
                "expr": f"({one.bad} / ({one.all} > 0)) or vector(0)".replace("WINDOW", window),
            }
            for window in WINDOWS
        ]
        recording.append({"record": f"presstally:slo_{one.name}:objective_ratio", "expr": f"vector({one.target:g})"})
        alerts = [
            {
                "alert": one.alert,
                "expr": " or ".join(
                    f"({recorded(one, long)} > {factor * budget:.6g}"
                    f" and {recorded(one, short)} > {factor * budget:.6g})"
                    for factor, long, short in BURNS[severity]
                ),
                "labels": {"severity": severity},
                "annotations": {
                    "summary": one.description,
                    "description": f"The objective is {one.target:.1%} over 30 days; "
                    "{{ $value | humanizePercentage }} are bad at the moment.",
                    "runbook_url": RUNBOOK_URL.replace("ALERT", one.alert),
                },
            }
            for severity in BURNS
        ]
        groups.append({"name": f"slo {one.name}", "rules": [*recording, *alerts]})
    return {"groups": groups}


def text() -> str:
    """Return the rule file as it is committed."""
    head = "# Written by `make dashboards` from deploy/prometheus/slo.py.\n"
    return head + str(yaml.safe_dump(rules(), sort_keys=False, width=110, allow_unicode=True))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"wrote {FILE.name}\n")
