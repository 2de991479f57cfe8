"""docs/decisions/dependencies.md, pyproject.toml and the lock files agree."""

import json
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGE = (ROOT / "docs/decisions/dependencies.md").read_text(encoding="utf-8")


def requirements() -> list[Requirement]:
    optional = PROJECT["optional-dependencies"].values()
    return [Requirement(one) for group in (PROJECT["dependencies"], *optional) for one in group]


def table_names(section: str) -> set[str]:
    """Return the packages in the first column of a section's table."""
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`((?:@[a-z]+/)?[a-z0-9-]+)`", row)}


def test_every_dependency_has_its_reason() -> None:
    """The page has a row for each direct dependency of pyproject.toml, those of tests included."""
    names = {one.name for one in requirements()}
    assert len(names) > 40
    assert names - table_names(PAGE) == set()


def test_every_reason_has_its_dependency() -> None:
    """The page has no row for a package that is not used any more."""
    used = {one.name for one in requirements()}
    used |= set((ROOT / "tests/bench/competitors/requirements.in").read_text(encoding="utf-8").split())
    for file in (
        "tests/browser/npm/package.json",
        "tests/ops/grafana/package.json",
        "services/ingest/collector/tracker/package.json",
    ):
        used |= set(json.loads((ROOT / file).read_text(encoding="utf-8"))["devDependencies"])
    assert table_names(PAGE) - used == set()


def test_every_pinned_version_has_its_reason() -> None:
    """Exactly the packages with a version in pyproject.toml are explained as pinned, and the version is locked."""
    pinned = {one.name: str(one.specifier) for one in requirements() if str(one.specifier)}
    assert set(pinned) == table_names(PAGE.split("## Pinned packages")[1].split("\n## ")[0])
    lock = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert [name for name, version in pinned.items() if f"\n{name}{version} " not in f"\n{lock}"] == []
