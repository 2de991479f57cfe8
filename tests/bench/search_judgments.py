"""Judged searches of the sample portal: what a reader who types this expects, from 3 (this is it) to 1 (of some use).

Written from the articles' facts before the ranking was changed. A line is `query | selector=grade …`; a selector is an
article's key, in which `*` is anything and `@` a blank. Of several selectors of an article, the highest grade counts,
unless one is 0.
"""

import unicodedata
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal[
    "title", "name", "place", "subject", "without diacritics", "combining marks", "place of the tone", "number",
    "document number", "question", "phrase", "exclusion", "typing error", "abbreviation", "English",
]  # fmt: skip
Grades = dict[str, int]


@dataclass(frozen=True)
class JudgedQuery:
    """A query with the grades of the articles that answer it; all others have 0."""

    kind: Kind
    query: str
    grades: Grades

    def grade(self, key: str) -> int:
        """Return the grade of an article: 0 if one of its selectors says so, else the highest."""
        found = [grade for selector, grade in self.grades.items() if fnmatchcase(key, selector)]
        return 0 if 0 in found else max(found, default=0)


_LINES: dict[Kind, str] = {
    "title": """
Chợ phiên Cồn đông vui ngày cuối năm | cho-phien/Cồn=3 cho-phien/*=1
Diêm dân Hải Triều được mùa muối sớm | muoi/Hải@Triều=3 muoi/*=1
Nước sạch về với người dân Giao Thủy | nuoc-sach/Giao@Thủy=3 nuoc-sach/*=1
Hợp tác xã nông nghiệp Hải Hòa đổi mới cách làm | hop-tac-xa/Hải@Hòa=3 hop-tac-xa/*=1
Trường THCS Hải Đường đón bằng trường đạt chuẩn quốc gia | truong-chuan/Hải@Đường=3 truong-chuan/*=1
Cầu ngói chùa Lương được tu bổ | special/cau-ngoi=3
Làng hoa vào xuân | special/hoa-xuan=3
Hội nghị giao ban công tác tháng | special/nhieu-the=3
Nước sạch | short/Nước@sạch=3 nuoc-sach/*=2
nuoi tom | short/Nuôi@tôm=3 nuoi-tom/*=2
Quyết định số 15/2024/QĐ-UBND về giá đất ở | decision/15/2024/*=3
Thí sinh Yên Định tự tin bước vào kỳ thi tuyển sinh lớp 10 | tuyen-sinh/Yên@Định=3 tuyen-sinh/*=1
""",
    "name": """
Trần Nam | special/thu-khoa=3 */Thịnh@Long=3
Trần Văn Năm | */Hải@Anh=3
Nguyễn Thị Hòa | */Yên@Định=3
Phạm Văn Thủy | */Cồn=3
Lê Thị Thu Huyền | */Hải@Minh=3
Vũ Đức Đam | */Hải@Phương=3
Hoàng Thị Mỹ Lệ | */Hải@Hưng=3
ngo thi ly | */Hải@Triều=3
Cao Thị Quý hợp tác xã | hop-tac-xa/Nghĩa@Hưng=3
Bùi Quang Huy nuôi tôm | nuoi-tom/Hải@Xuân=3
""",
    "place": """
Thịnh Long | short/Thịnh@Long=3 */Thịnh@Long=3
Hải Đường | */Hải@Đường=3
Giao Thủy | */Giao@Thủy=3
Nghĩa Hưng | */Nghĩa@Hưng=3
đền làng Hải Anh | le-hoi/Hải@Anh=3 le-hoi/*=1
chợ Cồn | cho-phien/Cồn=3 chua-chay/Cồn=1 cho-phien/*=1
nhà thờ đổ | special/nha-tho=3
chùa Lương | special/cau-ngoi=3
""",
    "subject": """
chợ phiên | short/Chợ@phiên=3 cho-phien/*=3 special/nhieu-the=1
sốt xuất huyết | sot-xuat-huyet/*=3 special/nhieu-the=1
đăng ký khai sinh | khai-sinh/*=3 special/nhieu-the=1
nông thôn mới | short/Nông@thôn@mới=3 nong-thon-moi/*=3
giá muối | special/gia-muoi=3 muoi/*=2
tiêm chủng trẻ em Hải Ninh | tiem-chung/Hải@Ninh=3 tiem-chung/*=1
học bổng học sinh nghèo | short/Học@bổng=2 khuyen-hoc/*=3
nuôi tôm công nghệ cao | short/Nuôi@tôm=1 nuoi-tom/*=3
hát chèo thiếu nhi | short/Hát@chèo=1 hat-cheo/*=3
phân loại rác | rac-thai/*=3
bảng giá đất | decision/15/2024/*=3
tuyển dụng viên chức | decision/27/*=3
nghỉ Tết | decision/1234/*=3
đặt tên đường | decision/08/*=3
khai sinh Hải Minh | khai-sinh/Hải@Minh=3 khai-sinh/*=1
lễ hội Yên Định | le-hoi/Yên@Định=3 le-hoi/*=1
""",
    "without diacritics": """
cho phien con | cho-phien/Cồn=3 cho-phien/*=1
sot xuat huyet hai ninh | sot-xuat-huyet/Hải@Ninh=3 sot-xuat-huyet/*=1
dang ky khai sinh truc tuyen | khai-sinh/*=3
nong thon moi nang cao giao thuy | nong-thon-moi/Giao@Thủy=3 nong-thon-moi/*=1
thu vien luu dong | special/thu-vien=3
lua xuan hai xuan | lua-xuan/Hải@Xuân=3 lua-xuan/*=1
nghia vu quan su | nhap-ngu/*=3
cau ngoi chua luong | special/cau-ngoi=3
bao so 3 thinh long | bao-so-3/Thịnh@Long=3 bao-so-3/*=1
tran nam do thu khoa | special/thu-khoa=3
""",
    "combining marks": """
nước sạch Hải Anh | nuoc-sach/Hải@Anh=3 nuoc-sach/*=1
hát chèo Hải Minh | short/Hát@chèo=1 hat-cheo/Hải@Minh=3 hat-cheo/*=1
phòng cháy chữa cháy Cồn | chua-chay/Cồn=3 chua-chay/*=1
học bổng Hải Hưng | khuyen-hoc/Hải@Hưng=3 khuyen-hoc/*=1
thủ khoa đại học | special/thu-khoa=3
""",
    "place of the tone": """
giải chạy vì hòa bình | special/hoa-binh=3
hoà bình | special/hoa-binh=3
khỏe mạnh | special/hoa-binh=3
Hải Hoà nuôi tôm | nuoi-tom/Hải@Hòa=3 nuoi-tom/*=1
nạo vét kênh thủy lợi | special/thuy-loi=3
Giao Thuỷ sốt xuất huyết | sot-xuat-huyet/Giao@Thủy=3 sot-xuat-huyet/*=1
nuôi trồng thuỷ sản | nuoi-tom/*=3
kỹ thuật ghép cây | special/ky-thuat=3
nét đẹp văn hoá truyền thống | le-hoi/*=3
Mai Thị Khỏe | */Hải@Ninh=3
""",
    "number": """
1.234.567 | special/ngan-sach=3
1234567 | special/ngan-sach=3
1,234,567 triệu đồng | special/ngan-sach=3
295.314 người | special/dan-so=3
dân số 295314 | special/dan-so=3
1800 đồng một ki-lô-gam | special/gia-muoi=3
1200 hectares | special/english-rice=3
lúa Bắc thơm số 7 | lua-xuan/*=3
""",
    "document number": """
15/2024/QĐ-UBND | decision/15/2024/*=3
quyết định 15/2024/QĐ-UBND | decision/15/2024/*=3
15/2024/qd-ubnd | decision/15/2024/*=3
quyết định số 15 | decision/15/*=3
51/2024/QĐ-UBND | decision/51/*=3
08/NQ-HĐND | decision/08/*=3
nghị quyết 08 | decision/08/*=3
1234/UBND-VX | decision/1234/*=3
thông báo 27/TB-UBND | decision/27/*=3
QĐ 15/2023 | decision/15/2023/*=3
""",
    "question": """
làm thế nào để đăng ký khai sinh cho con? | khai-sinh/*=3
đăng ký khai sinh trực tuyến cần những giấy tờ gì | khai-sinh/*=3
làm căn cước công dân cho người già ở đâu | can-cuoc/*=3
bị sốt xuất huyết thì phải làm gì? | sot-xuat-huyet/*=3
khi nào tiêm vắc-xin sởi ở Hải Minh | tiem-chung/Hải@Minh=3 tiem-chung/*=1
giá muối hôm nay bao nhiêu | special/gia-muoi=3 muoi/*=2
ai là thủ khoa đại học | special/thu-khoa=3
vì sao nhà thờ đổ bị xói lở | special/nha-tho=3
mức hỗ trợ người nuôi tôm bị thiệt hại là bao nhiêu? | decision/51/*=3 nuoi-tom/*=1
lam the nao de dang ky khai sinh cho con | khai-sinh/*=3
tham gia bảo hiểm y tế hộ gia đình như thế nào | short/Bảo@hiểm@y@tế=2 bao-hiem/*=3
lịch nghỉ Tết của trường học năm nay ra sao? | decision/1234/*=3
dân số toàn huyện là bao nhiêu người | special/dan-so=3
""",
    "phrase": """
"chợ phiên Cồn" | cho-phien/Cồn=3
"thị trấn hoàn thành" | special/thi-tran-nam=3
"Trần Nam" | special/thu-khoa=3 */Thịnh@Long=3
“bảng giá đất ở” | decision/15/2024/*=3
"nhà thờ Trái Tim" | special/nha-tho=3
"bánh nhãn" OCOP | ocop/*=3
""",
    "exclusion": """
chợ phiên -Cồn -"Hải Hòa" | cho-phien/Cồn=0 cho-phien/Hải@Hòa=0 cho-phien/*=3
khai sinh -trực | special/nhieu-the=3
hòa bình -xuân | special/hoa-binh=3
muối -diêm | special/gia-muoi=3 special/thu-khoa=2
ngân sách -đường | special/ngan-sach=3
""",
    "typing error": """
thư vien lưu đông | special/thu-vien=3
thư viên lưu đọng | special/thu-vien=3
chợ phienn Cồn | cho-phien/Cồn=3 cho-phien/*=1
cầu ngoi chùa luơng | special/cau-ngoi=3
sốt xuất huyêt Cồn | sot-xuat-huyet/Cồn=3 sot-xuat-huyet/*=1
nạo vét kênh thủy lọi | special/thuy-loi=3
thu vein luu dong | special/thu-vien=3
dien dan duoc mua muoi som hai trieu | muoi/Hải@Triều=3 muoi/*=1
hát chheo Hải Anh | hat-cheo/Hải@Anh=3 hat-cheo/*=1
dan so tong dieu tar | special/dan-so=3
community turism | special/english-tourism=3
nhaf thờ đổ giữa biển | special/nha-tho=3
""",
    "abbreviation": """
UBND huyện trả lời cử tri | cu-tri/*=3
trung học cơ sở Hải Anh | truong-chuan/Hải@Anh=3 truong-chuan/*=1
THCS Hải Minh | truong-chuan/Hải@Minh=3 truong-chuan/*=1
HTX Hải Triều | hop-tac-xa/Hải@Triều=3 hop-tac-xa/*=1
BHYT hộ gia đình Cồn | bao-hiem/Cồn=3 bao-hiem/*=1
NTM nâng cao Hải Anh | nong-thon-moi/Hải@Anh=3 nong-thon-moi/*=1
PCCC Hải Đường | chua-chay/Hải@Đường=3 chua-chay/*=1
CCCD lưu động | can-cuoc/*=3
thi vào lớp 10 THPT | tuyen-sinh/*=3
nghị quyết hội đồng nhân dân đặt tên đường | decision/08/*=3
""",
    "English": """
community-based tourism | special/english-tourism=3
fragrant rice | special/english-rice=3
salt farmers | special/english-tourism=3
ruined church beach | special/english-tourism=3
Hai Hau rice | special/english-rice=3
""",
}


def judged_queries() -> list[JudgedQuery]:
    """Return all queries; those of `combining marks` are typed in Unicode's form NFD."""
    found = []
    for kind, lines in _LINES.items():
        for line in lines.strip().splitlines():
            query, _, given = line.partition(" | ")
            grades = {
                selector.replace("@", " "): int(grade)
                for selector, _, grade in (one.rpartition("=") for one in given.split())
            }
            query = unicodedata.normalize("NFD", query) if kind == "combining marks" else query
            found.append(JudgedQuery(kind, query, grades))
    return found
