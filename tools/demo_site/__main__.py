"""`make pictures`: start an installation, publish the sample articles, take the README's screenshots in Chromium.

`python -m tools.demo_site newsroom` takes one of them alone.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from deploy.local.postgres import Postgres
from tests.browser.chromium import CHROMIUM, FLAGS
from tests.conftest import PORTS_PER_INSTALLATION, free_ports
from tools.demo_site.articles import STORIES
from tools.demo_site.comparison import compared
from tools.demo_site.newsroom import invite, write_page
from tools.demo_site.publishing import publish_sample

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / "docs/images"
DESKTOP, PHONE = (1280, 900), (360, 780)
SHOWN: dict[str, tuple[str, tuple[int, int], str]] = {
    "home": ("home", DESKTOP, "light"),
    "article": ("article", DESKTOP, "light"),
    "search": ("search", DESKTOP, "light"),
    "phone-home": ("home", PHONE, "light"),
    "phone-article": ("article", PHONE, "light"),
    "phone-dark": ("article", PHONE, "dark"),
}
"""{picture: (page, viewport, color scheme)}."""
QUALITY = 80
VISITORS = 20
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


def take(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> Image.Image:
    """Return a screenshot of a page's viewport, once its pictures and its counter are loaded."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1 if width > 1000 else 2,
        user_agent=AGENT,
    )
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    context.close()
    return picture


def foot(browser: Browser, url: str) -> Image.Image:
    """Return a screenshot of a page's footer with contact and counter."""
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, user_agent=AGENT)
    page.goto(url, wait_until="networkidle")
    picture = Image.open(io.BytesIO(page.locator(".foot").screenshot()))
    page.close()
    return picture


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Return pictures of the same height next to each other."""
    gap = 24
    joined = Image.new("RGB", (sum(one.width + gap for one in pictures) - gap, pictures[0].height), "white")
    left = 0
    for one in pictures:
        joined.paste(one, (left, 0))
        left += one.width + gap
    return joined


def save(picture: Image.Image, name: str) -> None:
    """Write a picture as WebP and print its size."""
    file = PICTURES / f"{name}.webp"
    picture.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    print(f"{file.relative_to(ROOT)}  {picture.width} x {picture.height}  {file.stat().st_size // 1024} kB")


def main() -> int:
    """Take all screenshots."""
    with tempfile.TemporaryDirectory(prefix="presstally-pictures-", ignore_cleanup_errors=True) as home:
        port = free_ports(PORTS_PER_INSTALLATION)
        ignored = ("KAFKA_BOOTSTRAP", "DATABASE_URL", "PRESSTALLY_SITES")
        environment = {name: value for name, value in os.environ.items() if name not in ignored}
        environment |= {"PRESSTALLY_HOME": home, "PRESSTALLY_PORT": str(port)}
        Path(home).chmod(0o755)
        subprocess.run([sys.executable, "-m", "deploy.cli", "up"], cwd=ROOT, env=environment, check=True)
        try:
            environment |= stores(Path(home), port)
            pictures_of(f"http://localhost:{port}", environment, sys.argv[1:])
        finally:
            subprocess.run([sys.executable, "-m", "deploy.cli", "down"], cwd=ROOT, env=environment, check=True)
    return 0


def stores(home: Path, port: int) -> dict[str, str]:
    """Return the addresses of the installation's stores, for commands."""
    return {"DATABASE_URL": Postgres(home / "postgres", port + 6).url, "KAFKA_BOOTSTRAP": f"127.0.0.1:{port + 4}"}


def token(environment: dict[str, str]) -> str:
    """Return an admin token of the installation."""
    command = [sys.executable, "-m", "services.ingest", "token", "create", "--name", "Mẫu", "--scope", "admin"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def read(url: str, path: str) -> None:
    """Send views, so that the counter has something to show."""
    for visitor in range(VISITORS):
        event = {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": path}
        headers = {"content-type": "application/json", "user-agent": f"{AGENT} reader/{visitor}"}
        urllib.request.urlopen(urllib.request.Request(f"{url}/e", json.dumps(event).encode(), headers)).close()
    time.sleep(2)  # the counter is updated within one second


def pictures_of(url: str, environment: dict[str, str], wanted: Sequence[str]) -> None:
    """Publish the sample articles and take the screenshots; of some names only those.

    Args:
        url: Of the installation.
        environment: Of its commands.
        wanted: Names of pictures; none: all.
    """
    paths = publish_sample(url, token(environment))
    invite(url, environment)
    read(url, paths["article"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

        def shown(name: str) -> Image.Image:
            page, size, scheme = SHOWN[name]
            return take(browser, url + paths[page], size, scheme)

        made: dict[str, Callable[[], Image.Image]] = {
            name: partial(shown, name) for name in ("home", "article", "search")
        }
        made["phone"] = lambda: beside([shown(name) for name in SHOWN if name.startswith("phone")])
        made["counter"] = lambda: foot(browser, url + paths["article"])
        made["before-and-after"] = lambda: compared({name: shown(name) for name in ("home", "article")})
        made["newsroom"] = lambda: write_page(browser, url, STORIES[0]["title"])
        for name in wanted or made:
            save(made[name](), name)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
