"""The picture of the newsroom's write page: somebody writes the sample's first article further."""

import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent.parent
EMAIL, NAME, PASSWORD = "hoa@haihau.example", "Nguyễn Thị Hoa", "bốn từ không liên quan"
SIZE = (1280, 900)
SECONDS_MAX = 60_000


def invite(url: str, environment: Mapping[str, str]) -> None:
    """Create an editor who has accepted the invitation.

    Args:
        url: Of the installation.
        environment: Of its commands, with the addresses of its stores.
    """
    command = [sys.executable, "-m", "services.ingest", "person", "create", "--email", EMAIL, "--name", NAME, "--admin"]
    done = subprocess.run(command, cwd=ROOT, env=dict(environment), check=True, capture_output=True, text=True)
    sent = json.dumps({"link": done.stdout.strip().rpartition("#")[2], "password": PASSWORD}).encode()
    headers = {"content-type": "application/json", "origin": url}
    urllib.request.urlopen(urllib.request.Request(f"{url}/api/passwords", sent, headers)).close()


def write_page(browser: Browser, url: str, title: str) -> Image.Image:
    """Return a screenshot of the write page with the live article of that title."""
    context = browser.new_context(
        viewport={"width": SIZE[0], "height": SIZE[1]}, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh"
    )
    context.set_default_timeout(SECONDS_MAX)
    page = context.new_page()
    page.goto(f"{url}/ban-bien-tap/dang-nhap")
    page.locator("input[name=email]").fill(EMAIL)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button").first.click()
    page.wait_for_url(f"{url}/ban-bien-tap/")
    page.goto(f"{url}/ban-bien-tap/?tab=live")
    page.get_by_role("link", name=title).first.click()
    page.locator(".editor-text figure img").first.wait_for()
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    return picture
