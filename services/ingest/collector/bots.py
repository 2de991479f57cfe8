"""User agent → the reason why it is a program, or None. Pure."""

from functools import lru_cache

import re2
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from services.ingest.collector.visitors import Sender

HEADLESS = r"(?i)HeadlessChrome|PhantomJS|SlimerJS|Selenium|WebDriver|Playwright|Puppeteer|Cypress"


def _compiled() -> re2.Set:
    """All patterns as one automaton: 1.5 µs an agent, whatever it is; one after the other they take 170."""
    programs = re2.Set.SearchSet()
    for pattern in (HEADLESS, *(entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA)):
        programs.Add(pattern)
    programs.Compile()
    return programs


_programs = _compiled()


def bot_reason(sender: Sender, *, count_headless: bool = False) -> str | None:
    """Tell why a sender is a program rather than a person: a short reason, or None.

    Args:
        sender: Its agent and what its browser says that it does.
        count_headless: Treat browsers that drive themselves as people (to try the system).
    """
    if sender.prefetches:
        return "prefetch"
    reason = _agent_reason(sender.user_agent)
    return None if reason == "headless" and count_headless else reason


@lru_cache(maxsize=5_000)
def _agent_reason(user_agent: str) -> str | None:
    if not user_agent.strip():
        return "no-user-agent"
    matches = _programs.Match(user_agent)
    if not matches:
        return None
    return "headless" if 0 in matches else "crawler"
