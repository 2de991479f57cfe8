"""Pages that readers expect of a public portal, to be filled in: organisation and contact in two languages. Pure.

Their texts are those of the pages themselves, in the language of each, and not the newsroom's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.sites import Site


@dataclass(frozen=True)
class ReadyPage:
    """The beginning of a static page; `body` is Markdown, as the form has it."""

    kind: str
    language: str
    title: str
    slug: str
    description: str
    body: str

    @property
    def key(self) -> str:
        """Its name in addresses of the newsroom."""
        return f"{self.kind}-{self.language}"

    def form(self, site: Site | None) -> dict[str, str]:
        """Return the fields of the form of a new page; the site's own language need not be named."""
        language = "" if site is not None and site.language == self.language else self.language
        texts = {name: getattr(self, name) for name in ("title", "slug", "description", "body")}
        return {**texts, "kind": self.kind, "language": language}


def _table(*headers: str) -> str:
    head = "".join(f"<th>{header}</th>" for header in headers)
    row = "<td>…</td>" * len(headers)
    return f"<table>\n<tr>{head}</tr>\n<tr>{row}</tr>\n</table>"


READY_PAGES = (
    ReadyPage(
        "organization",
        "vi",
        "Cơ cấu tổ chức",
        "co-cau-to-chuc",
        "Chức năng, nhiệm vụ, lãnh đạo và các đơn vị trực thuộc",
        f"""\
## Chức năng, nhiệm vụ

…

## Lãnh đạo

{_table("Họ và tên", "Chức vụ", "Phụ trách", "Điện thoại", "Thư điện tử")}

## Các đơn vị

{_table("Đơn vị", "Chức năng, nhiệm vụ chính", "Địa chỉ", "Điện thoại", "Thư điện tử")}

## Quá trình hình thành

…""",
    ),
    ReadyPage(
        "organization",
        "en",
        "Organisation",
        "organisation",
        "Functions, leadership and units",
        f"""\
## Functions and duties

…

## Leadership

{_table("Name", "Title", "Responsible for", "Phone", "E-mail")}

## Units

{_table("Unit", "Main functions", "Address", "Phone", "E-mail")}

## History

…""",
    ),
    ReadyPage(
        "contact",
        "vi",
        "Liên hệ",
        "lien-he",
        "Địa chỉ, điện thoại, thư điện tử và cán bộ có thẩm quyền tiếp nhận",
        f"""\
## Cán bộ, công chức có thẩm quyền

{_table("Họ và tên", "Chức vụ", "Đơn vị", "Điện thoại", "Thư điện tử")}

## Giờ làm việc

…

## Tiếp nhận phản ánh, kiến nghị

…""",
    ),
    ReadyPage(
        "contact",
        "en",
        "Contact",
        "contact",
        "Address, phone, e-mail and the officials in charge",
        f"""\
## Officials in charge

{_table("Name", "Title", "Unit", "Phone", "E-mail")}

## Opening hours

…

## Feedback and requests

…""",
    ),
)
"""In the order of the newsroom's list."""
BY_KEY = {one.key: one for one in READY_PAGES}


def existing(ready: ReadyPage, rows: Iterable[Mapping[str, Any]], site: Site | None) -> Mapping[str, Any] | None:
    """Return the static page of a site that is of the kind and the language, a public one first; None if none is."""
    own = "" if site is None else site.language
    same = [one for one in rows if (one["kind"], one["language"] or own) == (ready.kind, ready.language)]
    return min(same, key=lambda one: one["state"] != "published", default=None)
