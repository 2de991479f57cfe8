"""Preview links: signature, expiry, revocation, and what ends them."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.articles.previews import VALID_LINKS_MAX, PreviewLinks, as_published

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


async def made(api: Any, article: str, **body: Any) -> dict[str, Any]:
    answer = await api.call("POST", f"/articles/{article}/previews", body)
    assert answer.status == 201, answer.body
    return dict(answer.json())


def signed_of(link: dict[str, Any]) -> str:
    return str(link["url"]).removeprefix("https://haihau.example/xem-truoc/")


async def step(api: Any, article: str, name: str, **body: Any) -> None:
    answer = await api.call("POST", f"/articles/{article}/{name}", body, "admin")
    assert answer.status == 200, answer.body


async def test_link_shows_its_version_or_follows_the_working_one(api: Any) -> None:
    """A link to a version keeps showing it; one without shows what is worked on. Both look as if published now."""
    article = (await api.create("Một"))["id"]
    fixed, following = await made(api, article, version=1), await made(api, article)
    assert (await api.call("PATCH", f"/articles/{article}", {"version": 1, "title": "Hai"})).status == 200
    links = PreviewLinks(api.context.pool)
    one, two = [await links.show(signed_of(link)) for link in (fixed, following)]
    assert one is not None
    assert two is not None
    assert (one.article.title, one.follows, two.article.title, two.follows) == ("Một", False, "Hai", True)
    assert (one.article.state, one.article.published_at is None) == ("published", False)
    assert signed_of(fixed).split(".")[0] == fixed["id"]


async def test_link_that_was_tampered_with_or_guessed_shows_nothing(api: Any) -> None:
    """Every change of the signed value is rejected without a query, and the secret of another database, too."""
    article = (await api.create("Một"))["id"]
    signed = signed_of(await made(api, article))
    preview_id, _, mac = signed.partition(".")
    links = PreviewLinks(api.context.pool)
    other = base64.urlsafe_b64encode(hmac.new(b"x" * 32, preview_id.encode(), hashlib.sha256).digest()).decode()[:43]
    forged = [
        "",
        ".",
        preview_id,
        f"{preview_id}.",
        f".{mac}",
        f"{preview_id}.{other}",
        f"{preview_id}.{mac[:-1]}{'A' if mac[-1] != 'A' else 'E'}",
        f"{preview_id[:-1]}{'A' if preview_id[-1] != 'A' else 'Q'}.{mac}",
        f"{preview_id}.{mac.swapcase()}",
        f"{preview_id}.{mac}=",
        f" {signed}",
        f"{signed}\n",
        f"{signed}\0",
        signed.replace(".", ".."),
        signed.upper(),
        "A" * 22 + "." + mac,
        "é" * 22 + "." + mac,
        "A" * 10_000,
        article,
        f"{article}.{mac}",
    ]
    for one in forged:
        assert await links.show(one) is None, one
    assert await links.show(signed) is not None


@pytest.mark.parametrize("ending", ["revoked", "expired", "killed", "unpublished", "archived", "removed", "discarded"])
async def test_link_ends_with_its_time_or_its_article(api: Any, ending: str) -> None:
    """A link that has ended shows nothing, whatever ended it."""
    article = await api.create("Một")
    path = f"/articles/{article['id']}"
    if ending in ("unpublished", "archived"):
        await step(api, article["id"], "publish", version=1)
    link = await made(api, article["id"])
    links = PreviewLinks(api.context.pool)
    assert await links.show(signed_of(link)) is not None
    if ending == "revoked":
        assert (await api.call("DELETE", f"{path}/previews/{link['id']}")).status == 204
        assert (await api.call("DELETE", f"{path}/previews/{link['id']}")).status == 204
        listed = (await api.call("GET", f"{path}/previews")).json()["previews"]
        assert [one["revoked_at"] is None for one in listed] == [False]
    elif ending == "expired":
        await api.context.pool.execute("UPDATE ingest.previews SET expires_at = now() - interval '1 s'")
        assert (await api.call("GET", f"{path}/previews")).json() == {"previews": []}
    elif ending == "discarded":
        assert (await api.call("DELETE", path, if_match='"1"')).status == 204
    elif ending == "removed":
        await api.context.pool.execute("DELETE FROM ingest.previews")
    else:
        name = {"killed": "kill", "unpublished": "unpublish", "archived": "archive"}[ending]
        await step(api, article["id"], name, reason="sai")
    assert await links.show(signed_of(link)) is None
    if ending in ("unpublished", "archived"):  # a new link shows the article that is worked on again
        assert await links.show(signed_of(await made(api, article["id"]))) is not None
    if ending == "killed":
        assert (await api.call("POST", f"{path}/previews", {})).status == 409


@pytest.mark.parametrize("ending", ["revoked", "withdrawn", "deleted"])
async def test_link_to_a_static_page_shows_its_working_copy_until_it_ends(api: Any, ending: str) -> None:
    """It follows each change, does not count as a link of an article, and ends with its page."""
    page = (await api.call("POST", "/pages", {"title": "Giới thiệu"}, "publish")).json()
    path = f"/pages/{page['id']}"
    link = (await api.call("POST", f"{path}/previews", {"expires_in": 3_600}, "publish")).json()
    assert (link["page"], link["article"], link["version"]) == (page["id"], None, None)
    changed = await api.call("PATCH", path, {"title": "Về chúng tôi"}, "publish", if_match=f'"{page["version"]}"')
    links = PreviewLinks(api.context.pool)
    shown = await links.show(signed_of(link))
    assert shown is not None
    assert shown.page is not None
    assert (shown.page.title, shown.page.state, shown.article, shown.site) == (
        "Về chúng tôi",
        "published",
        None,
        "haihau",
    )
    if ending == "revoked":
        assert (await api.call("DELETE", f"{path}/previews/{link['id']}", None, "publish")).status == 204
    elif ending == "withdrawn":
        assert (await api.call("POST", f"{path}/publish", {}, "publish", if_match="*")).status == 200
        assert await links.show(signed_of(link)) is not None
        assert (await api.call("POST", f"{path}/unpublish", {}, "publish")).status == 200
        assert (await api.call("POST", f"{path}/publish", {}, "publish", if_match="*")).status == 200
    else:
        version = changed.json()["version"]
        assert (await api.call("DELETE", path, None, "publish", if_match=f'"{version}"')).status == 204
    assert await links.show(signed_of(link)) is None
    if ending != "deleted":
        listed = (await api.call("GET", f"{path}/previews", None, "publish")).json()["previews"]
        assert [(one["id"], one["revoked_at"] is None) for one in listed] == [(link["id"], False)]


@pytest.mark.parametrize("undone", ["unpublish", "archive", "kill", "discard"])
async def test_link_that_has_ended_stays_so(api: Any, undone: str) -> None:
    """Public or edited again, an article shows nothing of its new work to who had a link before it was withdrawn."""
    article = (await api.create("Một"))["id"]
    path = f"/articles/{article}"
    if undone != "discard":
        await step(api, article, "publish", version=1)
    old = await made(api, article)
    if undone == "discard":
        assert (await api.call("DELETE", path, if_match='"1"')).status == 204
    else:
        await step(api, article, undone, reason="sai")
    between = await made(api, article) if undone in ("unpublish", "archive") else None
    if undone in ("kill", "discard"):
        await step(api, article, "restore")
    links = PreviewLinks(api.context.pool)
    assert await links.show(signed_of(old)) is None
    version = (await api.call("GET", path, scope="read")).json()["version"]
    await step(api, article, "publish", version=version)
    assert await links.show(signed_of(old)) is None
    if between is not None:
        assert await links.show(signed_of(between)) is not None
    listed = (await api.call("GET", f"{path}/previews")).json()["previews"]
    assert {one["id"] for one in listed if one["revoked_at"]} == {old["id"]}


async def test_link_that_ended_before_this_was_noted_stays_so(api: Any) -> None:
    """Links of an article that a former release had withdrawn end for good when it is published again."""
    article = (await api.create("Một"))["id"]
    await step(api, article, "publish", version=1)
    link = await made(api, article)
    await step(api, article, "unpublish")
    await api.context.pool.execute("UPDATE ingest.previews SET revoked_at = NULL")
    version = (await api.call("GET", f"/articles/{article}", scope="read")).json()["version"]
    await step(api, article, "publish", version=version)
    assert await PreviewLinks(api.context.pool).show(signed_of(link)) is None


async def test_as_published_sets_the_date_that_a_page_would_have(new_article: Any) -> None:
    """A draft without a date gets the present one, an undated old page none, and a dated one keeps its own."""
    assert as_published(new_article(), NOW).published_at == NOW
    assert as_published(new_article(date_precision="unknown"), NOW).published_at is None
    earlier = NOW.replace(year=2020)
    assert as_published(new_article(published_at=earlier), NOW).published_at == earlier
    assert as_published(new_article(), NOW).state == "published"


async def test_links_of_an_article_are_bounded(api: Any) -> None:
    """Beyond the limit a link is refused until another ends."""
    article = (await api.create("Một"))["id"]
    links = [await made(api, article) for _ in range(VALID_LINKS_MAX)]
    assert (await api.call("POST", f"/articles/{article}/previews", {})).status == 409
    assert (await api.call("DELETE", f"/articles/{article}/previews/{links[0]['id']}")).status == 204
    await made(api, article)
