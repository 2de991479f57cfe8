"""A WebSub hub of the running system: it is declared while the system runs, and sees what editors publish."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.render.hubs.hub_server import Hub, running_hub

TITLE = "Hải đăng được báo cho trạm phát"


@pytest.fixture
def hub(system: Any) -> Iterator[Hub]:
    """A hub of the first site, until the test ends."""
    file = Path(system.environment["PRESSTALLY_SITES"])
    before = file.read_text(encoding="utf-8")
    with running_hub() as hub:
        replace(file, before.replace('slug = "haihau"', f'slug = "haihau"\nhub = "{hub.url}"', 1))
        yield hub
    replace(file, before)


def replace(file: Path, text: str) -> None:
    new = file.with_name("sites.new")
    new.write_text(text, encoding="utf-8")
    new.rename(file)


def test_published_and_withdrawn_article_is_announced_to_the_hub(
    system: Any, editors: Any, hub: Hub, wait: Any
) -> None:
    """API, Kafka, builder, hub, and back by the gateway: the hub fetches feeds with the article, then without it."""
    feed = f"{system.url}/rss.xml"
    wait(lambda: feed in hub.seen, what="the hub hears of the feed at all")
    article = editors.create(TITLE)["id"]
    editors.publish(article)
    wait(lambda: TITLE in hub.titles(feed), what="the hub sees the article")
    editors.step(article, "unpublish", {"reason": "đã hết thời hạn"})
    wait(lambda: TITLE not in hub.titles(feed), what="the hub sees that it was withdrawn")
