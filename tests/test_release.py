"""The version is the same everywhere, and CHANGELOG.md has it."""

import re
import tomllib
from itertools import pairwise

import pytest

from shared import __version__
from tests.document_paths import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})$", CHANGELOG, re.MULTILINE)
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_project_version_is_the_package_version() -> None:
    """pyproject.toml and the package name the same version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("deploy/Dockerfile", r'image\.version="([^"]+)"'),
        ("docker-compose.yml", r"presstally:(\d[\w.]*)"),
        ("deploy/compose/tracing.yml", r"presstally-traced:(\d[\w.]*)"),
        ("deploy/k8s/base/kustomization.yaml", r"name: presstally, newTag: (\S+) }"),
        ("deploy/k8s/README.md", r"presstally:(\d[\w.]*\d)"),
    ],
)
def test_deployed_version_is_the_package_version(name: str, pattern: str) -> None:
    """Each image tag and label is the package's version."""
    found = re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"))
    assert found
    assert set(found) == {__version__}


def test_changelog_begins_with_unreleased_and_the_present_version() -> None:
    """The first heading is "Unreleased", and the second is the package's version."""
    headings = re.findall(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]
    assert len(headings) == len(RELEASES) + 1


def test_changelog_releases_are_in_descending_order() -> None:
    """Releases are ordered by version and by date, the newest first."""
    assert all(newer > older for newer, older in pairwise(RELEASES))
    dates = [release[3] for release in RELEASES]
    assert dates == sorted(dates, reverse=True)


def test_changelog_entries_are_one_sentence_a_line() -> None:
    """Each line of a release is a heading of Keep a Changelog or one complete sentence."""
    body = CHANGELOG.split("## [Unreleased]")[1]
    for line in filter(None, body.splitlines()):
        if line.startswith("## "):
            continue
        if line.startswith("### "):
            assert line.removeprefix("### ") in GROUPS, line
        else:
            assert re.fullmatch(r"- .+\.", line), line
