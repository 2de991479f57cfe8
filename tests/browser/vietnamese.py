"""Vietnamese as people type it: the texts that a word shows key by key in Telex, and sentences with every letter.

UniKey, EVKey and OpenKey send Backspace and other letters, each as a key of its own. The input methods of Windows,
macOS, ibus and Android compose a word, and commit it at its end.
"""

import re
import unicodedata
from collections.abc import Iterator

TONES = "\u0300\u0301\u0303\u0309\u0323"


def parts(text: str) -> Iterator[str]:
    """Yield the words of a text, and single characters between them."""
    yield from re.findall(r"[^\W\d_]+|.", text, re.DOTALL)


def shown(word: str) -> list[str]:
    """Return what a word shows after each key: letters, their hats and horns as they come, the tone at the end."""
    plain = "".join(one for one in unicodedata.normalize("NFD", word) if one not in TONES)
    texts, text = [], ""
    for letter in unicodedata.normalize("NFC", plain):
        base = {"đ": "d", "Đ": "D"}.get(letter) or unicodedata.normalize("NFD", letter)[0]
        texts.append(text + base)
        text += letter
        if base != letter:
            texts.append(text)
    return texts if texts[-1] == word else [*texts, word]


BACKSPACE = "\b"


def keys(text: str) -> str:
    """Return the keys that UniKey sends for a text: its characters, with BACKSPACE among them."""
    sent = ""
    for part in parts(text):
        before = ""
        for now in shown(part) if part.isalpha() else [part]:
            same = 0
            while same < min(len(before), len(now)) and before[same] == now[same]:
                same += 1
            sent += BACKSPACE * (len(before) - same) + now[same:]
            before = now
    return sent


SENTENCES = [
    "Sáng 4/3, huyện Hải Hậu tổ chức lễ đón nhận Bằng công nhận đạt chuẩn nông thôn mới.",
    "Người dân đóng góp cho Quỹ khuyến học, đường khúc khuỷu ngoằn ngoèo.",
    "Thuở ấy bà ưỡn ngực, ẹo người rồi cười khanh khách.",
    "Đồng chí Nguyễn Thị Huyền, Phó Chủ tịch Ủy ban nhân dân xã, dự lễ.",
    "Ở xã Hải Quang, chợ Cồn mở lại sau tám tháng tu sửa.",
    "Ấp Đông có 1.250 hộ, thu nhập bình quân 58,6 triệu đồng mỗi năm.",
    "Những vườn quất, vườn quýt trĩu quả, ửng vàng khắp lối.",
    "Kỹ sư Lý Quý Mỹ kỷ niệm ba mươi năm giữ nghề muối.",
    "Trẻ em nghe kể chuyện cổ tích dưới gốc đa, bến nước, sân đình.",
    "Khuya, gió bấc thổi hun hút qua rặng phi lao ven biển.",
    "Ông ngoại nghẹn ngào nhắc lại trận lũ lịch sử năm Ất Dậu.",
    "Mưa rả rích suốt buổi, đường trơn trượt, xe cộ đi lại chật vật.",
    "Bữa cơm có cá bống kho, rau muống luộc, cà pháo và bát mắm tôm.",
    "Ngư dân Giao Thủy vươn khơi, bám biển, đánh bắt xa bờ.",
    "Xưởng mộc Thụy Ý xuất bán hơn hai nghìn sản phẩm chạm khảm.",
    "Phở Cồ, kẹo Sìu Châu, bánh nhãn Hải Hậu là đặc sản ai cũng ưa.",
    "Kiểm tra, giám sát, xử lý nghiêm các trường hợp vi phạm đê điều.",
    "Chị Vũ Thị Thoa vượt khó, nuôi bốn con ăn học nên người.",
    "Tiếng chuông nhà thờ đổ, tiếng mõ chùa vang, làng quê yên ả.",
    "Quyết định số 45/QĐ-UBND ngày 12/9/2026 có hiệu lực từ ngày ký.",
    "ĐẢNG BỘ VÀ NHÂN DÂN HUYỆN HẢI HẬU QUYẾT TÂM VỀ ĐÍCH SỚM.",
    "ỦY BAN NHÂN DÂN TỈNH NAM ĐỊNH THÔNG BÁO LỊCH CẮT ĐIỆN.",
    "Nghĩa trang liệt sĩ được tu bổ, thắp nến tri ân nhân dịp 27/7.",
    "Cụ Khổng Văn Uyển chín mươi tuổi vẫn minh mẫn, đọc báo không cần kính.",
    "Hợp tác xã ươm giống ngao, nuôi tôm thẻ chân trắng công nghệ cao.",
    "Đoàn thanh niên ra quân dọn vệ sinh, trồng hoa mười giờ hai bên đường.",
    "Cây cầu ngói chùa Lương bắc qua sông Trung Giang từ thế kỷ XVI.",
    "Lễ hội có rước kiệu, bơi chải, đấu vật, cờ người, hát chèo.",
    "Thầy giáo Bùi Huy Hoằng nghỉ hưu, vẫn mở lớp xóa mù chữ.",
    "Gạo tám xoan dẻo thơm, hạt nhỏ, trong veo, nấu lên ngào ngạt.",
    "Vụ chiêm xuân, bà con gieo sạ trên tám nghìn héc-ta đúng khung thời vụ.",
    "Người cao tuổi được khám sức khỏe, đo huyết áp, phát thuốc miễn phí.",
    "Cảnh sát giao thông nhắc: đã uống rượu, bia thì không lái xe.",
    "Sổ hộ khẩu giấy hết giá trị; hãy dùng ứng dụng định danh VNeID.",
    "Nước lớn, sóng đánh sạt kè Hải Thịnh một đoạn dài bốn mươi mét.",
    "Bà Phạm Thị Nguyệt hiến bảy trăm mét vuông đất mở rộng ngõ xóm.",
    "Trạm y tế xã tiêm vắc-xin sởi cho trẻ từ chín tháng tuổi.",
    "Giải bóng chuyền hơi quy tụ mười sáu đội, tranh tài quyết liệt.",
    "Ký túc xá mới, khang trang, đủ chỗ ở cho hai trăm học sinh nội trú.",
    "“Giữ lấy nghề là giữ lấy hồn làng”, nghệ nhân Ngô Khuê tâm sự.",
    "Àà ảo ão áo ạo; ằm ẳm ẵm ắm ặm; ầm ẩm ẫm ấm ậm; èo ẻo ẽo éo ẹo.",
    "Ề ể ễ ế ệ; ì ỉ ĩ í ị; ò ỏ õ ó ọ; ồ ổ ỗ ố ộ; ờ ở ỡ ớ ợ; ù ủ ũ ú ụ.",
    "Ừ ử ữ ứ ự; ỳ ỷ ỹ ý ỵ; Ằ Ẳ Ẵ Ắ Ặ Ầ Ẩ Ẫ Ấ Ậ È Ẻ Ẽ É Ẹ Ì Ỉ Ĩ Í Ị Ò Ỏ Õ Ó Ọ.",
    "Ề Ể Ễ Ế Ệ E Ồ Ổ Ỗ Ố Ộ Ờ Ở Ỡ Ớ Ợ Ù Ủ Ũ Ú Ụ Ừ Ử Ữ Ứ Ự Ỳ Ỷ Ỹ Ý Ỵ À Ả Ã Á Ạ Đ Ă Â Ê Ô Ơ Ư.",
]
