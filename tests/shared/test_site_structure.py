"""Articles resolved through the aliases of a site, against the plainest way to do it."""

import random
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.render.pages.theme_check import sample_article
from shared.articles import Author
from shared.site_structure import (
    SiteStructure,
    StaticPage,
    StructureAuthor,
    StructureIndex,
    StructureMessage,
    StructureSection,
    StructureTag,
    page_key,
)
from shared.slugs import name_slug

AT = datetime(2026, 11, 29, tzinfo=UTC)


def index(**fields: Any) -> StructureIndex:
    return StructureIndex(SiteStructure(site="haihau", version=1, modified_at=AT, **fields))


def test_resolved_article_has_present_names_once() -> None:
    """Section, further sections, tags and authors are as they are called now, and none comes twice."""
    known = index(
        sections=[StructureSection(slug="moi", name="Mới", version=1)],
        section_aliases={"cu": "moi", "rat-cu": "moi"},
        tags=[StructureTag(slug="dat", name="Đất", version=1)],
        tag_aliases={"ruong": "dat"},
        authors=[StructureAuthor(slug="nguyen-van-a", name="Nguyễn Văn A", version=1)],
        author_aliases={"n-v-a": "nguyen-van-a"},
    )
    article = msgspec.structs.replace(
        sample_article("cu"),
        also_in=["rat-cu", "khac"],
        tags=["Dat", "Ruộng", "!!!", "Lúa"],
        authors=[Author("N.V.A", "Ảnh"), Author("Nguyễn Văn A"), Author("Lan")],
    )
    found = known.resolved(article)
    assert (found.section, found.also_in, found.tags) == ("moi", ["khac"], ["Đất", "!!!", "Lúa"])
    assert found.authors == [Author("Nguyễn Văn A", "Ảnh"), Author("Lan")]
    assert known.resolved(found) == found
    assert known.former("section", "moi") == ["cu", "rat-cu"]


def test_plain_structure_returns_the_same_article() -> None:
    """A site that has renamed nothing pays nothing."""
    article = sample_article("tin-tuc")
    assert index(sections=[StructureSection(slug="a", name="A", version=1)]).resolved(article) is article


def test_random_tags_resolve_as_the_slow_way_does() -> None:
    """Of random declared tags and aliases: the slug of each result is that of a walk through the aliases."""
    chance = random.Random(7)
    words = [f"Thẻ {number}" for number in range(12)]
    for _ in range(200):
        declared = chance.sample(words, 5)
        rest = [name_slug(word) for word in words if word not in declared]
        aliases = {slug: name_slug(chance.choice(declared)) for slug in chance.sample(rest, 4)}
        known = index(
            tags=[StructureTag(slug=name_slug(one), name=one, version=1) for one in declared], tag_aliases=aliases
        )
        given = [chance.choice([str.upper, str.lower, str])(chance.choice(words)) for _ in range(6)]
        expected = []
        for tag in given:
            slug = name_slug(tag)
            while slug in aliases:
                slug = aliases[slug]
            if slug not in expected:
                expected.append(slug)
        assert [name_slug(tag) for tag in known.resolved_tags(given)] == expected


def test_messages_of_both_kinds_are_told_by_their_type() -> None:
    """The topic has structures and static pages; unknown fields of a newer version are ignored."""
    page = StaticPage(site="haihau", id="p", version=1, state="published", slug="a", title="A", modified_at=AT)
    for one in (page, index().structure):
        value = msgspec.json.encode(one)[:-1] + b',"later":1}'
        assert msgspec.json.decode(value, type=StructureMessage) == one
    assert page_key(page) == "haihau/page/p"
