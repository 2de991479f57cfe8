"""The texts that visitors see, in every language that has a catalogue. Pure once it is imported.

Texts are written in English where they are used, marked with `_`, `pgettext` or `ngettext`. Each other language has a
gettext catalogue, `shared/locale/<language>/LC_MESSAGES/presstally.po`; a text without a translation stays English.
`make words` brings the catalogues up to date. They are read once, at import; after that a text is a dictionary access.
Names of months, weekdays and languages are CLDR's, through Babel.
"""

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from shared.sites import Site

DOMAIN = "presstally"
SOURCE_LANGUAGE = "en"
TAG_CHARACTERS_MAX = 35
"""What RFC 5646, section 4.4.1, asks programs to accept; a request's tag is cut there."""
CATALOGUES = files(__package__).joinpath("locale")


class Message(NamedTuple):
    """A text in English, to be looked up in the catalogues."""

    text: str
    context: str | None = None
    """Distinguishes texts that are the same in English and differ in other languages."""
    plural: str | None = None


def _(text: str) -> Message:
    """Mark a text for translation."""
    return Message(text)


def pgettext(context: str, text: str) -> Message:
    """Mark a text that means different things in different contexts."""
    return Message(text, context)


def ngettext(singular: str, plural: str) -> Message:
    """Mark a text that depends on a number; `Language.plural` picks the form."""
    return Message(singular, plural=plural)


class Words(dict[str, Any]):
    """Texts by name. They are attributes too, which is where a template looks first."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        super().__init__(words)
        self.__dict__ = self


@dataclass(frozen=True)
class Language:
    """A language of the pages: its catalogue, and how it names months and weekdays."""

    code: str
    """As in HTML's `lang`: "vi", "pt-BR"."""
    catalogue: gettext.NullTranslations
    locale: Locale

    @property
    def name(self) -> str:
        """The language's name in the language itself."""
        return str(self.locale.get_display_name() or self.code)

    @property
    def decimal_separator(self) -> str:
        """The character before decimals."""
        return str(self.locale.number_symbols["latn"]["decimal"])

    def text(self, message: Message) -> str:
        """Return a message in this language."""
        if message.context is None:
            return self.catalogue.gettext(message.text)
        return self.catalogue.pgettext(message.context, message.text)

    def plural(self, message: Message, count: int) -> str:
        """Return the form of a message that goes with a number."""
        return self.catalogue.ngettext(message.text, message.plural or message.text, count)

    def name_of(self, language: str) -> str:
        """Return the name of another language, or its code if CLDR has no name for it."""
        return str(self.locale.languages.get(language.split("-", 1)[0].lower(), language))

    def date(self, pattern: str, day: date) -> str:
        """Write a date.

        Args:
            pattern: A format string with any of `weekday`, `day`, `month` (a number), `month_name` (beside a day),
                `month_title` (alone), `month_short` and `year`.
            day: The date, in the site's time zone.
        """
        names, month = self._names, day.month
        return pattern.format(
            weekday=names.weekdays[day.weekday()],
            day=day.day,
            month=month,
            month_name=names.months[month],
            month_title=names.month_titles[month],
            month_short=names.short_months[month],
            year=day.year,
        )

    @cached_property
    def _names(self) -> "_DateNames":
        months = self.locale.months
        return _DateNames(
            weekdays=dict(self.locale.days["format"]["wide"]),
            months=dict(months["format"]["wide"]),
            month_titles=dict(months["stand-alone"]["wide"]),
            short_months=dict(months["format"]["abbreviated"]),
        )


class _DateNames(NamedTuple):
    """CLDR's names as plain dictionaries: Babel's own take ten times as long."""

    weekdays: dict[int, str]
    months: dict[int, str]
    month_titles: dict[int, str]
    short_months: dict[int, str]


def _read_catalogues() -> dict[str, Language]:
    languages = {SOURCE_LANGUAGE: Language(SOURCE_LANGUAGE, gettext.NullTranslations(), Locale(SOURCE_LANGUAGE))}
    for folder in sorted(CATALOGUES.iterdir(), key=lambda folder: folder.name):
        file = folder.joinpath("LC_MESSAGES", f"{DOMAIN}.po")
        if not file.is_file():
            continue
        with file.open("rb") as text:
            catalogue = read_po(text, locale=folder.name, domain=DOMAIN, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        code = folder.name.replace("_", "-")
        languages[code] = Language(code, gettext.GNUTranslations(compiled), Locale.parse(folder.name))
    return languages


LANGUAGES = _read_catalogues()
"""By code; English first."""
_CODES = {code.lower(): code for code in LANGUAGES}


@lru_cache(256)
def nearest_language(tag: str) -> str:
    """Return the code of the language closest to a BCP 47 tag: with its region, without it, or English."""
    known = tag.replace("_", "-").lower()
    return _CODES.get(known) or _CODES.get(known.split("-", 1)[0], SOURCE_LANGUAGE)


def ui_language(site: Site, requested: str | None = None) -> str:
    """Return the code of the language of a site's own texts: the requested one, or the site's."""
    return nearest_language(requested[:TAG_CHARACTERS_MAX] if requested else site.language)


def translate(messages: Mapping[str, Any]) -> dict[str, Words]:
    """Return texts in every language.

    Args:
        messages: Messages by name. Their values may also be lists and mappings of messages.

    Returns:
        The same names with texts in place of messages, by language.
    """
    return {
        code: Words({name: _translated(language, value) for name, value in messages.items()})
        for code, language in LANGUAGES.items()
    }


def _translated(language: Language, value: Any) -> Any:
    if isinstance(value, Message):
        return language.text(value)
    if isinstance(value, Mapping):
        return {name: _translated(language, one) for name, one in value.items()}
    return [_translated(language, one) for one in value]


def group_thousands(number: int, separator: str) -> str:
    """Write an integer with a separator between its thousands: 1490782 → "1,490,782"."""
    return f"{number:,}".replace(",", separator)


COUNTER_WORDS = {
    "counter": _("Visitor statistics"),
    "online": _("Online"),
    "today": _("Today"),
    "week": _("This week"),
    "total": _("All time"),
    "views": _("Views"),
    "visits": _("Visits"),
    "visitors": _("Visitors"),
}
"""What the counter, the badge, the widget, the statistics page and the portal all name alike."""
