"""The assertions and the report of the soak, without half an hour of load."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from tests.soak import limits as limits_module
from tests.soak.assertions import Findings, compare_deaths, compare_failures
from tests.soak.client import Reply
from tests.soak.faults import FAULTS, SMALL_FAULTS, InjectedFault, plan
from tests.soak.limits import Limits, NoCgroupsError, limits_of_processes, small_limits
from tests.soak.load import LoadResults
from tests.soak.measurements import MEGABYTE, ProcessRun
from tests.soak.report import SoakResult, drawing, page
from tests.soak.system import SMALL_ROLES, SMALL_UPSTREAMS

HALF_AN_HOUR = range(0, 1800, 5)


def run(name: str, mb_a_minute: float, *, start_mb: float = 80.0, seconds: range = HALF_AN_HOUR) -> ProcessRun:
    return ProcessRun(name, 1, [(at, int((start_mb + mb_a_minute * at / 60) * MEGABYTE)) for at in seconds])


def test_memory_growth_is_reported_but_warm_up_and_steps_are_not() -> None:
    """Continuous growth is reported; a warm-up and a step are not; Kafka has its own limit."""
    finding = run("widget", 2.0).finding()
    assert finding is not None
    assert "widget grows by 2.00 MB a minute" in finding
    assert run("widget", 0.5).finding() is None
    warming = [(at, int((80 + min(at, 500) / 8) * MEGABYTE)) for at in HALF_AN_HOUR]
    assert ProcessRun("widget", 1, warming).finding() is None
    assert run("widget", 50.0, seconds=range(0, 120, 5)).finding() is None  # too short to be conclusive
    steps = [(at, int((80 + 12 * (at > 800) + 12 * (at > 1300)) * MEGABYTE)) for at in HALF_AN_HOUR]
    assert ProcessRun("counter-2", 1, steps).finding() is None
    lumps = [(at, int((80 + 8 * (at // 150)) * MEGABYTE)) for at in HALF_AN_HOUR]
    assert "has grown by" in (ProcessRun("site-1", 1, lumps).finding() or "")
    assert run("kafka", 20.0).finding() is None
    assert run("kafka", 100.0).finding() is not None


def test_failed_requests_outside_of_faults_are_reported() -> None:
    """A request may fail during a fault; a failure at another time is reported."""
    results, faults = LoadResults(), [InjectedFault("kafka killed", 100.0, 108.0)]
    results.failures = [(101.0, "page", "502"), (115.0, "page", "502")]
    found = Findings()
    compare_failures(results, faults, found)
    assert found.wrong == []
    results.failures.append((150.0, "page", "502"))
    compare_failures(results, faults, found)
    assert found.wrong == ["1 requests failed without a fault (page: 502)"]


def test_exits_without_a_kill_are_reported() -> None:
    """A process that exited more often than it was killed is named."""
    found = Findings()
    compare_deaths(Counter(widget=1, builder=2), Counter(widget=1, builder=1), found)
    assert found.wrong == ["builder exited 2 times but was killed 1 times"]


def test_results_count_5xx_and_missing_responses_as_failures() -> None:
    """A 5xx or a missing response is a failure of the request; a 4xx is a response."""
    results = LoadResults()
    assert results.note("single", Reply(202, b""))
    assert results.note("page", Reply(404, b""))
    assert not results.note("single", Reply(503, b""))
    assert not results.note("single", OSError("refused"))
    assert [kind for _, kind, _ in results.failures] == ["single", "single"]


def test_plan_depends_on_seed_and_covers_every_fault() -> None:
    """The same seed gives the same faults; half an hour has each one, and the end has none."""
    planned = plan(1800, 7)
    assert planned == plan(1800, 7)
    assert planned != plan(1800, 8)
    assert {name for _, name in planned} == set(FAULTS)
    assert max(at for at, _ in planned) < 1800 * 0.85


def test_report_has_every_section_and_well_formed_picture() -> None:
    """The page has every process, fault and failed assertion; the picture is XML with a line for each process."""
    found = Findings(wrong=["builder ended"], records=10, ledger={("counted", ""): 10}, verify="drift 0")
    soak = SoakResult(
        seed=7,
        minutes=10,
        command="make soak",
        machine="2 processors",
        version="0",
        when="2026-01-01",
        results=LoadResults(requests=Counter(single=10)),
        found=found,
        runs=[run("widget", 0.1), run("builder", 0.2)],
        longest=[run("widget", 0.1), run("builder", 0.2)],
        delays=[(1.0, 0.2), (60.0, 0.4)],
        faults=[(30.0, 2.0, "kafka killed")],
        restarts=Counter(widget=1),
        publications=[0.2],
        steps=1,
        messages=3,
    )
    text = page(soak, "images/soak.svg")
    for part in (
        "1 assertions failed",
        "- builder ended",
        "| widget | 1 |",
        "kafka killed",
        "| ledger: counted | 10 |",
    ):
        assert part in text
    root = ET.fromstring(drawing(soak))
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2


def test_small_plan_covers_every_fault_of_its_processes() -> None:
    """Ten minutes have each fault of a small server, on its own processes."""
    planned = plan(600, 7, SMALL_FAULTS)
    assert {name for _, name in planned} == set(SMALL_FAULTS)
    assert {process for process, _ in SMALL_FAULTS.values()} <= {*SMALL_ROLES, "kafka", "postgres"}
    assert set(SMALL_UPSTREAMS.values()) <= set(SMALL_ROLES)


def test_limits_of_a_soak_are_those_of_the_small_server() -> None:
    """Each process has the limit of its container, and a command that of the container in which it is run."""
    limits = limits_of_processes()
    assert set(limits) == {*SMALL_ROLES, "kafka", "postgres", "gateway", "command"}
    assert limits["kafka"] == small_limits()["kafka"] > 256 * 1024**2
    assert limits["command"] == limits["stats"]


def test_limited_command_joins_its_cgroup_and_becomes_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program has its arguments as they were, and the process ID that was written."""
    monkeypatch.setattr(limits_module, "CGROUPS", tmp_path)
    (tmp_path / "memory").mkdir()
    limits = Limits("soak", {"a": 4096})
    command = limits.command(
        "a", [sys.executable, "-c", "import os, sys; print(os.getpid(), sys.argv[1:])", "x y", "$0"]
    )
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    pid = (tmp_path / "memory/soak/a/cgroup.procs").read_text().strip()
    assert done.stdout == f"{pid} ['x y', '$0']\n"
    assert (tmp_path / "memory/soak/a/memory.limit_in_bytes").read_text() == "4096"
    assert limits.killed() == {}
    (tmp_path / "memory/soak/a/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (tmp_path / "memory/soak/a/memory.max_usage_in_bytes").write_text("2097152\n")
    assert limits.killed() == {"a": 2}
    assert limits.report() == ["| a | 0 MB | 2 MB | 0 MB | 2 |"]


def test_limits_without_cgroups_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the kernel's files, or without root, there is a message."""
    monkeypatch.setattr(limits_module, "CGROUPS", tmp_path / "none")
    with pytest.raises(NoCgroupsError, match="memory cannot be limited here"):
        Limits("soak", {"a": 4096})
