"""What each role imports: packages that it does not use would stay in its memory for as long as it runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOBODY_NEEDS = {"rich", "pygments", "trafilatura", "urllib3", "xlsxwriter", "shtab", "pytest"}
"""Packages that no role imports at its start: they belong to commands, or are imported at their first use."""
HEAVY = {
    "collector": {"numpy", "fastapi", "jinja2", "PIL", "lxml", "babel"},
    "articles": {"numpy", "jinja2", "re2", "PIL", "lxml", "mammoth", "olefile", "yaml"},
    "newsroom": {"numpy", "fastapi", "PIL", "re2", "aiokafka", "faststream"},
    "counter": {"fastapi", "jinja2", "PIL", "lxml", "obstore", "re2"},
    "widget": {"fastapi", "PIL", "lxml", "obstore", "re2", "aiokafka", "faststream"},
    "builder": {"numpy", "fastapi", "PIL", "lxml", "re2"},
    "site": {"numpy", "fastapi", "PIL", "lxml", "re2", "aiokafka", "faststream"},
}
"""Further packages that a role does without."""
OWN = {
    "collector": {"services.ingest.api", "services.ingest.imports"},
    "articles": {
        "services.ingest.collector.bots",
        "services.ingest.files.inspection",
        "services.ingest.imports.command",
        "services.ingest.imports.readers.feeds",
        "services.ingest.imports.word.conversion",
        "services.ingest.media.renditions",
    },
    "newsroom": {"services.ingest.api", "services.ingest.articles", "services.ingest.auth", "services.ingest.imports"},
    "counter": {"services.stats.admin", "services.stats.statistics.page"},
    "widget": {"services.stats.admin", "services.stats.counting.consumer"},
    "builder": {"services.render.export", "services.render.rebuild.command", "services.render.crawl"},
    "site": {"services.render.export", "services.render.rebuild.command", "services.render.crawl"},
}
"""Modules of the service itself that a role does without."""
SERVICES = {
    "collector": "ingest",
    "articles": "ingest",
    "newsroom": "ingest",
    "counter": "stats",
    "widget": "stats",
    "builder": "render",
    "site": "render",
}
PROGRAM = """
import json, sys
from services.{service}.__main__ import ROLES
import shared.process
ROLES["{role}"].load()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("role", SERVICES)
def test_role_imports_nothing_that_it_does_not_use(role: str) -> None:
    """In a process of its own, a role's imports have none of the packages and modules that are named here."""
    program = PROGRAM.format(service=SERVICES[role], role=role)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout)
    unwanted = NOBODY_NEEDS | HEAVY[role]
    assert sorted({name.split(".")[0] for name in modules} & unwanted) == []
    assert [name for name in modules if any(f"{name}.".startswith(f"{own}.") for own in OWN[role])] == []


def test_export_imports_no_client_of_kafka() -> None:
    """A static export asks Postgres only, and starts without a client of Kafka."""
    program = (
        "import json, sys, services.render.__main__, services.render.export.command; print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in json.loads(done.stdout)} & {"aiokafka", "faststream"} == set()
