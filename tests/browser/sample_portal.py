"""Pages of sample portals of any size, rendered in this process and served on loopback: no Kafka, no Postgres."""

import io
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image as Picture

from services.render.pages.document import Document
from services.render.pages.themes import theme_of
from services.render.site.representations import page_csp
from shared.articles import CROP_RATIOS, CROP_WIDTHS, IMAGE_WIDTHS, Article, Crop, Figure, Image, Paragraph, Rendition
from shared.sites import Section, Site

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
PIECE_SECONDS = 0.03
SLOW_BYTES = 20_000
"""More than what is above the fold; what is below arrives fast, so that tests do not wait."""
SECTION_NAMES = (
    "Thời sự",
    "Kinh tế",
    "Xã hội",
    "Văn hóa",
    "Giáo dục",
    "Y tế",
    "Nông nghiệp",
    "Nông thôn mới",
    "Quốc phòng – An ninh",
    "Thể thao",
    "Du lịch",
    "Thông báo",
)
SECTIONS = [Section(f"muc-{number}", name) for number, name in enumerate(SECTION_NAMES, 1)]
SITE = Site(
    slug="haihau",
    name="Trang thông tin điện tử huyện Hải Hậu",
    tagline="Cơ quan của Huyện ủy, Hội đồng nhân dân và Ủy ban nhân dân huyện",
    origins=["http://localhost:1"],
    timezone="Asia/Ho_Chi_Minh",
    sections=SECTIONS,
    agency="Ủy ban nhân dân huyện Hải Hậu",
    address="Thị trấn Yên Định, huyện Hải Hậu",
    responsible="Bà Nguyễn Thị Mai",
    phone="0228 3877 000",
    email="toasoan@haihau.example",
)
TITLES = (
    "Ngư dân Hải Triều trúng đậm mùa cá khoai, mỗi thuyền thu về hàng chục triệu đồng một chuyến",
    "Lúa xuân trổ đều, nông dân phấn khởi",
    "Khánh thành đường trục xã Hải Anh dài 3,2 km",
    "Tiêm vắc-xin phòng dại miễn phí cho đàn chó, mèo toàn huyện trong tháng 11",
    "Muối Bạch Long được giá",
    "Hội thi hát chèo không chuyên: 16 đội tranh tài trong đêm chung kết bên hồ trung tâm",
)
LEAD = (
    "Sau nhiều ngày biển động, thuyền của ngư dân nối nhau cập bến với khoang đầy cá; thương lái đợi sẵn từ ba giờ "
    "sáng để cân ngay mép nước, không khí bến cảng rộn ràng như ngày hội."
)
UNBROKEN = "Nghiêng" * 13
"""A title of 91 letters without a place to break it."""


def media_name(*parts: object) -> str:
    return md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Media:
    """The pictures that pages may ask for: {path: (width, height)}."""

    sizes: dict[str, tuple[int, int]]

    def _named(self, width: int, height: int, *parts: object) -> str:
        path = f"/media/{media_name(*parts, width, height)}.jpg"
        self.sizes[path] = (width, height)
        return path

    def _renditions(self, widths: tuple[int, ...], width: int, height: int, *parts: object) -> list[Rendition]:
        sizes = [(one, max(1, round(one * height / width))) for one in widths if one <= width]
        kinds = ("image/avif", "image/jpeg")
        return [Rendition(self._named(w, h, *parts, kind), w, h, kind) for kind in kinds for w, h in sizes]

    def image(self, number: int, width: int = 1600, height: int = 1067) -> Image:
        """Return an image as the media library makes it, with its renditions and crops."""
        crops = []
        for ratio, (across, down) in CROP_RATIOS.items():
            wide = min(width, height * across // down)
            high = wide * down // across
            made = self._renditions(CROP_WIDTHS[ratio], wide, high, number, ratio)
            crops.append(Crop(ratio, self._named(wide, high, number, ratio), wide, high, made))
        renditions = self._renditions(IMAGE_WIDTHS, width, height, number)
        return Image(self._named(width, height, number), "Mô tả ảnh", width, height, renditions=renditions, crops=crops)


def article(number: int, media: Media | None, **fields: object) -> Article:
    """Return an article; the higher its number, the newer it is. Without `media` it has no picture."""
    at = NOW - timedelta(minutes=37 * (20_000 - number))
    figure = None if media is None else Figure("Chú thích ảnh.", media.image(number % 60), "Ảnh: Văn Đức")
    given: dict[str, object] = {
        "id": f"a-{number}",
        "number": number,
        "site": "haihau",
        "version": 1,
        "state": "published",
        "title": TITLES[number % len(TITLES)],
        "slug": "bai-viet-mau-co-duong-dan-dai-vua-phai",
        "section": SECTIONS[number % len(SECTIONS)].slug,
        "language": "vi",
        "lead": LEAD if number % 3 else LEAD[:60],
        "lead_image": figure,
        "body": [Paragraph("Từ ba giờ sáng, bãi biển đã sáng ánh đèn.")],
        "modified_at": at,
        "first_published_at": at,
        "published_at": at,
    }
    return Article(**{**given, **fields})


def draw(size: tuple[int, int]) -> bytes:
    width, height = size
    tile = Picture.linear_gradient("L").resize((width, height))
    file = io.BytesIO()
    Picture.merge("RGB", (tile.point(lambda v: 60 + v // 2), tile.point(lambda v: 110 + v // 3), tile)).save(
        file, "JPEG", quality=40
    )
    return file.getvalue()


MOST_READ = "".join(
    f'<li><a href="/bai-{number}.html">{title}</a> <span class="presstally-count">1,2{number}</span></li>'
    for number, title in enumerate(TITLES[:5])
)


@dataclass
class Served:
    """A server of documents on loopback."""

    url: str
    documents: dict[str, Document]
    media: Media
    most_read: str = f'<ol class="presstally-top">{MOST_READ}</ol>'
    delay_seconds: float = 0.3
    """Until the counter answers: later than the first paint."""
    piece_bytes: int = 0
    """Of what pages arrive in slowly, as over a bad line; 0: whole."""


def _of_the_counter(served: Served, path: str) -> tuple[str, bytes] | None:
    if path == "/stats/widget.js":
        return "text/javascript", (ROOT / "services/stats/counter_api/widget.js").read_bytes()
    if path.startswith("/stats/haihau/top.html"):
        time.sleep(served.delay_seconds)
        return "text/html; charset=utf-8", served.most_read.encode()
    if path.startswith("/stats/haihau/counter"):
        values = {"online": 20, "today": 679, "week": 1712, "total": 1490782, "measure": "visits", "window": "calendar"}
        return "application/json", json.dumps({"site": "haihau", **values, "timezone": "", "as_of": ""}).encode()
    return None


def _answer(served: Served, path: str) -> tuple[int, str, bytes]:
    document = served.documents.get(path) or theme_of(SITE).assets.get(path)
    if document is not None:
        return 200, document.media_type, document.body
    if path in served.media.sizes:
        return 200, "image/jpeg", draw(served.media.sizes[path])
    counted = _of_the_counter(served, path)
    return (404, "text/plain", b"") if counted is None else (200, *counted)


@contextmanager
def serving(documents: Mapping[str, Document], media: Media) -> Iterator[Served]:
    """Serve documents with the theme's files, pictures, the counter, and what is most read."""
    pictures: dict[str, tuple[int, str, bytes]] = {}
    csp = page_csp(theme_of(SITE).inline_script_hash)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = pictures.get(self.path) or _answer(served, self.path)
            if self.path.startswith("/media/"):
                pictures[self.path] = answer
            status, kind, body = answer
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("content-security-policy", csp)
            self.end_headers()
            piece = served.piece_bytes if kind.startswith("text/html") else 0
            for at in range(0, len(body), piece or len(body) or 1):
                self.wfile.write(body[at : at + piece] if piece else body)
                time.sleep(PIECE_SECONDS if piece and at < SLOW_BYTES else 0)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://localhost:{server.server_port}", dict(documents), media)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
