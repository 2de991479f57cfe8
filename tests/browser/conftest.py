"""The sample portal, published once on the running system, visitors, and the validators, installed from their lock."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from tests.browser.browser_visitor import BrowserVisitor, Wait
from tests.browser.chromium import CHROMIUM, FLAGS, Chromium
from tests.browser.fault_proxy import FaultProxy
from tests.browser.newsroom_page import NewsroomPage
from tests.browser.newsroom_steps import Opener, editor_pages
from tests.e2e.conftest import Editors
from tests.npm import install_locked
from tools.demo_site.publishing import publish_sample

ROOT = Path(__file__).parent.parent.parent
LOCKED = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def sample(system: Any) -> dict[str, str]:
    """Publish the sample articles; return {name: path} of typical pages."""
    command = [sys.executable, "-m", "services.ingest", "token", "create", "--name", "Mẫu", "--scope", "admin"]
    stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    done = subprocess.run(
        command, cwd=ROOT, env={**system.environment, **stores}, capture_output=True, text=True, check=True
    )
    return publish_sample(system.url, done.stdout.strip(), more=False)


@pytest.fixture(scope="session")
def validators() -> Path:
    """Install Lighthouse and the Nu HTML checker from the lock, unless installed; return their folder."""
    return install_locked(LOCKED)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A Chromium for the tests of a file."""
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield chromium
    chromium.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def open_page(context: BrowserContext, newsroom: NewsroomPage) -> Iterator[Opener]:
    """Open the page of the `newsroom` that a file of tests pretends."""
    with editor_pages(context, newsroom.url) as opener:
        yield opener


@pytest.fixture(scope="module")
def editors(system: Any) -> Editors:
    """The editors' requests to the API, with tokens."""
    return Editors(system)


@pytest.fixture
def proxy(system: Any) -> Iterator[FaultProxy]:
    proxy = FaultProxy(system.url)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def visitor(system: Any, proxy: FaultProxy, wait: Wait, new_id: Callable[[], str]) -> Iterator[BrowserVisitor]:
    agent = system.another_person()
    browser = Chromium(agent)
    yield BrowserVisitor(system, proxy, browser, agent, new_id(), wait, new_id)
    browser.close()
