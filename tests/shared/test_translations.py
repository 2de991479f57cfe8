"""The catalogues of the pages' texts: complete, current, and all that another language needs."""

import io
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from services.ingest.collector import translations as own_traffic
from services.render.pages import translations as portal
from services.stats.counter_api import labels
from services.stats.statistics import translations as statistics
from shared.sites import Site
from shared.translations import COUNTER_WORDS, DOMAIN, LANGUAGES, SOURCE_LANGUAGE, nearest_language, ui_language
from tools import words

TEMPLATE = words.extract()
OTHERS = [language for language in LANGUAGES if language != SOURCE_LANGUAGE]
READ_ALOUD = ("alt", "title", "aria-label", "placeholder", "data-done")


def catalogue_of(file: Path) -> Catalog:
    with file.open("rb") as text:
        return read_po(text, domain=DOMAIN, abort_invalid=True)


def keys_of(catalogue: Catalog) -> set[tuple[str | None, object]]:
    return {(message.context, message.id) for message in catalogue if message.id}


def of_newsroom(file: str) -> bool:
    return "/newsroom/" in file or file.endswith("/content/state_names.py")


def fields_of(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_messages_are_found_in_the_code() -> None:
    """Extraction finds plain texts, texts with a context, plurals, and the notes for translators."""
    found = {(message.context, message.id): message for message in TEMPLATE if message.id}
    assert len(found) > 150
    assert {(None, "Visitors"), ("percentage", "Share"), (None, ("view", "views"))} <= found.keys()
    assert "for screen readers" in " ".join(found[None, ("view", "views")].auto_comments)


@pytest.mark.parametrize("language", OTHERS)
def test_catalogue_has_exactly_the_messages_of_the_code(language: str) -> None:
    """No word is missing in a language, and none is left that the code no longer has; `make words` changes nothing."""
    file = words.catalogue_file(language)
    catalogue = catalogue_of(file)
    assert keys_of(TEMPLATE) - keys_of(catalogue) == set(), "missing: run make words, and translate"
    assert keys_of(catalogue) - keys_of(TEMPLATE) == set(), "obsolete: run make words"
    assert not catalogue.obsolete
    assert file.read_bytes() == words.updated(file, TEMPLATE)


@pytest.mark.parametrize("language", OTHERS)
def test_catalogue_has_every_text(language: str) -> None:
    """Every message is translated, in each plural form, with fields of the message, and none is a guess."""
    catalogue = catalogue_of(words.catalogue_file(language))
    for message in catalogue:
        if not message.id:
            continue
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        assert len(texts) == (catalogue.num_plurals if message.pluralizable else 1), message.id
        assert all(texts), message.id
        assert not message.fuzzy, message.id
        source = message.id[-1] if isinstance(message.id, tuple) else message.id
        if message.context not in {"date", "short date"}:
            assert all(fields_of(text) == fields_of(source) for text in texts), message.id


def test_every_word_is_used() -> None:
    """Each text of a page is named by a template or by code that renders; labels are all drawn by the last test."""
    for name, page_words, folders in (
        ("portal", portal.WORDS, ("services/render/theme", "services/render/pages")),
        ("statistics", statistics.WORDS, ("services/stats/statistics",)),
        ("own traffic", own_traffic.WORDS, ("services/ingest/collector",)),
    ):
        files = [
            file for folder in folders for end in ("html", "py") for file in sorted(Path(folder).rglob(f"*.{end}"))
        ]
        text = "".join(file.read_text(encoding="utf-8") for file in files if file.name != "translations.py")
        own = page_words[SOURCE_LANGUAGE].keys() - (COUNTER_WORDS.keys() if name == "portal" else set())
        assert {word for word in own if not re.search(rf'words\.{word}\b|"{word}"', text)} == set(), name


def test_the_widget_has_the_words_of_the_catalogues() -> None:
    """The words in the widget's script are those that `make words` writes there."""
    script = words.WIDGET.read_text(encoding="utf-8")
    assert words.widget_script(script) == script
    assert all(f"{language}: {{ title:" in script for language in LANGUAGES)


def test_one_word_for_each_term() -> None:
    """What is counted has one name in each language, wherever it is shown."""
    for language, names in {
        "en": ("Views", "Visits", "Visitors", "Visitor statistics"),
        "vi": ("Lượt xem", "Lượt truy cập", "Khách truy cập", "Thống kê truy cập"),
    }.items():
        for surface in (portal.WORDS, labels.LABELS, statistics.WORDS):
            assert tuple(surface[language][name] for name in ("views", "visits", "visitors", "counter")) == names
    english = " ".join(str(message.id) for message in TEMPLATE)
    assert not re.search(r"\b(readers?|signs?|signals?)\b", english, re.IGNORECASE)
    vietnamese = " ".join(str(message.string) for message in catalogue_of(words.catalogue_file("vi")))
    assert not re.search(
        r"người đọc|tín hiệu|người và máy|của máy|(?<!mã )khách\b(?! truy cập)", vietnamese, re.IGNORECASE
    )


def test_the_language_of_a_site_is_the_nearest_one() -> None:
    """A request wins over the site, a region falls back to its language, and an unknown language reads English."""
    site = Site(slug="a", name="A", origins=["https://a.example"], timezone="UTC", language="vi-VN")
    assert ui_language(site) == "vi"
    assert [ui_language(site, asked) for asked in ("en", "en-GB", "VI", "vi_VN", "tlh", "")] == [
        "en",
        "en",
        "vi",
        "vi",
        "en",
        "vi",
    ]
    assert nearest_language("fr") == "en"


class Texts(HTMLParser):
    """What is seen or heard of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def translated(template: Catalog) -> bytes:
    """Return a Polish catalogue: each text is the English one in brackets, numbers and dates are Polish."""
    catalogue = read_po(io.BytesIO(words.begun("pl", template)), locale="pl", domain=DOMAIN)
    for message in catalogue:
        if not message.id:
            continue
        if message.pluralizable:
            singular = message.id[0]
            message.string = tuple(f"{singular} [{form}]" for form in ("one", "few", "many"))
        elif message.context in {"date", "short date", "og:locale"}:
            message.string = message.id
        else:
            message.string = f"[{message.id}]"
    text = io.BytesIO()
    write_po(text, catalogue)
    return text.getvalue()


def test_a_third_language_is_one_more_file(tmp_path: Path) -> None:
    """A catalogue in `shared/locale` is all that portal, counter, badge, widget, statistics and exports need."""
    for folder in ("shared", "services", "tools", "tests/shared"):
        ignored = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(folder, tmp_path / folder, ignore=ignored)
    file = words.catalogue_file("pl", tmp_path / "shared/locale")
    file.parent.mkdir(parents=True)
    file.write_bytes(translated(TEMPLATE))
    for program in (["tools.words"], ["tests.shared.every_page", "pl-PL"]):
        done = subprocess.run(
            [sys.executable, "-m", *program], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
        )
    printed = json.loads(done.stdout)
    # The newsroom's pages are of their own tests.
    shown = [one for one in TEMPLATE if any(not of_newsroom(file) for file, _ in one.locations)]
    english = {message.id for message in shown if isinstance(message.id, str) and message.id} - {"en_GB"}
    for name, page in printed["pages"].items():
        texts = [text.strip() for text in Texts(page).texts]
        own = {"Source:", "Tag"} if name.startswith("portal") else set()  # the sample article's, which is in English
        assert [text for text in texts if text in english - own] == [], name
        assert any("[" in text for text in texts), name
    everything = "".join(printed["pages"].values())
    assert {text for text in english if f"[{text}]" not in everything and "{" not in text} == set(), "never shown"
    assert '<html lang="pl-PL">' in printed["pages"]["portal: home"]
    assert 'hreflang="vi">Tiếng Việt<' in printed["pages"]["statistics: full"]
    assert 'hreflang="en">English<' in printed["pages"]["statistics: full"]
    assert '1<span class="unseen"> visitor [one]</span>' in printed["pages"]["statistics: full"]
    assert '5<span class="unseen"> view [many]</span>' in printed["pages"]["statistics: full"]
    assert printed["small"] == {
        "results": ["1 result [one]", "3 result [few]", "5 result [many]"],
        "date": "wtorek, 24 listopada 2026 09:05",
        "day": "24 listopada 2026",
        "month": "listopad 2026",
        "short day": "24 lis",
        "percent": "[12,5%]",
        "language": "wietnamski",
        "og:locale": "pl_PL",
        "source": "[Source:]",
    }
    assert 'pl: { title: "[Visitor statistics]", online: "[Online]"' in printed["widget"]
