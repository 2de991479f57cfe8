"""Bot detection by user agent and prefetch header."""

import pytest

from services.ingest.collector import bots
from services.ingest.collector.bots import bot_reason
from services.ingest.collector.visitors import ClientInfo

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (CHROME, None),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler"),
        ("curl/8.5.0", "crawler"),
        (CHROME.replace("Chrome/", "HeadlessChrome/"), "headless"),
        ("", "no-user-agent"),
        ("  ", "no-user-agent"),
    ],
)
def test_bot_reason_by_user_agent(agent: str, reason: str | None) -> None:
    """A user agent is a person unless it matches a bot pattern, and then the reason is returned."""
    assert bot_reason(ClientInfo("", agent)) == reason


def test_bot_reason_with_count_headless_accepts_headless_only() -> None:
    """With `count_headless`, a headless browser is a person; a crawler never is."""
    assert bot_reason(ClientInfo("", CHROME.replace("Chrome/", "HeadlessChrome/")), count_headless=True) is None
    assert bot_reason(ClientInfo("", "Googlebot/2.1"), count_headless=True) == "crawler"


def test_bot_reason_prefetch_precedes_user_agent() -> None:
    """A prefetch is recognized from any client: the page may still be shown to a person later."""
    assert bot_reason(ClientInfo("", CHROME, is_prefetch=True)) == "prefetch"
    assert bot_reason(ClientInfo("", "Googlebot/2.1", is_prefetch=True)) == "prefetch"
    assert bot_reason(ClientInfo("", CHROME, has_gpc=True)) is None


@pytest.mark.parametrize("name", ["PhantomJS", "Playwright", "selenium", "Cypress/13", "Puppeteer"])
def test_bot_reason_automation_tool_is_headless(name: str) -> None:
    """Automation tools are headless browsers, in any case, and not crawlers."""
    assert bot_reason(ClientInfo("", f"{CHROME} {name}")) == "headless"


def test_bot_reason_of_a_long_user_agent_is_not_kept_in_memory() -> None:
    """Thousands of user agents of 16,000 characters are classified like others, and the cache keeps none of them."""
    bots._agent_reason.cache_clear()
    for number in range(20):
        assert bot_reason(ClientInfo("", f"{CHROME} {number} {'x' * 16_000}")) is None
        assert bot_reason(ClientInfo("", f"{number} {'x' * 16_000} Googlebot/2.1")) == "crawler"
    assert bots._agent_reason.cache_info().currsize == 0
    assert bot_reason(ClientInfo("", CHROME)) is None
    assert bots._agent_reason.cache_info().currsize == 1
