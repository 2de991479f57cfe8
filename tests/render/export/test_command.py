"""An export into the folder of an earlier one is the same as one into a new folder, whatever happened in between."""

import argparse
import random
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import obstore
import pytest

from services.render.builder.store import save_page, save_structure
from services.render.export import command
from services.render.export.folder import MANIFEST
from services.render.export.state import STATE
from services.render.pages import html
from services.render.settings import RenderSettings
from shared.articles import Author, Figure, Image, Paragraph, Related
from shared.object_store import PUBLIC, open_store
from shared.site_structure import MenuItem, SiteStructure, StaticPage, StructureSection, StructureTag

AT = datetime(2026, 11, 29, tzinfo=UTC)
PICTURE = "/media/" + "a" * 32 + ".jpg"
SITES = """
[[site]]
slug = "haihau"
name = "{name}"
origins = ["https://haihau.example"]
identity = "tag:haihau.example,2026"
timezone = "Asia/Ho_Chi_Minh"
theme = "{theme}"
agency = "UBND huyện Hải Hậu"
sections = [{{ slug = "tin-tuc", name = "Tin tức" }}, {{ slug = "van-hoa", name = "Văn hóa" }}]
"""


class History:
    """What a newsroom, an operator and an accident may do to a portal that is exported again and again."""

    def __init__(self, portal: Any, folder: Path, chance: random.Random) -> None:
        self.portal, self.folder, self.chance = portal, folder, chance
        self.options: list[str] = []
        self.name, self.theme = "Hải Hậu", ""
        self.structure = SiteStructure(
            site="haihau",
            version=1,
            modified_at=AT,
            sections=[
                StructureSection(slug="tin-tuc", name="Tin tức", version=1),
                StructureSection(slug="van-hoa", name="Văn hóa", version=1),
            ],
        )

    def any_article(self) -> int:
        return int(self.chance.choice(list(self.portal.articles)))

    async def publish(self) -> None:
        number = len(self.portal.articles) + 1
        body = [Paragraph("Đoạn."), *([Related(f"a-{self.any_article()}")] if number > 2 else [])]
        tags = [f"thẻ {self.chance.randrange(4)}"]
        picture = Figure("Ảnh", Image(PICTURE, "Ảnh", 640, 480)) if self.chance.random() < 0.5 else None
        await self.portal.add(number, body=body, tags=tags, lead_image=picture, authors=[Author("Minh")])

    async def rewrite(self) -> None:
        await self.portal.change(self.any_article(), title=f"Tựa {self.chance.random()}")

    async def rename(self) -> None:
        number = self.any_article()
        await self.portal.change(
            number, slug=f"ten-{self.chance.randrange(10**6)}", old_urls=[f"/bai-so-{number}.html"]
        )

    async def move(self) -> None:
        await self.portal.change(self.any_article(), section="van-hoa", tags=[f"thẻ {self.chance.randrange(9)}"])

    async def kill(self) -> None:
        await self.portal.change(self.any_article(), state="killed")

    async def withdraw(self) -> None:
        await self.portal.change(self.any_article(), state="withdrawn")

    async def return_all(self) -> None:
        for number, article in list(self.portal.articles.items()):
            if article.state == "withdrawn":
                await self.portal.change(number, state="published")

    async def restructure(self) -> None:
        version = self.structure.version + 1
        items = [MenuItem(kind="home"), MenuItem(kind="section", target="van-hoa", label=f"Mục {version}")]
        self.structure = msgspec.structs.replace(
            self.structure,
            version=version,
            menus={"main": items},
            tags=[StructureTag(slug="the-1", name="THẺ 1" if version % 2 else "Thẻ 1", version=version)],
        )
        assert await save_structure(self.portal.pool, self.structure)

    async def change_page(self) -> None:
        version = self.chance.randrange(10**6)
        gone = version % 3 == 0
        page = StaticPage(
            site="haihau",
            id="p",
            version=int(datetime.now(UTC).timestamp()) % 10**9 + version % 2,
            state="withdrawn" if gone else "published",
            is_deleted=gone,
            slug="gioi-thieu",
            title=f"Giới thiệu {version}",
            modified_at=AT,
        )
        await save_page(self.portal.pool, page)

    async def another_theme(self) -> None:
        theme = self.folder / f"theme-{self.chance.randrange(10**6)}"
        theme.mkdir()
        (theme / "error.html").write_text(
            '{% extends "default/error.html" %}{% block head %}<!-- own -->{% endblock %}'
        )
        self.theme = str(theme)

    async def another_name(self) -> None:
        self.name = f"Hải Hậu {self.chance.randrange(100)}"

    async def other_options(self) -> None:
        self.options = self.chance.choice(([], ["--gzip"], ["--pages-only"], ["--gzip", "--pages-only"]))

    async def damage(self) -> None:
        files = [one for one in (self.folder / "repeated").rglob("*") if one.is_file() and "media" not in one.parts]
        for file in self.chance.sample([one for one in files if one.name != MANIFEST], 5):
            self.chance.choice((file.unlink, lambda file=file: file.write_bytes(b"damaged")))()

    async def forget(self) -> None:
        (self.folder / "repeated" / STATE).unlink()

    def steps(self) -> list[Callable[[], Awaitable[None]]]:
        others = [self.another_theme, self.another_name, self.other_options, self.damage, self.forget]
        news = [self.rewrite, self.rename, self.move, self.kill, self.withdraw, self.return_all]
        return [self.publish, *news, self.restructure, self.change_page, *others]

    async def export(self, name: str, *options: str) -> int:
        sites = self.folder / "sites.toml"
        sites.write_text(SITES.format(name=self.name, theme=self.theme), encoding="utf-8")
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        arguments = parser.parse_args([str(self.folder / name), *self.options, *options])
        return await command.run(arguments, RenderSettings(sites=str(sites), media=self.portal.media))


def tree(folder: Path) -> dict[str, bytes]:
    """Return all files of an export, but for what it leaves for the next one."""
    files = [one for one in folder.rglob("*") if one.is_file() and one.name != STATE]
    return {str(one.relative_to(folder)): one.read_bytes() for one in files}


@pytest.fixture
async def history(
    portal: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> History:
    """A portal with six articles, one of them with a picture."""
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    made = History(portal, tmp_path, random.Random(getattr(request, "param", 1)))
    await obstore.put_async(open_store(portal.media), PUBLIC + PICTURE.removeprefix("/media/"), b"picture")
    await portal.add(1, lead_image=Figure("Ảnh", Image(PICTURE, "Ảnh", 640, 480)), tags=["thẻ 1"])
    for _ in range(5):
        await made.publish()
    await save_structure(portal.pool, made.structure)
    return made


@pytest.mark.parametrize("history", [1, 2], indirect=True)
async def test_repeated_export_after_any_history_is_a_new_one(history: History) -> None:
    """After each of many changes, withdrawals and accidents, all files are those of an export into a new folder."""
    assert await history.export("repeated") == 0
    every = history.steps()
    history.chance.shuffle(every)
    for number in range(0, len(every), 2):
        for step in (*every[number : number + 2], history.chance.choice(every[:8])):
            await step()
        assert await history.export("repeated") == await history.export("new")
        assert tree(history.folder / "repeated") == tree(history.folder / "new"), every[number : number + 2]
        shutil.rmtree(history.folder / "new")


async def test_repeated_export_renders_only_what_has_changed(
    history: History, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a change no page is rendered, after one those that show it, and `--full` renders all."""
    rendered: list[str] = []

    def render(template: str, *arguments: Any, **given: Any) -> Any:
        rendered.append(template)
        return original(template, *arguments, **given)

    original = html._render
    monkeypatch.setattr(html, "_render", render)
    assert await history.export("repeated") == 0
    first = rendered.count("article.html")
    assert first == 6
    rendered.clear()
    assert await history.export("repeated") == 0
    assert rendered == []
    assert ", 0 of them rendered; 0 files written" in capsys.readouterr().out.splitlines()[-1]
    await history.portal.change(6, title="Tựa khác")
    assert await history.export("repeated") == 0
    assert 0 < rendered.count("article.html") < first
    rendered.clear()
    assert await history.export("repeated", "--full") == 0
    assert rendered.count("article.html") == first


async def test_repeated_export_after_a_restore_follows_the_database(history: History) -> None:
    """An article that has the version of the last export again, with another text, is rendered again."""
    assert await history.export("repeated") == 0
    restored = msgspec.structs.replace(history.portal.articles[3], title="Tựa khác", modified_at=datetime.now(UTC))
    await history.portal.pool.execute(
        "UPDATE render.articles SET content = $1 WHERE id = $2", msgspec.json.encode(restored).decode(), restored.id
    )
    await history.portal.pool.execute("UPDATE render.sites SET changed_at = now()")
    assert await history.export("repeated") == 0
    assert await history.export("new") == 0
    assert tree(history.folder / "repeated") == tree(history.folder / "new")
    assert "Tựa khác" in (history.folder / "repeated/bai-so-3-3.html").read_text()
