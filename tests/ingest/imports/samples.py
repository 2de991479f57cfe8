"""Sample files of each import format."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.ingest.auth.actors import Actor
from services.ingest.imports.detection import READERS, detect_format
from services.ingest.imports.drafts import ImportOptions
from services.ingest.imports.item import LeftOutItem
from services.ingest.imports.publication import decide
from shared.sites import Section, Site

DATA = Path(__file__).parent.parent.parent / "data/imports"
SITE = Site(
    slug="mau",
    name="Mẫu",
    origins=["https://mau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức"), Section("thong-bao", "Thông báo")],
)


def read(name: str) -> list[Any]:
    """Read a sample file, with the reader of its format."""
    return read_content(name, (DATA / name).read_bytes())


def read_content(name: str, content: bytes) -> list[Any]:
    """Read the content of a file, with the reader of its format."""
    return list(READERS[detect_format(name, content)](content, name))


def outcome(item: Any) -> str:
    """Return how an item of a reader is imported: public, scheduled, draft or left_out."""
    if isinstance(item, LeftOutItem):
        return "left_out"
    return decide(item.state, item.published_at, datetime.now(UTC), SITE.zone).outcome


def options(kind: str, **more: Any) -> ImportOptions:
    """Return the options of an import into the sample site."""
    return ImportOptions(site=SITE, format=kind, file_name="x", actor=Actor("T"), **more)
