"""Forms that are sent twice, as by a double click: one after the other, and at the same moment."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from services.ingest.newsroom.api_client import ApiError
from services.ingest.newsroom.sent_forms import ANSWERS_MAX, KEPT_SECONDS, SentForms
from tests.ingest.newsroom.conftest import FormReader, Pages, Visitor
from tests.ingest.newsroom.test_article import write


async def pressed_twice(
    visitor: Visitor, form: dict[str, Any], *, at_once: bool, second: Pages | None = None, **fields: Any
) -> Visitor:
    """Send a form of the last page twice; both answers are the same one, which leads on. Return who has seen it.

    Args:
        visitor: Who sends it.
        form: The form.
        at_once: Send it before there is an answer.
        second: The pages, as another process serves them, that get it the second time.
        fields: Its fields.
    """
    places = (visitor.pages, second or visitor.pages)
    both = [Visitor(pages, visitor.browser, visitor.at, visitor.last) for pages in places]
    presses = [one.submit(form, **fields) for one in both]
    if at_once:
        await asyncio.gather(*presses)
    else:
        for press in presses:
            await press
    first, other = both
    assert (first.last.status, other.at) == (200, first.at), other.last.text
    return other


def form_with(visitor: Visitor, button: str) -> dict[str, Any]:
    """Return the form of the last page that has a button."""
    found = next(one for one in FormReader(visitor.last.html).forms if button in {value for _, value in one["buttons"]})
    return {**found, "action": found["action"] or visitor.at}


@pytest.mark.parametrize("is_elsewhere", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
async def test_form_of_an_article_that_is_pressed_twice_shows_its_result(
    visit: Any, pages: Pages, at_once: bool, is_elsewhere: bool
) -> None:
    """A new article, a save, a publication, a correction, a review and a withdrawal are one each, and no conflict."""
    press_twice = partial(pressed_twice, second=Pages(pages.api) if is_elsewhere else None)
    editor = await visit("publish:haihau", name="Minh")
    await editor.open("bai-viet/moi", site="haihau")
    typed: dict[str, Any] = {"title": "Chợ Cồn", "body": "Đoạn", "section": "tin-tuc"}
    seen = await press_twice(editor, editor.last.form("write"), at_once=at_once, **typed, action="publish")
    article = seen.at.split("/")[3]
    for title, action in (("Chợ Lương", "live"), ("Chợ Đông Biên", "save"), ("Chợ Đông Biên", "submit")):
        await editor.open(f"bai-viet/{article}")
        await press_twice(editor, editor.last.form("write"), at_once=at_once, title=title, action=action)
    await editor.open(f"bai-viet/{article}/duyet")
    await press_twice(editor, form_with(editor, "publish"), at_once=at_once, action="publish")
    await editor.open(f"bai-viet/{article}/buoc/unpublish")
    seen = await press_twice(editor, editor.last.form(), at_once=at_once, reason="nhầm bài")
    assert "Đã gỡ" in seen.last.text
    changes = (await pages.api.call("GET", f"/articles/{article}/revisions", None, "read")).json()["revisions"]
    assert len(changes) == 10, [one["action"] for one in changes]
    counted = (await pages.api.call("GET", "/articles/counts", None, "read")).json()
    assert counted["total"] == 1


@pytest.mark.parametrize("is_elsewhere", [False, True])
async def test_form_of_the_site_that_is_pressed_twice_shows_its_result(
    visit: Any, pages: Pages, is_elsewhere: bool
) -> None:
    """Menus, sections, the front page and static pages: one change, and its answer, whichever process has it."""
    press_twice = partial(pressed_twice, second=Pages(pages.api) if is_elsewhere else None)
    await pages.api.context.structures.step()
    editor = await visit("admin:haihau", name="Minh")
    await editor.open("trang/moi")
    seen = await press_twice(editor, editor.last.form("page"), at_once=True, title="Liên hệ", action="publish")
    await editor.open(seen.at.partition("?")[0])
    await press_twice(editor, editor.last.form("page"), at_once=True, body="Đổi", action="save")
    await editor.open("chuyen-muc")
    await press_twice(editor, form_with(editor, "down:tin-tuc"), at_once=False, move="down:tin-tuc")
    await editor.open("trang-nhat")
    bar: dict[str, Any] = {"breaking_text": "Tin nóng", "breaking_until": "2030-01-02T03:04"}
    await press_twice(editor, editor.last.form("trang-nhat"), at_once=False, **bar)
    await editor.open("menu")
    entry: dict[str, Any] = {"target": "home:", "label": "Trang chủ", "url": "", "level": "1", "until": ""}
    await press_twice(editor, editor.last.form("menu"), at_once=False, **entry)
    sections = (await pages.api.call("GET", "/sections?site=haihau", None, "read")).json()["sections"]
    assert [one["slug"] for one in sections] == ["thong-bao", "tin-tuc"]


async def test_form_of_another_page_or_with_other_words_takes_effect(visit: Any, pages: Pages) -> None:
    """Only the same form is answered from memory: a comment can be written twice, and a refused form sent again."""
    editor = await visit("publish:haihau", name="Minh")
    article = await write(editor)
    for text in ("Kiểm lại", "Kiểm lại"):
        await editor.open(f"bai-viet/{article}/duyet")
        await editor.submit(form_with(editor, "add"), text=text, action="add")
    comments = (await pages.api.call("GET", f"/articles/{article}/comments", None, "read")).json()["comments"]
    assert len(comments) == 2
    await editor.open(f"bai-viet/{article}")
    form = editor.last.form("write")
    pages.is_away = True
    assert (await editor.submit(form, title="Tựa mới", action="save")).status == 503
    pages.is_away = False
    assert "Đã lưu" in (await editor.submit(form, title="Tựa mới", action="save")).text


def asked(text: str) -> Any:
    """Return what answers need of a page."""
    form = FormData([("form_number", "1"), ("text", text)])
    api = SimpleNamespace(cookies=list[str](), send=refuse)
    return SimpleNamespace(form=form, text=form.get, sent_csrf="", request=SimpleNamespace(url="/"), api=api)


async def refuse(*_: Any, **__: Any) -> Any:
    """Answer as an editor API without a place for forms, such as one of a former version."""
    raise ApiError(404, {})


async def test_answers_are_kept_for_a_while_and_in_a_bounded_number() -> None:
    """After that time, or after many other forms, the same form is processed again; cookies reach both senders."""
    now, done = [0.0], list[str]()
    forms: Any = SentForms(lambda: now[0])

    async def work(page: Any) -> Response:
        done.append(page.form["text"])
        page.api.cookies.append(f"session={len(done)}")
        return RedirectResponse("/", 303)

    for _ in range(2):
        page = asked("a")
        assert (await forms.answer(page, work)).headers["location"] == "/"
        assert page.api.cookies == ["session=1"]
    now[0] = KEPT_SECONDS
    await forms.answer(asked("a"), work)
    assert done == ["a", "a"]
    for number in range(ANSWERS_MAX):
        await forms.answer(asked(str(number)), work)
    await forms.answer(asked("a"), work)
    assert done.count("a") == 3
    assert len(forms._answers) <= ANSWERS_MAX


async def test_work_goes_on_when_its_browser_has_left() -> None:
    """The first press of a double click is given up by the browser: the second one gets its answer."""
    forms: Any = SentForms()
    begun, go_on, done = asyncio.Event(), asyncio.Event(), list[int]()

    async def work(page: Any) -> Response:
        begun.set()
        await go_on.wait()
        done.append(1)
        return Response("lỗi", 422)

    first = asyncio.create_task(forms.answer(asked("a"), work))
    await begun.wait()
    first.cancel()
    second = asyncio.create_task(forms.answer(asked("a"), work))
    await asyncio.sleep(0)
    go_on.set()
    assert (await second).status_code == 422
    assert (done, forms._answers) == ([1], {})
