"""Editors of the running system: a token for each scope, and helpers for requests."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import wait_for

ROOT = Path(__file__).parent.parent.parent


class Editors:
    """Calls the editor API with a token of a scope."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self._tokens: dict[tuple[str, str | None], str] = {}

    def token(self, scope: str, site: str | None = None) -> str:
        """Return a token, made by the command at its first use."""
        if (scope, site) not in self._tokens:
            command = [
                sys.executable,
                "-m",
                "services.ingest",
                "token",
                "create",
                "--name",
                f"Người {scope} {site or ''}".strip(),
            ]
            command += ["--scope", scope, *(["--site", site] if site else [])]
            stores = {"DATABASE_URL": self.system.database_url, "KAFKA_BOOTSTRAP": self.system.kafka}
            environment = {**self.system.environment, **stores}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
            self._tokens[scope, site] = done.stdout.strip()
        return self._tokens[scope, site]

    def call(
        self, method: str, path: str, body: Any = None, scope: str = "write", site: str | None = None, **headers: str
    ) -> Any:
        """Send a request and return its answer."""
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        defaults = {"content_type": "application/json", "authorization": f"Bearer {self.token(scope, site)}"}
        return self.system.request(method, f"/api{path}", sent, **{**defaults, **headers})

    def upload(self, content: bytes, **query: Any) -> Any:
        """Upload an image and return the answer."""
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        return self.call("POST", f"/media?{asked}", content, content_type="application/octet-stream")

    def image(self, color: tuple[int, int, int] = (40, 90, 60), size: tuple[int, int] = (640, 400)) -> dict[str, Any]:
        """Upload a picture of one colour and return it as an article names it; `alt` is empty."""
        output = io.BytesIO()
        Image.new("RGB", size, color).save(output, "PNG")
        answer = self.upload(output.getvalue())
        assert answer.status in (200, 201), answer.text
        return dict(answer.json()["image"])

    def create(self, title: str, **fields: Any) -> dict[str, Any]:
        """Create a draft and return it."""
        given = {"site": "haihau", "section": "tin-tuc", "title": title, "body": "<p>Thân bài.</p>", **fields}
        answer = self.call("POST", "/articles", given)
        assert answer.status == 201, answer.text
        return dict(answer.json())

    def version(self, article: str) -> int:
        """Return the working version of an article."""
        return int(self.call("GET", f"/articles/{article}", scope="read").json()["version"])

    def step(self, article: str, name: str, body: Any = None) -> dict[str, Any]:
        """Take a step of the workflow, of the version that is read first, and return the article."""
        scope, sent = "write" if name == "submit" else "publish", {"version": self.version(article), **(body or {})}
        answer = self.call("POST", f"/articles/{article}/{name}", sent, scope)
        assert answer.status == 200, answer.text
        return dict(answer.json())

    def publish(self, article: str) -> dict[str, Any]:
        """Submit, approve and publish an article, and return it."""
        for name in ("submit", "approve"):
            self.step(article, name)
        return self.step(article, "publish")

    def wait_for_recovery(self, article: str, version: int) -> None:
        """Wait until a version was taken over that a test has sent to the topic itself.

        Articles that exist then skip versions: a test that follows must not be surprised by it between two steps.
        """

        def is_taken_over() -> bool:
            answer = self.call("GET", f"/articles/{article}", scope="read")
            return answer.status == 200 and int(answer.json()["version"]) >= version

        wait_for(is_taken_over, what="the version that only the topic had")

    def publication(self, article: str, **query: Any) -> dict[str, Any]:
        """Return the publication status: without `wait` the final one."""
        asked = "&".join(f"{name}={value}" for name, value in {"wait": "8s", **query}.items())

        def answer() -> dict[str, Any] | None:
            status = dict(self.call("GET", f"/articles/{article}/publication?{asked}", scope="read").json())
            return status if "wait" in query or status.get("status") not in ("queued", "rendering") else None

        return dict(wait_for(answer, what="the publication"))


@pytest.fixture(scope="session")
def editors(system: Any) -> Editors:
    """Editors of the running system."""
    return Editors(system)
