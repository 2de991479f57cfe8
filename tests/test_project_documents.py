"""ARCHITECTURE.md, CONTRIBUTING.md, docs/decisions and CHANGELOG.md are true, complete and short."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.document_paths import ROOT, find_paths

DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
DOCUMENTS = [
    *(ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "docs/benchmarks.md")),
    *DECISIONS,
]
ARCHITECTURE_LINES_MAX = 150


def missing_paths(text: str) -> list[str]:
    return [name for line in text.splitlines() for name in find_paths(line)[1]]


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_named_files_exist(document: Path) -> None:
    """Every file and folder that the document names exists."""
    assert missing_paths(document.read_text(encoding="utf-8")) == []


def test_a_missing_file_is_found() -> None:
    """The check of paths finds a wrong path, and a file name that is in another folder than its line says."""
    text = "`shared/events.py` `topics.py`\n`shared/nowhere.py` `topics.py`\n`services/stats/queries.py`, `events.py`"
    assert missing_paths(text) == ["shared/nowhere.py", "topics.py", "events.py"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """Every relative link has its file, and every anchor its heading."""
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def code_words() -> frozenset[str]:
    """Return all words of the code, without those of migrations, which name what there was."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    endings = {".py", ".sql", ".js", ".html", ".toml", ".yml", ".yaml"}
    code = [name for name in tracked if Path(name).suffix in endings and "/migrations/" not in name]
    code = [name for name in code if not name.startswith("tests/test_")]
    return frozenset(word for name in code for word in re.findall(r"\w+", (ROOT / name).read_text(encoding="utf-8")))


def test_named_symbols_exist() -> None:
    """Every table, column, function, metric, setting and class in backticks is a word of the code."""
    words = code_words()
    for document in [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *DECISIONS]:
        for name in re.findall(r"`([A-Za-z]\w*(?:\.[a-z_]\w*)*)(?:\(\))?`", document.read_text(encoding="utf-8")):
            if "_" in name or "." in name or name.lower() != name:
                unknown = [part for part in name.split(".") if "SERVICE" not in part and part not in words]
                assert unknown == [], f"{document.name}: {name}"


def test_named_tables_and_columns_exist() -> None:
    """Every table, function and column that is named with its Postgres schema is in that service's schema.sql."""
    for document in [ROOT / "ARCHITECTURE.md", *DECISIONS]:
        text = document.read_text(encoding="utf-8")
        for service, name, column in re.findall(r"`(ingest|stats|render)\.(\w+)(?:\.(\w+))?`", text):
            schema = (ROOT / f"services/{service}/sql/schema.sql").read_text(encoding="utf-8")
            assert re.search(rf"(TABLE|VIEW|FUNCTION) {service}\.{name}\b", schema), name
            assert not column or re.search(rf"^    {column} ", schema, re.MULTILINE), column


def test_architecture_is_short() -> None:
    """ARCHITECTURE.md has at most 150 lines."""
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= ARCHITECTURE_LINES_MAX


def test_tables_are_not_interrupted() -> None:
    """No row of a table follows a blank line: it would be shown as text."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert not re.search(r"^\|.*\n\n\|(?!.*\n\|[ :-]+-)", text, re.MULTILINE), document.name


def test_every_decision_has_context_decision_and_consequence() -> None:
    """Each decision of each page has its three parts, in this order."""
    for page in DECISIONS:
        if page.name == "README.md":
            continue
        for decision in page.read_text(encoding="utf-8").split("\n## ")[1:]:
            parts = re.findall(r"^- \*\*(\w+):\*\* \S", decision, re.MULTILINE)
            assert parts == ["Context", "Decision", "Consequence"], f"{page.name}: {decision.splitlines()[0]}"


def test_every_decision_page_is_in_the_index() -> None:
    """docs/decisions/README.md links to each page."""
    index = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")
    assert [page.name for page in DECISIONS if f"({page.name})" not in index] == ["README.md"]
