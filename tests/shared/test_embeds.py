"""URLs of videos become embeds, and embeds link to the page of their video."""

import pytest

from shared.articles import Embed
from shared.embeds import embed_url, parse_embed


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://www.youtube.com/embed/abcdefghijk?start=5", "https://www.youtube.com/watch?v=abcdefghijk"),
        (" https://youtu.be/abcdefghijk ", "https://www.youtube.com/watch?v=abcdefghijk"),
        ("https://www.youtube-nocookie.com/embed/abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk"),
        ("https://player.vimeo.com/video/76979871", "https://vimeo.com/76979871"),
    ],
)
def test_parse_embed_of_an_allowed_platform_links_to_its_page(url: str, page: str) -> None:
    """Every form of a video's URL gives the same embed, and the page's URL parses to it again."""
    embed = parse_embed(url, " Một\n video ")
    assert embed
    assert embed.title == "Một video"
    assert embed_url(embed) == page
    assert parse_embed(page, embed.title) == embed


@pytest.mark.parametrize(
    "url",
    ["", "http://youtu.be/abcdefghijk", "https://youtube.com.evil.example/embed/abcdefghijk", "https://vimeo.com/x"],
)
def test_parse_embed_of_another_url_returns_none(url: str) -> None:
    """Other hosts, plain HTTP and URLs without a video are no embeds."""
    assert parse_embed(url) is None


def test_embed_url_of_each_platform() -> None:
    """A stored embed gives the URL of its page."""
    assert embed_url(Embed("vimeo", "1234")) == "https://vimeo.com/1234"
