"""Changes of a site's structure against a slow model: where every slug that ever existed leads."""

import os
import random
from datetime import UTC, datetime

import msgspec
import pytest

from services.ingest.structure import changes
from shared.http.problems import Problem
from shared.site_structure import MenuItem, SiteStructure, StructureIndex, StructureSection, resolve_alias

ROUNDS = int(os.environ.get("STRUCTURE_ROUNDS", "60"))
STEPS = 60
SLUGS = [f"muc-{number}" for number in range(9)]


def empty() -> SiteStructure:
    return SiteStructure(site="haihau", version=1, modified_at=datetime(2026, 11, 29, tzinfo=UTC))


def section(slug: str, name: str = "") -> StructureSection:
    return StructureSection(slug=slug, name=name or slug, version=1)


class Model:
    """Sections as objects, and for each slug the object that had it last: no aliases at all."""

    def __init__(self) -> None:
        self.slugs: dict[str, object] = {}
        self.present: dict[object, str] = {}
        self.merged: dict[object, object] = {}

    def object_of(self, slug: str) -> object | None:
        found = self.slugs.get(slug)
        while found in self.merged:
            found = self.merged[found]
        return found

    def current(self, slug: str) -> str:
        found = self.object_of(slug)
        return self.present.get(found, slug)

    def is_present(self, slug: str) -> bool:
        return slug in self.present.values()

    def add(self, slug: str) -> bool:
        if self.object_of(slug) in self.present:
            return False
        self.slugs[slug] = made = object()
        self.present[made] = slug
        return True

    def rename(self, slug: str, new: str) -> bool:
        owner = self.object_of(new)
        if not self.is_present(slug) or (owner in self.present and owner is not self.object_of(slug)):
            return False
        one = self.object_of(slug)
        assert one is not None
        self.slugs[new] = one
        self.present[one] = new
        return True

    def merge(self, slug: str, into: str) -> bool:
        if not self.is_present(slug) or not self.is_present(into) or slug == into:
            return False
        one, other = self.object_of(slug), self.object_of(into)
        del self.present[one]
        assert one is not None
        assert other is not None
        self.merged[one] = other
        return True

    def remove(self, slug: str) -> bool:
        if not self.is_present(slug):
            return False
        one = self.object_of(slug)
        del self.present[one]
        self.slugs = {name: found for name in self.slugs if (found := self.object_of(name)) is not one and found}
        return True


def apply(structure: SiteStructure, step: str, slug: str, other: str) -> SiteStructure:
    match step:
        case "add":
            return changes.add(structure, "section", section(slug))
        case "rename":
            return changes.change(structure, "section", slug, section(other))
        case "merge":
            if changes.find(structure, "section", slug) is None:
                raise changes.not_found("section", slug)
            return changes.merge(structure, "section", slug, other)
        case _:
            return changes.remove(structure, "section", slug)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_random_changes_lead_every_slug_where_the_model_says(seed: int) -> None:
    """After each change every slug stands for what its articles would be in, and no alias leads to an alias."""
    chance = random.Random(seed)
    structure, model = empty(), Model()
    for _ in range(STEPS):
        step = chance.choice(["add", "add", "rename", "rename", "rename", "merge", "remove"])
        slug, other = chance.choice(SLUGS), chance.choice(SLUGS)
        done = {
            "add": lambda: model.add(slug),  # noqa: B023 - called at once
            "rename": lambda: model.rename(slug, other),  # noqa: B023
            "merge": lambda: model.merge(slug, other),  # noqa: B023
            "remove": lambda: model.remove(slug),  # noqa: B023
        }[step]()
        if done:
            structure = apply(structure, step, slug, other)
        else:
            with pytest.raises(Problem):
                apply(structure, step, slug, other)
        index = StructureIndex(structure)
        assert {one.slug for one in structure.sections} == set(model.present.values())
        for one in SLUGS:
            assert index.current("section", one) == model.current(one), (step, slug, other, one)
        assert not set(structure.section_aliases) & set(index.sections)
        assert set(structure.section_aliases.values()) <= set(index.sections)


def test_resolve_alias_follows_chains_and_ends_in_a_cycle() -> None:
    """Structures of other programs may have chains, and even a cycle: every reader ends."""
    assert resolve_alias({"a": "b", "b": "c"}, "a") == "c"
    assert resolve_alias({"a": "b", "b": "a"}, "a") in ("a", "b")
    assert resolve_alias({"a": "a"}, "a") == "a"
    assert resolve_alias({}, "x") == "x"


def test_rename_back_takes_the_own_former_slug_again() -> None:
    """An editor who renames a section and thinks better of it has it as it was, and the other slug redirects."""
    one = changes.add(empty(), "section", section("a"))
    there = changes.change(one, "section", "a", section("b"))
    back = changes.change(there, "section", "b", section("a"))
    assert [entry.slug for entry in back.sections] == ["a"]
    assert back.section_aliases == {"b": "a"}


def test_slug_that_another_section_gave_up_is_refused_until_released() -> None:
    """A new section would take the articles of the renamed one with it."""
    one = changes.change(changes.add(empty(), "section", section("a")), "section", "a", section("b"))
    with pytest.raises(Problem, match="given up") as refused:
        changes.add(one, "section", section("a"))
    assert refused.value.extensions["stands_for"] == "b"
    released = changes.add(changes.release(one, "section", "a"), "section", section("a"))
    assert [entry.slug for entry in released.sections] == ["b", "a"]


def test_position_moves_a_section_and_bounds_are_kept() -> None:
    """A position beyond the end is the end; one more than the maximum is refused."""
    structure = empty()
    for number in range(4):
        structure = changes.add(structure, "section", section(f"m{number}"))
    moved = changes.change(structure, "section", "m3", section("m3"), 0)
    assert [one.slug for one in moved.sections] == ["m3", "m0", "m1", "m2"]
    moved = changes.change(moved, "section", "m3", section("m3"), 200)
    assert [one.slug for one in moved.sections] == ["m0", "m1", "m2", "m3"]
    for number in range(4, 200):
        structure = changes.add(structure, "section", section(f"m{number}"))
    with pytest.raises(Problem, match="at most 200"):
        changes.add(structure, "section", section("mot-nua"))


@pytest.mark.parametrize("slug", ["api", "trang", "tac-gia", "tag", "tim-kiem", "ban-bien-tap", "xem-truoc", "tep"])
def test_reserved_section_slug_is_refused(slug: str) -> None:
    """No page of such a section could be reached."""
    with pytest.raises(Problem, match="reserved"):
        changes.check_section_slug(slug)


def test_structure_that_fits_no_message_is_refused_with_its_size() -> None:
    """A message may have 1 MiB: the structure of a site stays well below."""
    structure = empty()
    for number in range(200):
        entry = StructureSection(slug=f"m{number}", name="x" * 80, description="Ế" * 400, version=1)
        structure = changes.add(structure, "section", entry)
    changes.check_size(structure)
    aliases = {f"{'x' * 50}-{number}": "m1" for number in range(10_000)}
    with pytest.raises(Problem, match="at most 655,360 bytes"):
        changes.check_size(msgspec.structs.replace(structure, section_aliases=aliases))
    many = dict.fromkeys(map(str, range(10_001)), "a")
    with pytest.raises(Problem, match="At most 10,000 slugs"):
        changes.check_size(msgspec.structs.replace(empty(), tag_aliases=many))


def test_release_leaves_menus_at_what_they_led_to() -> None:
    """A slug that is used again must not change what the menus of a site show, on either level."""
    one = changes.change(changes.add(empty(), "section", section("a")), "section", "a", section("b"))
    below = MenuItem(kind="section", target="a", label="Mục a")
    items = [
        MenuItem(kind="section", target="a"),
        MenuItem(kind="home", items=[below]),
        MenuItem(kind="tag", target="a"),
    ]
    released = changes.release(changes.set_menu(one, "main", items), "section", "a")
    found = released.menus["main"]
    assert [found[0].target, found[1].items[0].target, found[1].items[0].label] == ["b", "b", "Mục a"]
    assert found[2].target == "a"
