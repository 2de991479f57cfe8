"""The tables of NukeViet's module `news`, as phpMyAdmin exports them in JSON → articles. Pure."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from services.ingest.imports.item import (
    Content,
    FormatError,
    ImportItem,
    ItemOrError,
    ReadContext,
    UnreadableItem,
    date_warnings,
    html_to_blocks,
    html_to_line,
    image_figure,
    leave_out,
    one_line,
    paragraph_text,
    parse_count,
    title_or_first_words,
    unescaped,
)
from services.ingest.imports.markup.addresses import resolve, split_address
from services.ingest.imports.publication import SourceState
from services.ingest.imports.readers.json_items import JsonFile, JsonList, decode, open_json, read_items, repaired
from services.ingest.imports.text_repair import repair_value, value_to_unicode
from services.ingest.imports.times import read_first
from services.ingest.imports.warnings import ItemWarning, make_warning
from shared.articles import Author, Block, Figure, Paragraph, Source


def read_nukeviet(content: Content, name: str, context: ReadContext | None = None) -> Iterator[ItemOrError]:
    """Read the news tables of NukeViet 4 and 5 as phpMyAdmin exports them in JSON: rows, detail, cat, sources, tags_id.

    NukeViet has no export format; these are the columns of its module `news`.
    """
    base_url = (context or ReadContext()).base_url
    is_old = b'"type":"header"' not in content[:2_000].replace(b" ", b"")
    file = open_json(content, frozenset(("",)) if is_old else frozenset(("data",)))
    tables = {_table_name(one): one for one in file.lists}
    prefixes = [name.removesuffix("rows") for name in tables if name.endswith("_rows")]
    if not prefixes:
        raise FormatError("is not a NukeViet table export: it has no table …_news_rows")
    for prefix in prefixes:
        module = _NukeVietModule(prefix, file, tables, base_url)
        unit = "row" if len(prefixes) == 1 else f"{prefix}rows, row"
        yield from read_items(file, file.items(tables[f"{prefix}rows"]), repaired(module.read), unit, context)
        if module.unreadable:
            yield UnreadableItem("file", f"has {module.unreadable:,} rows of tables beside {prefix}rows without an ID")
    if file.is_cut_off:
        yield UnreadableItem("file", "is cut off: rows or tables may be missing; export it again")


def _table_name(one: JsonList) -> str:
    """Return the name of a table, which precedes its rows."""
    try:
        head = decode(one.head.rstrip() + b"[]}")
    except FormatError:
        return one.name
    return str(head.get("name") or one.name) if isinstance(head, dict) else one.name


class _NukeVietModule:
    """The tables of a news module in one language: a portal has several."""

    def __init__(self, prefix: str, file: JsonFile, tables: Mapping[str, JsonList], base_url: str) -> None:
        self._prefix = prefix
        self._base_url = base_url
        self._file = file
        self._tables = tables
        self.unreadable = 0
        """Number of rows without an ID or that cannot be read."""
        self._language, _, self._module = prefix.rstrip("_").partition("_")[2].partition("_")
        self._bodies: dict[str, tuple[int, int]] = {}
        bodies = [name for name in tables if name.startswith((f"{prefix}detail", f"{prefix}bodyhtml_"))]
        for name in bodies:
            self._index_bodies(tables[name])
        self._sections = {str(row["catid"]): row for row in self._rows("cat", "catid")}
        self._sources = {str(row["sourceid"]): row for row in self._rows("sources", "sourceid")}
        self._topics = {str(row["topicid"]): row for row in self._rows("topics", "topicid")}
        self._tags: dict[str, list[str]] = {}
        for row in self._rows("tags_id", "id"):
            if one_line(row.get("keyword")):
                self._tags.setdefault(str(row["id"]), []).append(one_line(row["keyword"]))
        self._writers: dict[str, list[str]] = {}
        for row in self._rows("authorlist", "id"):
            name = one_line(row.get("pseudonym") or row.get("alias"))
            if name:
                self._writers.setdefault(str(row["id"]), []).append(name)

    def _rows(self, name: str, key: str) -> Iterator[dict[str, Any]]:
        table = self._tables.get(f"{self._prefix}{name}")
        for raw in self._file.items(table) if table else ():
            row = self._decoded(raw)
            if row is None or row.get(key) is None:
                self.unreadable += 1
            else:
                yield row

    def _decoded(self, raw: bytes) -> dict[str, Any] | None:
        try:
            row = decode(raw)
        except FormatError:
            return None
        return row if isinstance(row, dict) else None

    def _index_bodies(self, table: JsonList) -> None:
        """Keep the positions of the texts of articles, not the texts: they are most of a file."""
        for start, end in zip(table.starts, table.ends, strict=True):
            row = self._decoded(self._file.content[start:end])
            if row is None or row.get("id") is None:
                self.unreadable += 1
            else:
                self._bodies[str(row["id"])] = (start, end)

    def _detail(self, number: str) -> Any:
        at = self._bodies.get(number)
        if at is None:
            raise FormatError(f"has no text: the table {self._prefix}detail has no row {number}")
        removed: list[str] = []
        return repair_value(value_to_unicode(decode(self._file.content[at[0] : at[1]]))[0], removed)

    def read(self, row: Any, place: str, warnings: list[ItemWarning]) -> ImportItem:
        """Read a row of the table of articles."""
        number = str(row["id"])
        external_id = f"{self._prefix}{number}"
        detail = self._detail(number) if number in self._bodies else {}
        state = leave_out(self._state(row, detail), one_line(row.get("title")), external_id)
        detail = detail or self._detail(number)
        names = [
            *self._writers.get(number, []),
            *([one_line(row.get("author"))] if one_line(row.get("author")) else []),
        ]
        sections = self._section_names(row)
        at = read_first(row.get("publtime"))
        warnings += date_warnings(("publtime", at, row.get("publtime")))
        module = self._module.replace("_", "-")  # as in addresses
        body = html_to_blocks(str(detail.get("bodyhtml") or ""), self._base_url, warnings)
        if one_line(row.get("external_link")) == "1":
            warnings.append(make_warning("field", "is set: the article was a link to another page", "external_link"))
        return ImportItem(
            place=place,
            external_id=external_id,
            title=title_or_first_words(unescaped(html_to_line(row.get("title"))), body, warnings),
            lead=paragraph_text(html_to_blocks(str(row.get("hometext") or ""))),
            body=[*body, *self._files(detail, module, warnings)],
            section=sections[0] if sections else "",
            more_sections=sections[1:],
            categories=self._categories(row),
            source=self._source(row, detail),
            authors=[Author(one) for one in dict.fromkeys(names)],
            tags=self._tags.get(number, []),
            published_at=at.at,
            date_precision=at.precision,
            slug=one_line(row.get("alias")).lower(),
            old_urls=self._addresses(row, module),
            views=parse_count(row.get("hitstotal")),
            state=state,
            lead_image=self._picture(row, module, warnings),
            language=self._language,
            warnings=warnings,
        )

    def _section_names(self, row: Any) -> list[str]:
        """Return the aliases of an article's sections: the deepest first, then those above them."""
        lines = {one: self._above(one) for one in self._listed(row)}
        ordered = sorted(lines, key=lambda one: -len(lines[one]))
        above = sorted(
            {key: len(self._above(key)) for line in lines.values() for key in line}.items(), key=lambda one: -one[1]
        )
        keys = dict.fromkeys([*ordered, *(key for key, _ in above)])
        return [name for key in keys for name in (str(self._sections[key].get("alias", "")),) if name]

    def _listed(self, row: Any) -> list[str]:
        """Return the keys of an article's sections, the main one first."""
        listed = dict.fromkeys([str(row["catid"]), *str(row.get("listcatid") or "").split(",")])
        return [one for one in listed if one in self._sections]

    def _above(self, key: str) -> list[str]:
        found: list[str] = []
        while (key := str(self._sections.get(key, {}).get("parentid", "0"))) in self._sections and key not in found:
            found.append(key)
        return found

    def _addresses(self, row: Any, module: str) -> list[str]:
        """Return the addresses of an article in NukeViet: with and without language and module, and without rewriting.

        NukeViet finds an article by its number and redirects any other alias, so that each address is here twice: with
        its alias, and with none, which stands for any.
        """
        number = str(row["id"])
        sections = [alias for one in self._listed(row) if (alias := one_line(self._sections[one].get("alias")))][:2]
        found = [
            f"{start}/{section}/{alias}-{number}.html"
            for alias in dict.fromkeys((one_line(row.get("alias")), ""))
            for section in sections
            for start in (f"/{self._language}/{module}", f"/{module}", f"/{self._language}", "")
        ]
        query = f"/index.php?language={self._language}&nv={module}&op="
        return [*found, *(f"{query}{section}/{one_line(row.get('alias'))}-{number}.html" for section in sections)]

    def _categories(self, row: Any) -> list[str]:
        """Return the names of an article's sections and of its topic."""
        topic = self._topics.get(one_line(row.get("topicid")), {})
        names = [*(self._sections[one].get("title") for one in self._listed(row)), topic.get("title")]
        return [name for one in names if (name := one_line(one))]

    def _source(self, row: Any, detail: Any) -> Source | None:
        """Return the source of an article: from the table of sources, or its own text, which may be an address."""
        source = self._sources.get(one_line(row.get("sourceid")), {})
        if one_line(source.get("title")):
            return Source(one_line(source["title"]), url=_web(source.get("link")))
        given = one_line(detail.get("sourcetext"))
        if not given or len(given) > SOURCE_CHARACTERS_MAX:
            return None
        return Source(split_address(given).hostname or given, url=given) if _web(given) else Source(given)

    def _files(self, detail: Any, module: str, warnings: list[ItemWarning]) -> list[Block]:
        """Return a link to each file that is attached to an article."""
        found: list[Block] = []
        for one in one_line(detail.get("files")).split(","):
            file = one.strip()
            if not file:
                continue
            path = file if file.startswith(("http://", "https://", "/")) else f"/uploads/{module}/{file}"
            url, name = resolve(self._base_url, path), file.rpartition("/")[2]
            found.append(Paragraph(f'<a href="{escape(url)}">{escape(name, quote=False)}</a>'))
            warnings.append(make_warning("file", f"an attached file was replaced by a link: {url[:200]}"))
        return found

    def _state(self, row: Any, detail: Any) -> SourceState:
        key = one_line(row.get("catid"))
        section = self._sections.get(key, {})
        statuses = [
            one_line(self._sections[one].get("status")) for one in (key, *self._above(key)) if one in self._sections
        ]
        hidden = [one for one in statuses if one not in ("", "1", "2")]
        values = {
            "status": row.get("status"),
            "exptime": row.get("exptime"),
            "catid": "known" if section else f"{key}, which the table {self._prefix}cat does not have",
            "cat.status": (hidden or statuses or [""])[0],
            "cat.groups_view": _nukeviet_groups(section.get("groups_view")),
            "detail.group_view": _nukeviet_groups(detail.get("group_view")),
        }
        return SourceState("nukeviet", values)

    def _picture(self, row: Any, module: str, warnings: list[ItemWarning]) -> Figure | None:
        file = one_line(row.get("homeimgfile"))
        if not file or file.startswith(("http://", "https://", "/")):
            return image_figure(file, row.get("homeimgalt"), base=self._base_url, warnings=warnings)
        return image_figure(f"/uploads/{module}/{file}", row.get("homeimgalt"), base=self._base_url, warnings=warnings)


SOURCE_CHARACTERS_MAX = 150
_NUKEVIET_EVERYONE = "6"
"""The group of all visitors, logged in or not."""


def _nukeviet_groups(groups: object) -> str:
    listed = one_line(groups).replace(" ", "").split(",")
    return _NUKEVIET_EVERYONE if _NUKEVIET_EVERYONE in listed else one_line(groups)


def _web(url: object) -> str | None:
    address = one_line(url)
    return address if address.startswith(("http://", "https://")) else None
