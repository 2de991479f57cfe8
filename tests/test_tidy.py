"""Conventions of code, texts and documentation that a machine can check."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
PYTHON = [
    file
    for folder in ("shared", "services", "deploy", "tests", "tools")
    for file in sorted((ROOT / folder).rglob("*.py"))
]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400
README_LINES_MAX = 130
TEST_NAME_WORDS_MIN = 3
NOT_OURS = re.compile(
    r"(^|/)(LICENSE|package-lock\.json|requirements[a-z-]*\.txt)$|\.LICENSE$|(^|/)vendor/|^tests/data/|^docs/images/"
    r"|^deploy/grafana/dashboards/|/sql/migrations/|\.(webp|png|svg|ico|woff2|po|mo)$|(^|/)t\.js$|^services/ingest/newsroom/static/(write\.js|LICENSES\.txt)$|^services/.*/assets/uplot"
)
"""Files that are not edited by hand: licences, locks, vendored and generated files, migrations, test data, images."""
WORDS = {
    "anew": "again",
    "phiên bản": "bản",
    "for ever": "permanently, or: until cancelled",
    "pass(?:ed|es|ing)? over": "skip",
    "at hand": "cached, or: available",
    "in hand": "say what is done with it",
    r"(?<!there\s)(?:is|are) none": "is missing, or: is invalid",
    "of ours": "Presstally's, or: the project's",
    "(?:is|are) told": "is reported, or: gets",
    "tells of": "reports",
    "told apart": "distinguished",
    "look(?:s|ed) over": "checks",
    "stands? beside": "is next to",
    "all the same": "nevertheless, or: even so",
    r"(?<![\"'\])]\s)(?<!not\s)(?<!word\s)(?<!name\s)(?<!text\s)(?<!one\s)in words(?![\[\])]|\.\w)": "as a message",
    "(?:is|are|went) away": "is unavailable",
    "brought along": "included",
    "at one's word": "say what is believed",
    "[Ww]hoever": "the client, the caller, or: the operator",
    "a fault of ours": "a bug in Presstally",
}
"""{phrase that readers of English stumble over: its replacement}."""


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def texts() -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each tracked text file that is written by hand."""
    for name in TRACKED:
        file = ROOT / name
        if not NOT_OURS.search(name) and file.is_file():
            try:
                text = file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            yield name, re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", text) if file.suffix == ".html" else text


def test_words_that_confuse_readers_are_absent() -> None:
    """No hand-written file has one of the phrases that an English term replaces."""
    phrase = re.compile("|".join(rf"(?P<w{n}>\b{words}\b)".replace(" ", r"[\s#*]+") for n, words in enumerate(WORDS)))
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}; write: {list(WORDS.values())[number]}"
        for name, text in texts()
        if name != "tests/test_tidy.py"
        for match in phrase.finditer(text)
        for number in [int((match.lastgroup or "")[1:])]
    ]
    assert not found, "\n".join(found)


def test_texts_name_no_registry_and_no_machine_path() -> None:
    """No file names a host of a package registry, or a folder of the machine on which it was written."""
    hosts = r"pypi\.org|pythonhosted\.|npmjs\.|maven\.org|repo\.maven|sonatype|deb\.debian|proxy\.golang|crates\.io"
    folders = r"(?<![\w.~-])/(?:root|home/\w+|Users/\w+|work)/\w"
    pattern = re.compile(f"{hosts}|{folders}")
    found = [f"{name}: {pattern.search(text)}" for name, text in texts() if pattern.search(text)]
    assert [one for one in found if not one.startswith("tests/test_tidy.py")] == []


def test_every_test_has_a_one_sentence_docstring() -> None:
    """Each test has a docstring of one sentence."""
    for file in (ROOT / "tests").rglob("test_*.py"):
        for function in functions(file):
            if function.name.startswith("test_"):
                docstring = ast.get_docstring(function) or ""
                assert docstring.endswith("."), f"{file.name}: {function.name}"
                assert "\n" not in docstring, f"{file.name}: {function.name}"


def test_every_test_name_has_three_words() -> None:
    """The name of each test has subject, condition and result: at least three words after `test_`."""
    for file in (ROOT / "tests").rglob("test_*.py"):
        for function in functions(file):
            if function.name.startswith("test_"):
                words = function.name.split("_")[1:]
                assert len(words) >= TEST_NAME_WORDS_MIN, f"{file.name}: {function.name}"


def test_readme_stays_short() -> None:
    """README.md has at most 130 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES_MAX


@pytest.mark.parametrize("name", [name for name in TRACKED if name.endswith(".md") and not NOT_OURS.search(name)])
def test_markdown_tables_are_rendered(name: str) -> None:
    """No paragraph of a page begins with a pipe, as a broken table does."""
    tokens = MarkdownIt("commonmark").enable("table").parse((ROOT / name).read_text(encoding="utf-8"))
    paragraphs = [text.content for opening, text in pairwise(tokens) if opening.type == "paragraph_open"]
    assert [text[:80] for text in paragraphs if text.lstrip().startswith("|")] == []


def test_functions_and_files_stay_short() -> None:
    """No function is longer than 70 lines and no file of the project longer than 400."""
    for file in PYTHON:
        if "tests" not in file.parts:
            assert len(file.read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX, file
        for function in functions(file):
            assert (function.end_lineno or 0) - function.lineno < FUNCTION_LINES_MAX, f"{file}: {function.name}"


def test_no_file_has_a_reminder() -> None:
    """No file has a note about unfinished work."""
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    for name in TRACKED:
        file = ROOT / name
        if file.suffix in {".py", ".js", ".css", ".html", ".md", ".toml", ".sql"} and file.exists():
            assert not words.search(file.read_text(encoding="utf-8")), name


def test_locks_have_hashes_and_no_urls() -> None:
    """Every locked package has its hashes, and no lock file has a URL."""
    for name in (
        "requirements.txt",
        "requirements-local.txt",
        "requirements-tracing.txt",
        "requirements-dev.txt",
        "tests/bench/competitors/requirements.txt",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        packages = re.findall(r"^[a-z0-9-]+==.*$", text, re.MULTILINE)
        assert packages
        assert all(line.endswith("\\") for line in packages)
        assert "://" not in text
        assert "index-url" not in text


def test_import_contracts_hold() -> None:
    """Services do not import each other, shared imports no service, pure modules do no input or output."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-local.txt", "requirements-tracing.txt"])
def test_smaller_locks_agree_with_the_larger(name: str) -> None:
    """The versions that run are those that were tested: every lock file has the same."""
    everything = set(re.findall(r"^[a-z0-9-]+==[^ ;]+", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    assert set(re.findall(r"^[a-z0-9-]+==[^ ;]+", (ROOT / name).read_text(), re.MULTILINE)) <= everything


UNTESTED_ALONE = re.compile(
    r"/(__init__|__main__|metrics|settings|queries)\.py$"  # declarations, and the command line's entry
    r"|/roles/"  # wiring of a process: tests/e2e starts each role
    r"|/(page_data|rsgi|actors|translations)\.py$"  # types and texts without behaviour
    r"|/(editing|front_page|structure)_schemas\.py$"
)
"""Modules without logic of their own."""
TESTED_ELSEWHERE = {
    "services/ingest/articles/compared_log.py": "tests/restore/test_articles_after_a_restore.py, with Kafka",
    "services/ingest/articles/relay_comparison.py": "tests/restore/test_articles_after_a_restore.py, with Kafka",
    "services/ingest/articles/republish_command.py": "tests/restore/test_articles_after_a_restore.py, with Kafka",
    "services/ingest/articles/topic_recovery.py": "tests/restore/test_articles_after_a_restore.py, with Kafka",
    "services/ingest/articles/witness.py": "tests/restore/test_articles_after_a_restore.py, with Kafka",
    "services/render/export/redirects.py": "tests/render/export/test_exporter.py, with all of an export",
    "services/render/rebuild/command.py": "tests/e2e/test_portal_rebuild.py, as a process",
    "services/stats/admin/adjust.py": "tests/e2e/test_commands.py, with Kafka",
    "services/stats/admin/lost_adjustments.py": "tests/restore/test_adjustments_after_a_restore.py, with Kafka",
    "services/stats/admin/lost_records.py": "tests/chaos/test_log_changes.py, with Kafka",
    "services/stats/admin/verify/log_recount.py": "tests/chaos/test_verify.py, with Kafka",
    "services/stats/admin/verify/sums.py": "tests/stats/admin/verify/test_comparison.py",
    "services/stats/admin/verify/values.py": "tests/stats/admin/verify/test_comparison.py",
    "services/stats/counter_api/badge.py": "tests/stats/counter_api/test_badge_and_fragment.py",
    "services/stats/counter_api/fragment.py": "tests/stats/counter_api/test_badge_and_fragment.py",
    "services/stats/counter_api/labels.py": "tests/stats/counter_api/test_badge_and_fragment.py",
    "services/stats/counting/dead_letter_depth.py": "tests/chaos/test_offsets_in_kafka.py, with Kafka",
    "services/stats/counting/log_watch.py": "tests/chaos/test_log_changes.py, with Kafka",
    "services/stats/counting/offset_reporter.py": "tests/chaos/test_offsets_in_kafka.py, with Kafka",
    "services/stats/statistics/page.py": "tests/e2e/test_statistics.py, and in browsers",
    "services/stats/statistics/routes.py": "tests/e2e/test_statistics.py",
    "services/stats/statistics/route_params.py": "tests/stats/statistics/test_top_pages.py",
    "services/stats/statistics/assets_route.py": "tests/e2e/test_statistics.py",
    "services/stats/statistics/time_series.py": "tests/stats/statistics/test_queries.py",
    "services/stats/statistics/top_articles.py": "tests/stats/statistics/test_queries.py",
    "shared/consumer_offsets.py": "tests/restore/test_consumers_follow_their_database.py, with Kafka",
    "shared/kafka/database_consumer.py": "tests/shared/kafka/test_consumer.py",
    "shared/kafka/last_record.py": "tests/stats/counting/test_log_check.py",
}
"""{module without a test file beside its name: where it is tested}. It only gets shorter."""


def test_every_module_has_tests_beside_its_name() -> None:
    """Each module of services/ and shared/ has tests/<its path>/test_<its name>, and the exceptions are true."""
    modules = [name for name in TRACKED if name.startswith(("services/", "shared/")) and name.endswith(".py")]
    missing = []
    for name in modules:
        folder, _, file = name.removeprefix("services/").rpartition("/")
        if not UNTESTED_ALONE.search(name) and not (ROOT / "tests" / folder / f"test_{file}").exists():
            missing.append(name)
    assert sorted(missing) == sorted(TESTED_ELSEWHERE)
    for name, places in TESTED_ELSEWHERE.items():
        assert (ROOT / places.partition(",")[0]).exists(), name
