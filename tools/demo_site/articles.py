"""Articles of a district portal: long and short, with and without pictures, and with every kind of block."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tools.demo_site.photos import TALL, WIDE, Scene, land, sea, town


def figure(scene: Scene, seed: int, alt: str, caption: str = "", credit: str = "", *, tall: bool = False) -> Any:
    """Return a figure whose `photo` is drawn and uploaded later, and then replaced by the media ID."""
    figure = {"caption": caption, "image": {"photo": (scene, TALL if tall else WIDE, seed), "alt": alt}}
    return figure | ({"credit": credit} if credit else {})


def text(*paragraphs: str) -> list[dict[str, Any]]:
    """Return paragraphs as blocks."""
    return [{"type": "paragraph", "html": paragraph} for paragraph in paragraphs]


FESTIVAL: dict[str, Any] = {
    "section": "van-hoa",
    "kicker": "Lễ hội truyền thống",
    "title": "Khai hội chùa Lương: rộn ràng tiếng trống, đông đảo nhân dân và du khách về dự",
    "subtitle": "Nghề dệt chiếu, đan lưới và mâm cỗ quê được trình diễn ngay bên cầu Ngói",
    "lead": "Sáng nay, lễ hội chùa Lương được khai mạc bên cây cầu Ngói hơn năm trăm tuổi. Trong ba ngày, các làng "
    "nghề trong huyện trình diễn nghề cũ, thi bơi chải và mời khách thưởng thức mâm cỗ quê.",
    "lead_image": figure(
        town,
        3,
        "Đông người đi trên phố có nhà mái ngói",
        "Phố chợ bên cầu Ngói trong buổi sáng khai hội.",
        "Ảnh: Minh Hòa",
    ),
    "authors": [{"name": "Nguyễn Thị Hòa", "role": "Phóng viên"}],
    "source": {"name": "Báo Nam Định"},
    "tags": ["lễ hội", "chùa Lương", "làng nghề", "du lịch"],
    "featured": True,
    "body": [
        *text(
            "Từ tờ mờ sáng, dòng người đã đổ về hai bên bờ sông Trung Giang. Các cụ mặc áo the, khăn xếp; lũ trẻ chạy "
            "theo đoàn múa lân, còn ở sân đình những nồi bánh chưng đang bốc khói nghi ngút.",
            "Theo ban tổ chức, năm nay có <strong>12 xã, thị trấn</strong> tham gia với hơn 40 gian hàng. Khách có thể "
            'xem <a href="/thong-bao/">lịch chi tiết trên trang này</a> hoặc hỏi tại bàn đón tiếp ở đầu cầu.',
        ),
        {"type": "heading", "html": "Nghề cũ giữa hội mới"},
        *text(
            "Bà Phạm Thị Mận, 74 tuổi, dệt chiếu từ năm lên chín. Bà bảo nghề này “ngồi mãi thành quen, đứng dậy "
            "lại nhớ”. Bên khung dệt của bà lúc nào cũng có vài cô gái trẻ xin ngồi thử."
        ),
        {"type": "figure"}
        | figure(sea, 5, "Ba chiếc thuyền trên mặt nước lặng", "Thuyền về bến sau chuyến biển đêm.", tall=True),
        {
            "type": "quote",
            "paragraphs": ["Giữ được nghề là giữ được nếp nhà. Con cháu đi đâu rồi cũng nhớ đường về."],
            "cite": "Bà Phạm Thị Mận, làng chiếu Lương",
        },
        {"type": "heading", "html": "Ba ngày hội có gì?"},
        {
            "type": "list",
            "items": [
                {"html": "<strong>Ngày thứ nhất:</strong> lễ dâng hương, rước kiệu, khai hội."},
                {
                    "html": "<strong>Ngày thứ hai:</strong> trình diễn nghề",
                    "items": [{"html": "dệt chiếu, đan lưới"}, {"html": "làm kẹo sìu châu, bánh nhãn"}],
                },
                {"html": "<strong>Ngày thứ ba:</strong> thi bơi chải, trao giải, hát chèo."},
            ],
        },
        {
            "type": "table",
            "caption": "Số gian hàng và khách dự hội qua các năm",
            "rows": [
                [{"html": name, "header": True} for name in ("Năm", "Gian hàng", "Lượt khách", "Xã tham gia")],
                [{"html": "2022", "header": True}, {"html": "18"}, {"html": "9.500"}, {"html": "7"}],
                [{"html": "2023", "header": True}, {"html": "27"}, {"html": "14.200"}, {"html": "9"}],
                [{"html": "2024", "header": True}, {"html": "35"}, {"html": "21.800"}, {"html": "11"}],
            ],
        },
        {
            "type": "embed",
            "url": "https://www.youtube.com/watch?v=abcdefghijk",
            "title": "Toàn cảnh lễ khai hội chùa Lương",
        },
        *text(
            "Lễ hội kéo dài đến hết Chủ nhật. Khách đi bằng ô tô gửi xe miễn phí ở sân vận động huyện; từ đó có xe "
            "điện đưa đến đầu cầu Ngói, mười phút một chuyến."
        ),
    ],
}
STORIES: list[dict[str, Any]] = [
    FESTIVAL,
    {
        "section": "tin-tuc",
        "kicker": "Kinh tế biển",
        "title": "Ngư dân Hải Triều trúng đậm mùa cá khoai, mỗi thuyền thu về hàng chục triệu đồng một chuyến",
        "lead": "Sau nhiều ngày biển động, thuyền của ngư dân xã Hải Triều nối nhau cập bến với khoang đầy cá khoai.",
        "lead_image": figure(
            sea, 1, "Thuyền đánh cá treo cờ đỏ trên biển buổi sớm", "Thuyền về bến Hải Triều.", "Ảnh: Văn Đức"
        ),
        "tags": ["ngư dân", "kinh tế biển"],
        "body": text(
            "Từ ba giờ sáng, bãi biển đã sáng ánh đèn. Thương lái đợi sẵn để cân cá ngay mép nước.",
            "Giá cá khoai loại một đang ở mức cao; mỗi chuyến sau khi trừ chi phí, chủ thuyền còn lãi khá.",
        ),
    },
    {
        "section": "tin-tuc",
        "title": "Lúa xuân trổ đều, nông dân phấn khởi",
        "lead": "Hơn 9.800 ha lúa xuân của huyện đang trổ bông, sâu bệnh được kiểm soát tốt.",
        "lead_image": figure(land, 2, "Ruộng lúa xanh trải đến chân đồi", "Cánh đồng mẫu lớn ở Hải Quang."),
        "tags": ["nông nghiệp", "lúa xuân"],
        "body": text("Các hợp tác xã đã cử người thăm đồng hằng ngày và hướng dẫn bà con giữ nước mặt ruộng."),
    },
    {
        "section": "thong-bao",
        "kind": "notice",
        "title": "Thông báo lịch tiếp công dân tháng 12",
        "lead": "Lãnh đạo huyện tiếp công dân định kỳ vào sáng thứ Năm hằng tuần tại trụ sở tiếp công dân.",
        "tags": ["tiếp công dân"],
        "body": [
            {
                "type": "list",
                "ordered": True,
                "items": [{"html": f"Thứ Năm, ngày {day}/12, từ 7 giờ 30"} for day in (3, 10, 17)],
            },
            *text("Người dân mang theo giấy tờ tùy thân và đơn (nếu có)."),
        ],
    },
    {
        "section": "van-hoa",
        "title": "Nghề đan lưới ở Hải Lý: những bàn tay không tuổi",
        "lead": "Ở xóm biển Xương Điền, các cụ bà vẫn ngồi đan lưới mỗi chiều, tay thoăn thoắt như thời con gái.",
        "lead_image": figure(sea, 8, "Thuyền neo trên biển lúc hoàng hôn", "Chiều xuống ở Xương Điền.", tall=True),
        "tags": ["làng nghề"],
        "body": text("Một tấm lưới lớn cần ba người đan trong nửa tháng."),
    },
    {
        "section": "tin-tuc",
        "title": "Khánh thành đường trục xã Hải Anh dài 3,2 km",
        "lead": "Tuyến đường rộng 7 m, có vỉa hè và hệ thống thoát nước, do Nhà nước và nhân dân cùng làm.",
        "lead_image": figure(town, 6, "Dãy nhà mái ngói bên đường mới", "Đường mới qua trung tâm xã Hải Anh."),
        "tags": ["nông thôn mới", "giao thông"],
        "body": text("Nhân dân đã hiến hơn 2.000 m² đất để mở đường."),
    },
    {
        "section": "tin-tuc",
        "title": "Trường tiểu học Yên Định đón bằng đạt chuẩn quốc gia mức độ 2",
        "lead": "Thầy và trò nhà trường đón tin vui đúng dịp kỷ niệm 60 năm thành lập.",
        "tags": ["giáo dục"],
        "body": text("Nhà trường có 24 phòng học kiên cố, thư viện và nhà đa năng."),
    },
    {
        "section": "thong-bao",
        "kind": "notice",
        "title": "Tạm ngừng cấp điện một số khu vực để sửa chữa lưới điện trung áp, từ 6 giờ đến 16 giờ ngày 28/11",
        "tags": ["điện lực"],
        "body": text("Điện lực mong khách hàng thông cảm và chủ động kế hoạch sinh hoạt, sản xuất."),
    },
    {
        "section": "van-hoa",
        "title": "Hội thi hát chèo không chuyên: 16 đội tranh tài",
        "lead": "Sân khấu ngoài trời bên hồ trung tâm chật kín người xem trong đêm chung kết.",
        "lead_image": figure(town, 11, "Khán giả trước dãy nhà bên hồ", "Khán giả đến sớm giữ chỗ."),
        "tags": ["hát chèo", "lễ hội"],
        "body": text("Giải nhất thuộc về đội xã Hải Phương với trích đoạn “Xúy Vân giả dại”."),
    },
    {
        "section": "tin-tuc",
        "title": "Tiêm vắc-xin phòng dại miễn phí cho đàn chó, mèo toàn huyện trong tháng 11",
        "lead": "Mỗi xã có ít nhất hai điểm tiêm; người nuôi cần mang theo sổ theo dõi.",
        "tags": ["thú y"],
        "body": text("Đến nay đã tiêm được hơn 31.000 con."),
    },
    {
        "section": "tin-tuc",
        "title": "Muối Bạch Long được giá",
        "lead": "Nắng đều, diêm dân tranh thủ ra đồng từ sớm; muối sạch bán tại ruộng cao hơn năm ngoái.",
        "lead_image": figure(land, 9, "Đồng ruộng dưới nắng", "Đồng muối vào vụ."),
        "tags": ["diêm dân"],
        "body": text("Hợp tác xã bao tiêu toàn bộ sản lượng."),
    },
    {
        "section": "van-hoa",
        "title": "Về thăm làng kèn Phạm Pháo",
        "lead": "Cả làng biết thổi kèn, nhiều nhà ba thế hệ cùng chơi trong một dàn nhạc.",
        "tags": ["làng nghề"],
        "body": text("Tiếng kèn đồng vang lên vào mỗi tối thứ Bảy."),
    },
]
TRANSLATION: dict[str, Any] = {
    "section": "van-hoa",
    "language": "en",
    "title": "Luong Pagoda festival opens beside a bridge five hundred years old",
    "lead": "For three days the district's craft villages show their trades, race boats and serve country feasts.",
    "source": {"name": "Nam Dinh Newspaper"},
    "body": text("People came to both banks of the Trung Giang river before dawn."),
}
WITHDRAWN: dict[str, Any] = {
    "section": "tin-tuc",
    "title": "Tin đã gỡ",
    "body": text("Bài này được gỡ để thử trang báo 410."),
    "withdrawn": True,
}
LENGTHS = [
    {
        "section": "tin-tuc",
        "title": f"Bản tin ngày {day}/11",
        "lead": f"Những việc chính trong ngày {day}/11.",
        "body": text("…"),
    }
    for day in range(1, 13)
]
"""Enough for a second page of a list."""


def as_sent(story: dict[str, Any], place: int, site: str, figures: Any) -> dict[str, Any]:
    """Return a story as the API accepts it, older with a higher place; `figures` uploads its photos."""
    now = datetime.now(UTC).replace(microsecond=0)
    fields = {name: value for name, value in story.items() if name not in ("featured", "withdrawn")}
    if story.get("featured"):
        fields["featured_until"] = (now + timedelta(days=30)).isoformat()
    at = now - timedelta(hours=1 + 7 * place)
    sent: dict[str, Any] = figures({"site": site, "published_at": at.isoformat(), **fields})
    return sent
