"""Sends the sample articles to a running portal, as editors do: pictures, then each article, then its publication."""

import json
import urllib.request
from typing import Any

from tools.demo_site.articles import LENGTHS, STORIES, TRANSLATION, WITHDRAWN, as_sent
from tools.demo_site.photos import drawn


class EditorClient:
    """An editor with an admin token."""

    def __init__(self, url: str, token: str, site: str = "haihau") -> None:
        self._api = f"{url}/api"
        self._token = token
        self._site = site
        self._photos: dict[Any, str] = {}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the decoded response."""
        is_file = isinstance(body, bytes)
        sent = body if is_file or body is None else json.dumps(body).encode()
        kind = "application/octet-stream" if is_file else "application/json"
        headers = {"authorization": f"Bearer {self._token}", "content-type": kind}
        request = urllib.request.Request(self._api + path, sent, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def figures(self, value: Any) -> Any:
        """Return an article with each photo uploaded and referenced by its ID."""
        if isinstance(value, dict):
            given = {name: self.figures(part) for name, part in value.items() if name != "photo"}
            return given | ({"media": self.photo(value["photo"])} if "photo" in value else {})
        return [self.figures(part) for part in value] if isinstance(value, list) else value

    def photo(self, photo: Any) -> str:
        """Upload a photo once and return its ID."""
        if photo not in self._photos:
            self._photos[photo] = self.call("POST", f"/media?site={self._site}", drawn(*photo))["id"]
        return self._photos[photo]

    def publish(self, story: dict[str, Any], place: int) -> tuple[str, str]:
        """Publish a story; return its ID and path once it is live. A story marked `withdrawn` is killed at once."""
        made = self.call("POST", "/articles", as_sent(story, place, self._site, self.figures))
        version = made["version"]
        for step in ("submit", "approve", "publish"):
            version = self.call("POST", f"/articles/{made['id']}/{step}", {"version": version})["version"]
        if story.get("withdrawn"):
            self.call("POST", f"/articles/{made['id']}/kill", {"reason": "Thử trang báo"})
        publication = self.call("GET", f"/articles/{made['id']}/publication?wait=10s")
        assert publication["status"] in ("live", "withdrawn"), publication
        return made["id"], f"/{made['slug']}-{made['number']}.html"


def publish_sample(url: str, token: str, site: str = "haihau", *, more: bool = True) -> dict[str, str]:
    """Publish the sample articles on a site and return {name: path} of typical pages."""
    editor = EditorClient(url, token, site)
    ids, paths = zip(*(editor.publish(story, place) for place, story in enumerate(STORIES)), strict=True)
    _, translation = editor.publish({**TRANSLATION, "translation_of": ids[0]}, len(STORIES) // 2)
    if more:
        for place, story in enumerate(LENGTHS, len(STORIES)):
            editor.publish(story, place)
    return {
        "home": "/",
        "article": paths[0],
        "short article": paths[2],
        "notice": paths[3],
        "translation": translation,
        "section": "/tin-tuc/",
        "tag": "/tag/lang-nghe/",
        "months": "/luu-tru/",
        "search": "/tim-kiem?q=le+hoi",
        "no results": "/tim-kiem?q=qqzzxx",
        "empty search": "/tim-kiem",
        "site map": "/so-do-site",
        "not found": "/khong-co",
        "gone": editor.publish(WITHDRAWN, 0)[1],
    }
