"""The files of the search of a static export, and the script that searches them."""

import json
import subprocess
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.render.builder.search_index import search_terms
from services.render.export.search_files import MANIFEST, IndexedWords, SearchFiles, fnv1a
from services.render.pages.search_query import parse
from services.render.pages.search_words import words
from services.render.pages.themes import DEFAULT_THEME
from tests.bench.search_articles import SEARCH_SITE, search_articles

CASES = json.loads((Path(__file__).parents[2] / "data/search_words.json").read_text(encoding="utf-8"))
SCRIPT = """
import fs from "node:fs";
const given = JSON.parse(fs.readFileSync(0, "utf8"));
const script = await import(given.script);
const load = async (name) => JSON.parse(fs.readFileSync(`${given.folder}/${name}.json`, "utf8"));
const index = new script.SearchIndex(await load("index"), load);
const results = [];
for (const query of given.queries) {
  const found = await index.search({ page: 1, section: "", since: "", until: "", byDate: false, ...query });
  results.push(found && {
    titles: found.articles.map((one) => one.title), nearest: found.isNearest, count: found.count,
    marked: found.articles.map((one) => script.hits(one.title, found.terms).map(([a, b]) => one.title.slice(a, b))),
  });
}
const parsed = given.texts.map((text) => script.parse(text)?.required);
console.log(JSON.stringify({ parsed, words: given.texts.map((text) => script.words(text)), results }));
"""


def indexed(article: Any) -> IndexedWords:
    """Return the words as the database has them."""
    terms = search_terms(article)
    places: dict[str, list[str]] = {"A": [], "B": [], "C": []}
    marked = []
    for one in terms.marked_words.split():
        word, _, found = one.rpartition(":")
        marked.append(word.strip("'"))
        for weight, there in places.items():
            if weight in found:
                there.append(marked[-1])
    return IndexedWords(
        terms.title, [(3, places["A"]), (2, places["B"]), (1, places["C"])], sorted(marked), sorted(terms.terms)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the sample portal, and a copy of the script that node takes for a module."""
    made = tmp_path_factory.mktemp("search")
    files = SearchFiles([section.slug for section in SEARCH_SITE.sections], SEARCH_SITE.language)
    for sample in search_articles(20_261_125):
        assert sample.article.published_at
        day = sample.article.published_at.toordinal() - 719_163
        files.add(sample.article, indexed(sample.article), day, ("ngày", "2026"))
    for url, document in files.documents():
        (made / url.rpartition("/")[2]).write_bytes(document.body)
    (made / "search.mjs").write_bytes((DEFAULT_THEME / "search.js").read_bytes())
    return made


def run(folder: Path, queries: Sequence[dict[str, Any]] = (), texts: Sequence[str] = ()) -> Any:
    """Search in node."""
    given = {"script": str(folder / "search.mjs"), "folder": str(folder), "queries": queries, "texts": texts}
    command = ["node", "--input-type=module", "--eval", SCRIPT]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_script_folds_words_as_the_server_does(folder: Path) -> None:
    """The table of cases, and all titles of the sample portal, have the same words in the browser."""
    texts = [text for text, _ in CASES] + [sample.article.title for sample in search_articles(1)]
    found = run(folder, texts=texts)["words"]
    for text, there in zip(texts, found, strict=True):
        expected = [(one.folded, one.marked, one.begin, one.end) for one in words(text)]
        assert [(one["folded"], one["marked"], one["begin"], one["end"]) for one in there] == expected, text


def test_script_cuts_long_queries_as_the_server_does(folder: Path) -> None:
    """What is beyond 200 characters is not searched for, and no character is cut in half."""
    texts = ["𝐀" * 150 + " chợ Cồn", "😀" * 150 + " chợ " + "cồn" * 20, "x " * 99 + "𝐀𝐁𝐂", "\U00020bb7" * 199 + " a"]
    found = run(folder, texts=texts)["parsed"]
    assert found == [list(query.required) if (query := parse(text)) else None for text in texts]


def test_script_finds_each_article_first_for_its_title(folder: Path) -> None:
    """An article whose title is typed comes first, in 99 of 100 at least."""
    titles = [sample.article.title for sample in search_articles(20_261_125)]
    results = run(folder, [{"query": title} for title in titles])["results"]
    first = sum(result["titles"][:1] == [title] for title, result in zip(titles, results, strict=True))
    assert first >= 0.99 * len(titles)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("cho phien con", "Chợ phiên Cồn đông vui ngày cuối năm"),
        ("1234567", "Huyện thu ngân sách vượt dự toán"),
        ("1 234 567", "Huyện thu ngân sách vượt dự toán"),
        ("giải chạy hòa bình", "Giải chạy vì hoà bình thu hút nghìn người khoẻ mạnh"),
        ("15/2024/QĐ-UBND", "Quyết định số 15/2024/QĐ-UBND về giá đất ở"),
        ('"nhà thờ Trái Tim"', "Nhà thờ đổ giữa biển: chứng tích xói lở"),
        ("ai là thủ khoa đại học?", "Trần Nam, cậu học trò nghèo đỗ thủ khoa đại học"),
        ("thu vein luu dong", "Thư viện lưu động đến với học sinh vùng biển"),
        ("HTX Hải Triều", "Hợp tác xã nông nghiệp Hải Triều đổi mới cách làm"),
    ],
)
def test_script_finds_what_the_server_finds(folder: Path, query: str, title: str) -> None:
    """Words, numbers, phrases, questions, typing errors and abbreviations find the same article first."""
    (result,) = run(folder, [{"query": query}])["results"]
    assert unicodedata.normalize("NFC", result["titles"][0]) == title


def test_script_excludes_filters_and_marks_as_typed(folder: Path) -> None:
    """An excluded word is in no result, a section and days narrow, and only what is written so is marked."""
    queries = [
        {"query": "chợ phiên -Cồn"},
        {"query": "chợ phiên", "section": "giao-duc"},
        {"query": "chợ phiên", "since": "2100-01-01"},
        {"query": "thủ khoa Trần Nam"},
        {"query": "-chợ"},
        {"query": "a"},
    ]
    without, section, later, marked, nothing, letter = run(folder, queries)["results"]
    assert without["titles"]
    assert not [title for title in without["titles"] if "Cồn" in title]
    assert (section["titles"], later["titles"], letter["titles"], nothing) == ([], [], [], None)
    assert {unicodedata.normalize("NFC", word) for word in marked["marked"][0]} == {"Trần", "Nam", "thủ", "khoa"}


def test_script_ignores_invalid_filters_as_the_server_does(folder: Path) -> None:
    """An unknown section and an invalid day narrow nothing, and a typing error is still forgiven."""
    none = {"section": "muc-cu", "since": "hôm qua", "until": "2026-13-45"}
    for query in ("chợ phiên", "chợ phiênx"):
        all_found, found = run(folder, [{"query": query}, {"query": query, **none}])["results"]
        assert found == all_found
        assert found["titles"]


def test_script_has_the_language_of_each_article_in_another_one(folder: Path) -> None:
    """The texts of an English article say so, those in the site's language do not."""
    manifest = json.loads((folder / MANIFEST.rpartition("/")[2]).read_text(encoding="utf-8"))
    files = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in manifest["texts"]]
    languages = {text[1]: text[-1] for file in files for text in file}
    assert languages["Fragrant rice of Hai Hau earns protected status"] == "en"
    assert languages["Làng hoa vào xuân"] == ""


def test_files_of_search_stay_small_for_phones(folder: Path) -> None:
    """The manifest names every file, and no file has more than 64 KB."""
    manifest = json.loads((folder / MANIFEST.rpartition("/")[2]).read_text(encoding="utf-8"))
    named = {manifest["table"], manifest["vocabulary"], *manifest["words"], *manifest["texts"]}
    assert {file.stem for file in folder.glob("*.json")} == named | {"index"}
    assert max(file.stat().st_size for file in folder.glob("*.json")) < 65_536


def test_checksum_of_words_is_fnv1a() -> None:
    """The checksum is the published one, so that browsers compute the same."""
    assert (fnv1a(""), fnv1a("a"), fnv1a("foobar")) == (0x811C9DC5, 0xE40C292C, 0xBF9CF968)
