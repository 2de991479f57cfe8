"""The capacity model: its arithmetic, its measured row sizes, and its table in the documentation."""

import re
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from deploy.capacity import Demand, Measured, plan, size, table

ROOT = Path(__file__).parent.parent.parent
ROWS = 60_000
BILLION = Demand(1e9, pages=2_000_000)


def test_scaling_page_has_the_table_of_the_model() -> None:
    """docs/scaling.md shows what the code computes."""
    assert table() in (ROOT / "docs/scaling.md").read_text(encoding="utf-8")


def test_more_views_never_need_less() -> None:
    """Each number of the plan grows, or stays the same, with the daily views."""
    plans = [plan(Demand(10.0**power)) for power in range(3, 10)]
    for name in (
        "events",
        "collectors",
        "counters",
        "partitions",
        "sites",
        "kafka_gigabytes",
        "postgres_gigabytes",
        "cost",
    ):
        values = [getattr(one, name) for one in plans]
        assert values == sorted(values), name


def test_plan_of_a_billion_views_matches_manual_calculation() -> None:
    """A billion views, five-fold peaks, three events per view, half utilization: numbers calculated by hand."""
    one = plan(BILLION)
    assert one.views == pytest.approx(57_870, rel=1e-3)
    assert one.events == pytest.approx(173_611, rel=1e-3)
    assert one.collectors == 12  # 173,611 / 29,000 / 0.5
    assert one.counters == 2
    assert one.sites == 2  # 57,870 / 58,000 / 0.5
    assert one.partitions % 12 == 0
    assert one.partitions >= one.counters
    assert one.kafka_gigabytes == pytest.approx(1e9 * 3 * 240 * 3 * 7 / 1e9)
    assert one.first_to_break == "collector"
    batched = plan(replace(BILLION, batched_share=1.0))
    assert batched.collectors == 2  # 173,611 / 175,000 / 0.5
    assert plan(replace(BILLION, batched_share=1.0, events_per_view=1.0)).first_to_break == "site"
    assert plan(Demand(10)).collectors == 2  # one may fail


def test_invalid_demand_is_rejected() -> None:
    """A demand of zero, or a share above one, is rejected with its name, also by the command."""
    for demand, name in (
        (Demand(0), "views_per_day"),
        (Demand(1e6, max_utilization=2), "max_utilization"),
        (Demand(1e6, peak_factor=-1), "peak"),
    ):
        with pytest.raises(ValueError, match=name):
            plan(demand)
    command = [sys.executable, "-m", "deploy.capacity"]
    for arguments, said in (((), "--views-per-day is missing"), (("--views-per-day", "0"), "views_per_day is 0")):
        done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert said in done.stderr


def test_documented_capacity_command_prints_a_plan() -> None:
    """The documented command runs, and prints partitions, replicas, sizes and cost."""
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    (arguments,) = re.findall(r"^    python -m deploy\.capacity (.+)$", page, re.MULTILINE)
    command = [sys.executable, "-m", "deploy.capacity", *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for word in ("collectors", "counters", "partitions", "Kafka", "Postgres", "per month", "first bottleneck"):
        assert word in done.stdout


def test_sizes_have_two_digits_and_a_unit() -> None:
    """Sizes have two significant digits and a suitable unit."""
    assert [size(value) for value in (0.03, 0.152, 1.44, 85.2, 1_512, 15_120)] == [
        "30 MB",
        "152 MB",
        "1.4 GB",
        "85 GB",
        "1.5 TB",
        "15 TB",
    ]


async def test_row_sizes_match_measured_tables(database: str) -> None:
    """A visitor ID, an article's count of a day and a sum have, with their indexes, the size that the model assumes."""
    connection = await asyncpg.connect(database)
    try:
        keys = [("haihau", 1_795_600_000, (number * 0x9E3779B97F4A7C15) % 2**63, 1) for number in range(ROWS)]
        await connection.copy_records_to_table(
            "visitor_days", schema_name="stats", records=keys, columns=["site", "day", "visitor", "generation"]
        )
        articles = [str(uuid.uuid4()) for _ in range(ROWS // 12)]
        counts = [(1, "haihau", one, "day", 1_795_600_000, part, 3, 0, 0) for one in articles for part in range(12)]
        columns = ["generation", "site", "article", "grain", "bucket_start", "partition", "views", "visits", "visitors"]
        await connection.copy_records_to_table("counts", schema_name="stats", records=counts, columns=columns)
        sums = [(1, "haihau", one, "8 days", 691_200 * span, 3, 0, 0) for span in range(12) for one in articles]
        columns = ["generation", "site", "article", "span", "span_start", "views", "visits", "visitors"]
        await connection.copy_records_to_table("article_sums", schema_name="stats", records=sums, columns=columns)
        found = {
            name: await connection.fetchval(f"SELECT pg_total_relation_size('stats.{name}')::float8") / rows
            for name, rows in (("visitor_days", len(keys)), ("counts", len(counts)), ("article_sums", len(sums)))
        }
    finally:
        await connection.close()
    assert found["visitor_days"] == pytest.approx(Measured().visitor_row_bytes, rel=0.25)
    assert found["counts"] == pytest.approx(Measured().count_row_bytes, rel=0.25)
    assert found["article_sums"] == pytest.approx(Measured().sum_row_bytes, rel=0.25)
