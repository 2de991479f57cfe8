"""The sample portal by which the search is judged: 367 Vietnamese articles, each with the facts that judgments name."""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.articles import Article, Author, Figure, Heading, Paragraph
from shared.sites import Section, Site
from shared.slugs import name_slug
from tests.bench.search_topics import COMMON, PLACES, TOPICS, Topic

SEARCH_SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[
        Section("tin-tuc", "Tin tức"),
        Section("thong-bao", "Thông báo"),
        Section("van-hoa", "Văn hóa"),
        Section("giao-duc", "Giáo dục"),
    ],
)
BEGIN = datetime(2024, 1, 1, 1, tzinfo=UTC)
DECISIONS = {
    "Quyết định số 15/2024/QĐ-UBND về giá đất ở": "quy định bảng giá đất ở tại đô thị và nông thôn",
    "Quyết định số 15/2023/QĐ-UBND về quản lý chợ": "quy định về quản lý, khai thác chợ",
    "Quyết định số 51/2024/QĐ-UBND về hỗ trợ người nuôi tôm": "mức hỗ trợ hộ nuôi tôm bị thiệt hại",
    "Nghị quyết 08/NQ-HĐND về đặt tên đường": "đặt tên mười hai tuyến đường của thị trấn",
    "Công văn 1234/UBND-VX về nghỉ Tết Nguyên đán": "lịch nghỉ Tết của cơ quan và trường học",
    "Thông báo số 27/TB-UBND về tuyển dụng viên chức": "chỉ tiêu và hồ sơ tuyển dụng viên chức giáo dục",
}
SPECIALS: dict[str, dict[str, Any]] = {
    "thu-khoa": {
        "title": "Trần Nam, cậu học trò nghèo đỗ thủ khoa đại học",
        "lead": "Bố mất sớm, Trần Nam vừa học vừa giúp mẹ làm muối.",
        "section": "giao-duc",
    },
    "thi-tran-nam": {
        "title": "Thị trấn Yên Định: dấu ấn một năm nhìn lại",
        "lead": "Trong năm, thị trấn hoàn thành mười hai chỉ tiêu; năm tới thị trấn mở rộng chợ.",
        "section": "tin-tuc",
    },
    "ngan-sach": {
        "title": "Huyện thu ngân sách vượt dự toán",
        "lead": "Tổng thu đạt 1.234.567 triệu đồng, bằng 112 phần trăm dự toán.",
        "section": "tin-tuc",
    },
    "dan-so": {
        "title": "Công bố kết quả tổng điều tra dân số",
        "lead": "Toàn huyện có 295,314 người, mật độ 1.300 người một ki-lô-mét vuông.",
        "section": "tin-tuc",
    },
    "gia-muoi": {
        "title": "Giá muối tăng nhờ nắng kéo dài",
        "lead": "Giá muối tuần này ở mức 1.800 đồng một ki-lô-gam.",
        "section": "tin-tuc",
    },
    "nhieu-the": {
        "title": "Hội nghị giao ban công tác tháng",
        "lead": "Hội nghị nghe báo cáo và bàn việc tháng sau.",
        "tags": ["khai sinh", "chợ phiên", "sốt xuất huyết", "OCOP"],
        "section": "tin-tuc",
    },
    "hoa-binh": {
        "title": "Giải chạy vì hoà bình thu hút nghìn người khoẻ mạnh",
        "lead": "Các vận động viên chạy quanh hồ, ai khoẻ thì chạy mười cây số.",
        "section": "van-hoa",
    },
    "hoa-xuan": {
        "title": "Làng hoa vào xuân",
        "lead": "Hoa bình dân bán chạy, hoa cao cấp chậm hơn.",
        "section": "van-hoa",
    },
    "thuy-loi": {
        "title": "Nạo vét kênh thuỷ lợi nội đồng",
        "lead": "Công ty thuỷ lợi nạo vét kênh cấp hai trước vụ mùa.",
        "section": "tin-tuc",
    },
    "ky-thuat": {
        "title": "Tập huấn kĩ thuật ghép cây cảnh",
        "lead": "Nghệ nhân hướng dẫn kĩ thuật ghép, uốn và tưới.",
        "section": "van-hoa",
    },
    "nha-tho": {
        "title": "Nhà thờ đổ giữa biển: chứng tích xói lở",
        "lead": "Nhà thờ Trái Tim ở Hải Lý là điểm đến của nhiều nhóm chụp ảnh.",
        "section": "van-hoa",
    },
    "cau-ngoi": {
        "title": "Cầu ngói chùa Lương được tu bổ",
        "lead": "Cầu ngói chùa Lương là một trong những cầu ngói cổ đẹp nhất nước.",
        "section": "van-hoa",
    },
    "thu-vien": {
        "title": "Thư viện lưu động đến với học sinh vùng biển",
        "lead": "Xe thư viện chở ba nghìn cuốn sách đến sân trường.",
        "section": "giao-duc",
    },
    "english-tourism": {
        "title": "Hai Hau promotes community-based tourism",
        "lead": "Visitors can stay with salt farmers and visit the ruined church on the beach.",
        "section": "tin-tuc",
        "language": "en",
    },
    "english-rice": {
        "title": "Fragrant rice of Hai Hau earns protected status",
        "lead": "The rice is grown on 1,200 hectares near the coast.",
        "section": "tin-tuc",
        "language": "en",
    },
}
SHORT = {
    "Chợ phiên": "Một nét sinh hoạt của làng biển, tháng chín phiên.",
    "Nước sạch": "Hỏi và đáp về đồng hồ, giá nước và lịch sửa chữa.",
    "Nông thôn mới": "Mười chín tiêu chí và cách chấm điểm.",
    "Hát chèo": "Những làn điệu cổ còn được hát ở các xã ven biển.",
    "Nuôi tôm": "Lịch thả giống và cách đo độ mặn.",
    "Thịnh Long": "Thị trấn biển, bãi tắm và cảng cá.",
    "Hải Anh": "Xã có cầu ngói, nghề dệt và vườn cây cảnh.",
    "Học bổng": "Các loại học bổng dành cho học sinh của huyện.",
    "Bảo hiểm y tế": "Quyền lợi, mức đóng và nơi khám chữa bệnh ban đầu.",
}
"""Short titles of the oldest articles, whose words many newer titles have."""
LONG = (
    "Ban Chấp hành Đảng bộ huyện họp bàn về các giải pháp thực hiện nhiệm vụ phát triển kinh tế, bảo đảm quốc phòng "
    "những tháng còn lại và chuẩn bị đại hội"
)


@dataclass(frozen=True)
class SampleArticle:
    """An article and its key: "topic/place", "decision/NUMBER", "special/NAME", "short/TITLE" or "long"."""

    key: str
    article: Article


def search_articles(seed: int) -> Iterator[SampleArticle]:
    """Make the articles, in an order that mixes subjects, two hours apart."""
    chance = random.Random(seed)
    made: list[tuple[str, dict[str, Any]]] = [
        (f"{name}/{place}", _of_topic(topic, place, person, chance))
        for name, topic in TOPICS.items()
        for place, person in PLACES.items()
    ]
    for title, text in DECISIONS.items():
        number = title.split(" về ")[0].rsplit(" ", 1)[1]
        body = [f"Văn bản {number} {text}, có hiệu lực sau mười ngày kể từ ngày ký.", *chance.sample(COMMON, 2)]
        section = "thong-bao"
        made.append((f"decision/{number}", {"title": title, "lead": "", "section": section, "body": _blocks(body)}))
    for name, fields in SPECIALS.items():
        english = fields.get("language") == "en"
        common = [] if english else chance.sample(COMMON, 3)
        made.append((f"special/{name}", {"body": _blocks([fields["lead"], *common]), **fields}))
    made.append(("long", {"title": LONG, "section": "tin-tuc", "body": _blocks(chance.sample(COMMON, 4))}))
    chance.shuffle(made)
    made[:0] = [
        (f"short/{title}", {"title": title, "lead": lead, "section": "van-hoa", "body": _blocks([lead, COMMON[0]])})
        for title, lead in SHORT.items()
    ]
    for number, (key, fields) in enumerate(made, 1):
        yield SampleArticle(key, _article(number, fields))


def _of_topic(topic: Topic, place: str, person: str, chance: random.Random) -> dict[str, Any]:
    given = {"p": place, "who": person, "n": _grouped(chance.randint(11, 9_999))}
    texts = [line.format(**given) for line in topic.body] + chance.sample(COMMON, 3)
    return {
        "title": topic.title.format(**given)[:1].upper() + topic.title.format(**given)[1:],
        "lead": topic.lead.format(**given),
        "section": topic.section,
        "tags": list(topic.tags),
        "body": [*_blocks(texts[:2]), Figure(topic.caption.format(**given)), *_blocks(texts[2:])],
        "authors": [Author("Ban Biên tập")],
    }


def _blocks(texts: list[str]) -> list[Any]:
    paragraphs = [Paragraph(text) for text in texts]
    return [*paragraphs[:1], Heading("Kết quả bước đầu"), *paragraphs[1:]]


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def _article(number: int, fields: dict[str, Any]) -> Article:
    at = BEGIN + timedelta(hours=2 * number)
    given = {name: _spelled(number, text) if isinstance(text, str) else text for name, text in fields.items()}
    common: dict[str, Any] = {
        "id": f"search-{number}",
        "number": number,
        "site": SEARCH_SITE.slug,
        "version": 1,
        "state": "published",
        "slug": name_slug(given["title"])[:90].strip("-") or "bai",
        "language": "vi",
        "modified_at": at,
        "first_published_at": at,
        "published_at": at,
    }
    return Article(**{**common, **given})


def _spelled(number: int, text: str) -> str:
    """Return a text as some keyboards write it: with the old place of the tone, or with combining marks."""
    if number % 3 == 0:
        for new, old in (("hòa", "hoà"), ("hóa", "hoá"), ("hủy", "huỷ"), ("Ủy", "Uỷ"), ("ủy", "uỷ"), ("khỏe", "khoẻ")):
            text = text.replace(new, old)
    return unicodedata.normalize("NFD", text) if number % 7 == 0 else text
