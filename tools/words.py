"""Bring the catalogues of the pages' texts, and the texts of the widget's script, up to date with the code.

    python -m tools.words             # what `make words` runs
    python -m tools.words --add pl    # begin a catalogue in another language

Translate in `shared/locale/<language>/LC_MESSAGES/presstally.po`, with any gettext editor, then run it again.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "shared" / "locale"
WIDGET = ROOT / "services" / "stats" / "counter_api" / "widget.js"
WIDGET_WORDS = ("online", "today", "week", "total", "views", "visits", "visitors")
EXTRACTORS = [("**.py", "python"), ("**/newsroom/templates/*.html", "jinja2")]
OPTIONS = {"**/newsroom/templates/*.html": {"newstyle_gettext": "true", "trimmed": "true"}}
"""The templates of the newsroom mark their texts; those of other pages get them from code."""
_MARKED = re.compile(r"(// words: made by `make words`\n).*?(// end of words\n)", re.DOTALL)


def extract(root: Path = ROOT) -> Catalog:
    """Return a catalogue of all messages that the code marks, without translations."""
    catalogue = Catalog(project="presstally", charset="utf-8", fuzzy=False)
    for folder in ("shared", "services"):
        found = extract_from_dir(root / folder, EXTRACTORS, OPTIONS, comment_tags=["Translators:"])
        for file, line, message, comments, context in found:
            catalogue.add(message, locations=[(f"{folder}/{file}", line)], auto_comments=comments, context=context)
    return catalogue


def catalogue_file(language: str, locale: Path = LOCALE) -> Path:
    """Return where a language's catalogue is."""
    return locale / language.replace("-", "_") / "LC_MESSAGES" / "presstally.po"


def updated(file: Path, template: Catalog) -> bytes:
    """Return a catalogue with the messages of `template`; new ones are empty, those no longer used are gone."""
    language = file.parent.parent.name
    with file.open("rb") as text:
        catalogue = read_po(text, locale=language, domain="presstally")
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    return _written(catalogue)


def begun(language: str, template: Catalog) -> bytes:
    """Return the catalogue of a new language, without translations."""
    catalogue = Catalog(locale=language.replace("-", "_"), domain="presstally", fuzzy=False)
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    return _written(catalogue)


def _written(catalogue: Catalog) -> bytes:
    catalogue.header_comment = "# The texts of Presstally's pages. Kept up to date by `make words`."
    text = io.BytesIO()
    write_po(text, catalogue, width=120, no_location=True, sort_output=True, ignore_obsolete=True, omit_header=False)
    # Dates and names of who wrote it last are what git knows.
    return b"".join(line for line in text.getvalue().splitlines(True) if not line.startswith(_UNKEPT))


_UNKEPT = (
    b'"Project-Id-Version',
    b'"POT-Creation-Date',
    b'"PO-Revision-Date',
    b'"Last-Translator',
    b'"Language-Team',
    b'"Report-Msgid-Bugs-To',
    b'"Generated-By',
)


def widget_script(script: str) -> str:
    """Return the widget's script with the counter's words in every language."""
    from services.stats.counter_api.labels import LABELS

    lines = []
    for language, labels in sorted(LABELS.items()):
        words = {"title": labels["counter"], **{name: labels[name] for name in WIDGET_WORDS}}
        first, second = list(words.items())[:5], list(words.items())[5:]
        pairs = [
            ", ".join(f"{name}: {json.dumps(text, ensure_ascii=False)}" for name, text in part)
            for part in (first, second)
        ]
        lines.append(f"  {_key(language)}: {{ {pairs[0]},\n    {pairs[1]} }},\n")
    made = "".join(["const words = {\n", *lines, "};\n"])
    return _MARKED.sub(lambda marked: f"{marked[1]}{made}{marked[2]}", script)


def _key(language: str) -> str:
    return language if language.isidentifier() else json.dumps(language)


def main(arguments: Sequence[str]) -> int:
    """Write the catalogues, then the widget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--add", metavar="LANGUAGE", help="begin the catalogue of another language, such as pl or pt-BR"
    )
    wanted = parser.parse_args(arguments)
    template = extract()
    if wanted.add and not catalogue_file(wanted.add).exists():
        catalogue_file(wanted.add).parent.mkdir(parents=True)
        catalogue_file(wanted.add).write_bytes(begun(wanted.add, template))
    for file in sorted(LOCALE.glob("*/LC_MESSAGES/presstally.po")):
        file.write_bytes(updated(file, template))
        with file.open("rb") as text:
            missing = sum(1 for message in read_po(text) if message.id and not message.string)
        print(f"{file.relative_to(ROOT)}: {len(template)} texts, {missing} not translated")
    WIDGET.write_text(widget_script(WIDGET.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
