"""Subjects of the sample portal of the search's benchmark: what district portals write about. Pure data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """A subject: an article about it is written for each place; {p} is the place, {who} a person, {n} a number."""

    section: str
    tags: tuple[str, ...]
    title: str
    lead: str
    body: tuple[str, ...]
    caption: str = "Ảnh: Một buổi làm việc ở {p}"


TOPICS = {
    "khai-sinh": Topic(
        "thong-bao",
        ("dịch vụ công", "hộ tịch"),
        "Hướng dẫn đăng ký khai sinh trực tuyến tại xã {p}",
        "Từ tháng này, cha mẹ ở {p} nộp hồ sơ khai sinh cho con qua cổng dịch vụ công, không phải đến trụ sở.",
        (
            "Giấy tờ gồm giấy chứng sinh, căn cước của cha hoặc mẹ và giấy chứng nhận kết hôn nếu có.",
            "Công chức tư pháp {who} cho biết kết quả được trả trong ngày, lệ phí được miễn nếu đăng ký đúng hạn.",
        ),
    ),
    "can-cuoc": Topic(
        "thong-bao",
        ("căn cước", "cải cách hành chính"),
        "Công an {p} cấp căn cước công dân lưu động cho người cao tuổi",
        "Tổ công tác đến tận nhà làm căn cước công dân cho người già yếu, người khuyết tật trên địa bàn {p}.",
        (
            "Trong ba ngày, tổ đã thu nhận {n} hồ sơ, lấy vân tay và chụp ảnh tại nhà.",
            "Đồng chí {who} cho biết thẻ được trả qua bưu điện sau bảy ngày làm việc.",
        ),
    ),
    "cho-phien": Topic(
        "van-hoa",
        ("chợ quê", "làng nghề"),
        "Chợ phiên {p} đông vui ngày cuối năm",
        "Mỗi tháng chín phiên, chợ {p} là nơi người trong vùng mua bán nông cụ, cây giống và quà quê.",
        (
            "Từ tờ mờ sáng, hàng mây tre, nón lá và bánh nhãn đã bày kín lối vào.",
            "Bà {who}, bán hàng ở chợ đã bốn mươi năm, nói phiên nào cũng có khách xa.",
        ),
        "Ảnh: Hàng nón lá ở chợ {p}",
    ),
    "nong-thon-moi": Topic(
        "tin-tuc",
        ("xây dựng nông thôn mới",),
        "{p} đón bằng công nhận đạt chuẩn nông thôn mới nâng cao",
        "Sau bốn năm phấn đấu, {p} hoàn thành mười chín tiêu chí nông thôn mới nâng cao.",
        (
            "Thu nhập bình quân đạt {n} nghìn đồng một tháng, đường thôn được trải nhựa và trồng hoa.",
            "Chủ tịch xã {who} nói phần khó nhất là tiêu chí môi trường.",
        ),
    ),
    "lua-xuan": Topic(
        "tin-tuc",
        ("sản xuất nông nghiệp",),
        "Nông dân {p} xuống đồng gieo cấy lúa xuân",
        "Tranh thủ thời tiết ấm, bà con {p} tập trung gieo cấy lúa xuân trong khung thời vụ tốt nhất.",
        (
            "Toàn xã gieo cấy {n} sào, chủ yếu là giống Bắc thơm số 7 và nếp Bắc.",
            "Kỹ sư {who} khuyên giữ nước mặt ruộng và bón lót đủ phân.",
        ),
    ),
    "muoi": Topic(
        "tin-tuc",
        ("nghề muối", "kinh tế biển"),
        "Diêm dân {p} được mùa muối sớm",
        "Nắng đều từ đầu vụ nên ruộng muối {p} cho sản lượng cao hơn năm ngoái.",
        (
            "Giá muối tại ruộng là {n} đồng một tạ, thương lái đến mua tận nơi.",
            "Ông {who} có ba sào ruộng, mỗi ngày thu bốn tạ muối trắng.",
        ),
        "Ảnh: Thu hoạch muối trên đồng {p}",
    ),
    "nuoi-tom": Topic(
        "tin-tuc",
        ("nuôi trồng thủy sản", "kinh tế biển"),
        "Nuôi tôm công nghệ cao ở {p} cho thu nhập khá",
        "Nhiều hộ ở {p} chuyển đầm quảng canh sang nuôi tôm thẻ trong nhà màng.",
        (
            "Mỗi vụ kéo dài ba tháng, năng suất {n} ki-lô-gam một ao.",
            "Anh {who} cho biết chi phí lớn nhất là điện và thức ăn, phải kiểm tra nước hằng ngày.",
        ),
    ),
    "sot-xuat-huyet": Topic(
        "thong-bao",
        ("y tế dự phòng",),
        "{p} chủ động phòng, chống bệnh sốt xuất huyết",
        "Trước mùa mưa, trạm y tế {p} phun hóa chất diệt muỗi và vận động các hộ lật úp dụng cụ chứa nước.",
        (
            "Người bệnh sốt cao liên tục từ hai ngày cần đến cơ sở y tế, không tự ý truyền dịch.",
            "Bác sĩ {who} nói thả cá vào bể nước là cách diệt bọ gậy đơn giản nhất.",
        ),
    ),
    "tiem-chung": Topic(
        "thong-bao",
        ("y tế dự phòng", "trẻ em"),
        "Trạm y tế {p} tổ chức tiêm chủng mở rộng cho trẻ em",
        "Lịch tiêm vắc-xin sởi và bạch hầu tại {p} vào ngày 5 và 20 hằng tháng.",
        (
            "Trong quý, {n} trẻ dưới một tuổi được tiêm đủ mũi, không có phản ứng nặng.",
            "Y sĩ {who} nhắc cha mẹ mang sổ tiêm và cho trẻ ở lại theo dõi ba mươi phút.",
        ),
    ),
    "truong-chuan": Topic(
        "giao-duc",
        ("trường chuẩn quốc gia",),
        "Trường THCS {p} đón bằng trường đạt chuẩn quốc gia",
        "Trường trung học cơ sở {p} có đủ phòng học bộ môn, thư viện và nhà tập đa năng.",
        (
            "Năm học qua, trường có {n} học sinh giỏi cấp huyện.",
            "Hiệu trưởng {who} cảm ơn các thế hệ thầy cô và phụ huynh.",
        ),
    ),
    "tuyen-sinh": Topic(
        "giao-duc",
        ("tuyển sinh", "thi cử"),
        "Thí sinh {p} tự tin bước vào kỳ thi tuyển sinh lớp 10",
        "Kỳ thi vào lớp 10 trung học phổ thông có ba môn: Toán, Ngữ văn và Ngoại ngữ.",
        (
            "Điểm thi {p} có {n} thí sinh, không có em nào đến muộn.",
            "Thầy {who} nói đề Toán vừa sức, đề Văn có câu mở.",
        ),
    ),
    "le-hoi": Topic(
        "van-hoa",
        ("lễ hội", "di sản"),
        "Khai hội đền làng {p}: giữ nét đẹp văn hóa truyền thống",
        "Lễ hội đền làng {p} diễn ra ba ngày với lễ rước kiệu, thi bơi chải và hát chầu văn.",
        (
            "Cụ {who}, thủ từ, kể rằng đền thờ các tướng có công lấn biển lập làng.",
            "Ban tổ chức bố trí {n} chỗ gửi xe miễn phí.",
        ),
        "Ảnh: Đoàn rước kiệu ở đền {p}",
    ),
    "giao-thong": Topic(
        "tin-tuc",
        ("hạ tầng", "đầu tư công"),
        "Khởi công tuyến đường liên xã qua {p}",
        "Tuyến đường dài sáu ki-lô-mét qua {p} được đầu tư từ ngân sách huyện và vốn đối ứng.",
        (
            "Tổng mức đầu tư là {n} triệu đồng, thi công trong mười tám tháng.",
            "Gia đình ông {who} hiến một trăm mét vuông đất để mở rộng nền đường.",
        ),
    ),
    "nuoc-sach": Topic(
        "tin-tuc",
        ("nước sạch", "môi trường"),
        "Nước sạch về với người dân {p}",
        "Nhà máy nước mới cấp nước sinh hoạt cho {n} hộ ở {p}.",
        (
            "Trước đây các hộ dùng nước mưa và giếng khoan nhiễm phèn.",
            "Bà {who} nói từ nay yên tâm nấu ăn, giặt giũ.",
        ),
    ),
    "rac-thai": Topic(
        "tin-tuc",
        ("môi trường",),
        "{p} thí điểm phân loại rác thải tại nguồn",
        "Mỗi hộ ở {p} được phát hai thùng: rác hữu cơ ủ làm phân, rác khác đem đốt.",
        (
            "Sau ba tháng, lượng rác chở đi giảm {n} ki-lô-gam mỗi ngày.",
            "Hội trưởng phụ nữ {who} đi từng nhà hướng dẫn.",
        ),
    ),
    "bao-hiem": Topic(
        "thong-bao",
        ("an sinh xã hội",),
        "{p} vận động người dân tham gia bảo hiểm y tế hộ gia đình",
        "Tỷ lệ bao phủ bảo hiểm y tế ở {p} đạt chín mươi lăm phần trăm.",
        (
            "Người thứ hai trong hộ đóng bằng 70 phần trăm mức của người thứ nhất.",
            "Nhân viên đại lý thu {who} tư vấn tận nhà cho {n} hộ.",
        ),
    ),
    "nhap-ngu": Topic(
        "tin-tuc",
        ("quốc phòng",),
        "Thanh niên {p} hăng hái lên đường nhập ngũ",
        "Sáng nay, thanh niên {p} lên đường làm nghĩa vụ quân sự trong tiếng trống rộn ràng.",
        (
            "Năm nay có {n} thanh niên viết đơn tình nguyện.",
            "Tân binh {who} hứa học tập, rèn luyện để gia đình yên lòng.",
        ),
    ),
    "cu-tri": Topic(
        "tin-tuc",
        ("hội đồng nhân dân", "cử tri"),
        "Đại biểu tiếp xúc cử tri {p} trước kỳ họp",
        "Cử tri {p} kiến nghị về kênh tiêu thoát nước, chợ tạm và giá điện.",
        (
            "Đại biểu {who} tiếp thu {n} ý kiến và trả lời những câu thuộc thẩm quyền.",
            "Ủy ban nhân dân huyện sẽ trả lời bằng văn bản trước kỳ họp.",
        ),
    ),
    "ocop": Topic(
        "tin-tuc",
        ("sản phẩm địa phương",),
        "Sản phẩm OCOP của {p} lên sàn thương mại điện tử",
        "Nước mắm, bánh nhãn và gạo tám của {p} được công nhận ba sao.",
        (
            "Tháng đầu, cơ sở bán được {n} đơn hàng qua mạng.",
            "Chủ cơ sở {who} phải học cách chụp ảnh và đóng gói.",
        ),
    ),
    "hop-tac-xa": Topic(
        "tin-tuc",
        ("kinh tế tập thể",),
        "Hợp tác xã nông nghiệp {p} đổi mới cách làm",
        "Hợp tác xã {p} nhận khoán cày bừa, cấy máy và bao tiêu lúa cho xã viên.",
        (
            "Doanh thu năm qua đạt {n} triệu đồng.",
            "Giám đốc {who} cho biết sẽ mua thêm hai máy cấy.",
        ),
    ),
    "chua-chay": Topic(
        "thong-bao",
        ("an toàn",),
        "Diễn tập phòng cháy chữa cháy và cứu nạn tại {p}",
        "Tình huống giả định là cháy kho hàng ở {p}, có hai người mắc kẹt.",
        (
            "Lực lượng tại chỗ dùng {n} bình bọt và vòi rồng dập lửa trong hai mươi phút.",
            "Trung tá {who} nhắc người dân không để xe chắn lối thoát.",
        ),
    ),
    "bao-so-3": Topic(
        "thong-bao",
        ("phòng chống thiên tai",),
        "{p} sẵn sàng ứng phó bão số 3",
        "Trước 17 giờ hôm nay, tàu thuyền của {p} phải vào bờ, người ở chòi canh phải lên đê.",
        (
            "Xã chuẩn bị {n} bao cát, hai xuồng và lương thực cho ba ngày.",
            "Chỉ huy trưởng {who} trực suốt đêm tại điểm xung yếu.",
        ),
        "Ảnh: Gia cố đê biển ở {p}",
    ),
    "khuyen-hoc": Topic(
        "giao-duc",
        ("khuyến học",),
        "Hội Khuyến học {p} trao học bổng cho học sinh nghèo vượt khó",
        "Mỗi suất học bổng của Hội Khuyến học {p} trị giá một triệu đồng và một xe đạp.",
        (
            "Quỹ có {n} nghìn đồng do con em xa quê đóng góp.",
            "Em {who} mồ côi cha, ba năm liền là học sinh giỏi.",
        ),
    ),
    "hat-cheo": Topic(
        "van-hoa",
        ("nghệ thuật dân gian",),
        "Câu lạc bộ hát chèo {p} truyền lửa cho lớp trẻ",
        "Tối thứ bảy nào, sân đình {p} cũng rộn tiếng trống chèo.",
        (
            "Nghệ nhân {who} dạy miễn phí cho {n} cháu thiếu nhi.",
            "Câu lạc bộ vừa đoạt huy chương bạc ở liên hoan cấp tỉnh.",
        ),
    ),
}
"""By a short name."""

PLACES = {
    "Thịnh Long": "Trần Nam",
    "Yên Định": "Nguyễn Thị Hòa",
    "Cồn": "Phạm Văn Thủy",
    "Hải Anh": "Trần Văn Năm",
    "Hải Minh": "Lê Thị Thu Huyền",
    "Hải Đường": "Đỗ Xuân Trường",
    "Hải Phương": "Vũ Đức Đam",
    "Hải Hưng": "Hoàng Thị Mỹ Lệ",
    "Hải Xuân": "Bùi Quang Huy",
    "Hải Triều": "Ngô Thị Lý",
    "Hải Hòa": "Đinh Công Tráng",
    "Hải Ninh": "Mai Thị Khoẻ",
    "Giao Thủy": "Tô Vĩnh Diện",
    "Nghĩa Hưng": "Cao Thị Quý",
}
"""Places, each with the person of its articles."""
COMMON = (
    "Lãnh đạo huyện biểu dương sự cố gắng của cán bộ và nhân dân, mong các xã khác học tập cách làm này.",
    "Trong năm nay, thị trấn và các xã tiếp tục rà soát, cập nhật số liệu, không để sót trường hợp nào.",
    "Theo kế hoạch, công việc được làm từng bước như thế, vì thế nào cũng cần người dân hiểu và ủng hộ.",
    "Ủy ban nhân dân huyện giao các phòng chuyên môn theo dõi, báo cáo kết quả vào cuối mỗi tháng.",
    "Nhiều ý kiến cho rằng ở đâu cán bộ gương mẫu thì ở đó phong trào mạnh, việc gì khó cũng làm được.",
    "Các đoàn thể chính trị xã hội phối hợp tuyên truyền trên loa truyền thanh và mạng xã hội.",
)
"""Sentences that may be in any article: a search must look through them."""
