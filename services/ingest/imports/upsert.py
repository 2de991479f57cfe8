"""Saves imported drafts: as new articles, or as the next versions of the articles with their external IDs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import msgspec

from services.ingest.articles import workflow
from services.ingest.articles.copies import ArticleChange, StoredArticle, keep_schedule
from services.ingest.articles.store import (
    insert_article,
    insert_articles,
    read_article,
    save_change,
    taken_old_addresses,
)
from services.ingest.auth.actors import Actor
from services.ingest.files.references import resolve_media
from services.ingest.imports.warnings import ItemWarning, make_warning
from services.ingest.queries import SQL
from shared.articles import Article, Figure, File, Related
from shared.old_urls import old_addresses
from shared.postgres import Connection


@dataclass(frozen=True)
class ImportedDraft:
    """An article to import, before it has an ID, a number and a version."""

    site: str
    source_system: str
    external_id: str
    fields: dict[str, Any]
    """Content fields, as the article has them. `slug` applies to the first version only."""
    is_public: bool = True
    """It is public at its source, or will be at `publish_at` and `embargo_until`."""
    warnings: list[ItemWarning] = field(default_factory=list)
    withdrawal: str = ""
    """Why an article of it must not stay public: its source says so. "" if it does not."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Media IDs of its images that were fetched, by their URLs in `fields`; no part of the checksum."""
    images_changed_at: datetime | None = None
    """When the last of them was fetched."""

    @property
    def content(self) -> dict[str, Any]:
        """The fields, with the images of the media store instead of those that it links to."""
        fetched = {name: self.with_images(self.fields[name]) for name in ("body", "lead_image")}
        return {**self.fields, **fetched}

    def with_images(self, block: Any) -> Any:
        """Return a block, or a list of blocks, with the images of the media store instead of those that it links to."""
        if isinstance(block, list):
            return [self.with_images(one) for one in block]
        if not isinstance(block, Figure) or block.image is None or block.image.url not in self.images:
            return block
        image = msgspec.structs.replace(block.image, media=self.images[block.image.url])
        return msgspec.structs.replace(block, image=image)

    def checksum(self) -> bytes:
        """Return a checksum that changes when the content of the import does, not when a scheduled time has come."""
        begin = self.fields.get("published_at") or self.fields.get("publish_at")
        times = {"published_at": begin, "publish_at": None}
        return hashlib.sha256(msgspec.json.encode({**self.fields, **times}, order="sorted")).digest()

    def has_images_since(self, last_import: datetime) -> bool:
        """Return whether images of it were fetched since its last import."""
        return self.images_changed_at is not None and self.images_changed_at >= last_import

    def withdrawn_checksum(self) -> bytes:
        """Return the checksum that is stored when its article was withdrawn: a public item is then another one."""
        return hashlib.sha256(self.checksum() + b"withdrawn").digest()

    def is_repetition(self, stored: bytes | None) -> bool:
        """Return whether the last import of the article was the same one."""
        return stored == self.checksum() or (bool(self.withdrawal) and stored == self.withdrawn_checksum())

    def has_images(self) -> bool:
        """Return whether it has images, files or related articles, which the site may have."""
        return self.fields["lead_image"] is not None or any(
            isinstance(one, Figure | File | Related) for one in self.fields["body"]
        )

    def article(self, number: int, version: int, now: datetime) -> Article:
        """Return the draft as an article."""
        return Article(
            id=str(uuid4()),
            number=number,
            site=self.site,
            version=version,
            state="draft",
            modified_at=now,
            first_published_at=None,
            created_at=now,
            source_system=self.source_system,
            external_id=self.external_id,
            **self.content,
        )


@dataclass(frozen=True)
class UpsertResult:
    """The result of saving a draft."""

    article: Article
    change: Literal["created", "changed", "unchanged", "withdrawn"]
    warnings: tuple[ItemWarning, ...] = ()


async def upsert_draft(
    connection: Connection, draft: ImportedDraft, *, publish: bool, now: datetime, actor: Actor, dry_run: bool = False
) -> UpsertResult:
    """Save a draft in the transaction of the caller. A draft equal to the last import changes nothing.

    Args:
        connection: In a transaction.
        draft: The imported article.
        publish: Whether to publish it; the import is the approval of what it has, and of nothing else.
        now: The time of the import.
        actor: Who imports.
        dry_run: Whether to return the expected result without writing anything.

    Raises:
        InvalidContentError: it is to be published with an image that is not in the media store.
        ArticleTooLargeError: it is too large for a Kafka message.
        Problem: 409 if the article was killed.
    """
    source = (draft.site, draft.source_system)
    await connection.execute(SQL["lock_external_ids"], *source, [draft.external_id])
    known = await connection.fetchrow(SQL["imported_article"], *source, draft.external_id)
    checksum, is_repetition = draft.checksum(), known is not None and draft.is_repetition(known["checksum"])
    draft = await _without_taken_urls(connection, draft, None if known is None else known["id"])
    before: StoredArticle | None = None
    changes: list[ArticleChange]
    if known is None:
        number = 1 if dry_run else await connection.fetchval(SQL["next_number"])
        article = draft.article(number, 0 if publish else 1, now)  # publishing makes it version 1
        article = await resolve_media(connection, article, strict=publish)
        changes = [_first_version(article, publish, now)]
    else:
        before = await read_article(connection, known["id"], for_update=True, also_discarded=True)
        assert before is not None, "articles are never deleted"
        if known["is_discarded"]:
            discarded = make_warning("state", "its article was discarded here, and stays so until it is restored")
            return UpsertResult(before.head, "unchanged", (*draft.warnings, discarded))
        changes = await _next_versions(connection, before, draft, is_repetition, publish, now)
        if not changes:
            return UpsertResult(before.head, "unchanged", tuple(draft.warnings))
    saved = []
    if not dry_run:
        for change in changes:
            if before is None:
                await insert_article(connection, change, actor)
            else:
                saved.append(await save_change(connection, before, change, actor))
        await connection.execute(SQL["save_import"], changes[0].head.id, checksum, now)
    first = (saved or changes)[0]
    return UpsertResult(first.head, "created" if before is None else "changed", tuple(draft.warnings))


async def _without_taken_urls(connection: Connection, draft: ImportedDraft, article: str | None) -> ImportedDraft:
    """Return the draft without old URLs that other articles have: the first article keeps them, and it is reported."""
    urls = draft.fields.get("old_urls", [])
    if not urls:
        return draft
    taken = await taken_old_addresses(connection, draft.site, old_addresses(urls), article)
    if not taken:
        return draft
    kept = [url for url in urls if not set(old_addresses([url])) & set(taken)]
    reasons = [
        make_warning("link", f"old URL {url} is the former URL of article {owner} already")
        for url, owner in taken.items()
    ]
    return replace(draft, fields={**draft.fields, "old_urls": kept}, warnings=[*draft.warnings, *reasons])


async def create_drafts(
    connection: Connection, drafts: Sequence[ImportedDraft], publish: Sequence[bool], now: datetime, actor: Actor
) -> list[UpsertResult]:
    """Save new drafts without images with a few statements. Raises the errors of `insert_articles`."""
    numbers = await connection.fetch(SQL["next_numbers"], len(drafts))
    changes = [
        _first_version(draft.article(row["nextval"], 0 if is_public else 1, now), is_public, now)
        for draft, row, is_public in zip(drafts, numbers, publish, strict=True)
    ]
    await insert_articles(connection, changes, actor)
    notes = [(change.head.id, draft.checksum(), now) for change, draft in zip(changes, drafts, strict=True)]
    await connection.executemany(SQL["save_import"], notes)
    return [
        UpsertResult(change.head, "created", tuple(draft.warnings))
        for change, draft in zip(changes, drafts, strict=True)
    ]


def _first_version(article: Article, publish: bool, now: datetime) -> ArticleChange:
    if publish:
        return workflow.publish_or_schedule(StoredArticle(article, None), article, now, "import")
    return ArticleChange("import", article, None, is_public_change=False)


async def _next_versions(  # noqa: PLR0917 - the state of `upsert_draft`
    connection: Connection,
    stored: StoredArticle,
    draft: ImportedDraft,
    is_repetition: bool,
    publish: bool,
    now: datetime,
) -> list[ArticleChange]:
    """Return the changes that a draft makes, if any. Without `publish`, the published version stays.

    With it, what the working version has besides the import is not published: it becomes a draft again after that.
    A version that editors have scheduled stays scheduled.
    """
    fields = {name: value for name, value in draft.content.items() if name != "slug"}
    edited = await resolve_media(connection, msgspec.structs.replace(stored.head, **fields), strict=publish)
    is_same = edited == stored.head
    is_settled = stored.live is not None or stored.scheduled is not None
    if is_repetition and (is_settled or not publish or not is_same):  # also if editors changed or withdrew it
        return await _fetched_images(connection, stored, draft, publish, now) if draft.images else []
    if is_same and (not publish or (stored.live is not None and stored.live.state == "published")):
        return []
    fields |= {"body": edited.body, "lead_image": edited.lead_image}
    change = workflow.edit_article(stored, fields, by_publisher=False, now=now, action="import")
    if not publish:
        return [change]
    approved = StoredArticle(_approved(stored, draft), None)
    public = workflow.edit_article(approved, fields, by_publisher=False, now=now).head
    public = msgspec.structs.replace(public, version=stored.head.version)
    is_of_editors = await _is_scheduled_by_editors(connection, stored)
    published = workflow.publish_or_schedule(stored, public, now, "import")
    if is_of_editors and not published.is_public_change:
        return [change]  # one version can be scheduled: that of the editors stays
    if is_of_editors:
        published = keep_schedule(stored, published, fields)
    edited = msgspec.structs.replace(change.head, slug=public.slug) if stored.live is None else change.head
    return _with_edits(stored, edited, published, now)


def _with_edits(stored: StoredArticle, edited: Article, published: ArticleChange, now: datetime) -> list[ArticleChange]:
    """Return a publication, and the change that keeps what it has left out of the working version, if anything."""
    kept = workflow.keep_unpublished_edits(edited, published, now, stored.live_changes_of_head)
    return [published] if kept is None else [published, kept]


async def _is_scheduled_by_editors(connection: Connection, stored: StoredArticle) -> bool:
    if stored.scheduled is None:
        return False
    action = await connection.fetchval(SQL["action_of_revision"], stored.head.id, stored.scheduled.version)
    return bool(action != "import")


async def _fetched_images(
    connection: Connection, stored: StoredArticle, draft: ImportedDraft, publish: bool, now: datetime
) -> list[ArticleChange]:
    """Return the changes that replace linked images by those fetched since; all else stays as editors left it.

    What editors have submitted, approved or withdrawn is not touched.
    """
    head, live = stored.head, stored.live
    is_live = live is not None and live.state == "published"
    if head.state not in ("draft", "published", "scheduled") or (head.state == "scheduled" and not publish):
        return []
    fetched = await _with_fetched(connection, head, draft)
    change = workflow.edit_article(
        stored, {"body": fetched.body, "lead_image": fetched.lead_image}, by_publisher=False, now=now, action="import"
    )
    names = ("body", "lead_image")
    if publish and head.state in ("published", "scheduled"):
        if fetched == head:
            return []
        published = workflow.publish_or_schedule(stored, fetched, now, "import")
        return [keep_schedule(stored, published, names) if stored.has_successor else published]
    if publish and is_live:
        assert live is not None
        public = await _with_fetched(connection, live, draft)
        if public != live:
            public = msgspec.structs.replace(public, version=head.version)
            published = workflow.publish_article(stored, public, now, "import")
            if stored.scheduled is not None:
                published = keep_schedule(stored, published, names)
            return _with_edits(stored, change.head, published, now)
    return [] if fetched == head else [change]


async def _with_fetched(connection: Connection, article: Article, draft: ImportedDraft) -> Article:
    changed = {"body": draft.with_images(article.body), "lead_image": draft.with_images(article.lead_image)}
    if changed == {"body": article.body, "lead_image": article.lead_image}:
        return article
    return await resolve_media(connection, msgspec.structs.replace(article, **changed))


def _approved(stored: StoredArticle, draft: ImportedDraft) -> Article:
    """Return what an import that publishes starts from: the published version, or a new article without other content.

    Fields of the working version that the import does not have were approved by nobody.
    """
    head = stored.head
    if stored.live is not None:
        return stored.live
    fresh = draft.article(head.number, head.version, head.modified_at)
    return msgspec.structs.replace(fresh, id=head.id, created_at=head.created_at)
