"""What an import says of its items, in Vietnamese: the warnings and reasons that its readers make in English. Pure.

`{name}` stands for a part that stays as it is, `{_name}` for one that is a message itself.
"""

import re
from collections.abc import Mapping
from functools import cache

import msgspec

from services.ingest.imports.warnings import ItemWarning

MESSAGES: Mapping[str, str] = {
    # Its state at the source
    "it is a draft, not public: {_reason}": "là bản nháp, chưa công khai: {_reason}",
    "it is scheduled, not public yet: {_reason}": "được hẹn giờ, chưa công khai: {_reason}",
    "it is public here, but at its source {_reason}; {_why}: withdraw it": "đang công khai ở đây, nhưng ở nguồn "
    "{_reason}; {_why}: hãy gỡ xuống",
    "it is scheduled here, but at its source {_reason}; {_why}: withdraw it": "đang hẹn giờ ở đây, nhưng ở nguồn "
    "{_reason}; {_why}: hãy gỡ xuống",
    "it was public here and was withdrawn: at its source {_reason}": "đã công khai ở đây và được gỡ: ở nguồn {_reason}",
    "editors have changed it since": "biên tập viên đã sửa bài",
    "an import without --publish withdraws nothing": "nhập không có --publish thì không gỡ gì",
    "its article was discarded here, and stays so until it is restored": "bài đã bị bỏ ở đây, đến khi được khôi phục",
    # Who it is, and its fields
    "{_reason}, so it is imported as an article of its own; --external-id makes it a new version": "{_reason}, nên "
    "được nhập thành bài riêng; --external-id làm nó thành bản mới",
    "{first} has the same address or file name": "{first} có cùng địa chỉ hoặc tên tệp",
    "are missing: the item is identified by its title and text": "không có: mục được nhận ra theo tựa đề và nội dung",
    "is missing: the first words of the text are the title": "không có: lấy những chữ đầu của nội dung làm tựa đề",
    "is missing: the text was read without its pictures and links": "không có: nội dung đọc được không kèm ảnh và "
    "liên kết",
    "is not a time that can be read, so it is not used: {value}": "không phải thời điểm đọc được, nên không dùng: "
    "{value}",
    "is damaged, so it is not used: {value}": "bị hỏng, nên không dùng: {value}",
    "is relative to the page, so that it is not redirected: {url}": "là địa chỉ tương đối, nên không chuyển hướng: "
    "{url}",
    "is not carried over: {value}": "không được chuyển sang: {value}",
    "are not carried over: an article has one section; --categories-as-tags keeps them: {names}": "không được chuyển "
    "sang: bài chỉ có một chuyên mục; --categories-as-tags giữ chúng lại: {names}",
    "of other taxonomies are not carried over: {names}": "thuộc cách phân loại khác, không được chuyển sang: {names}",
    "are too many or too long: {names}": "quá nhiều hoặc quá dài: {names}",
    "are more than {limit}: {names}": "nhiều hơn {limit}: {names}",
    "is set: the article was a link to another page": "có giá trị: bài là liên kết tới trang khác",
    "is a login whose name the export does not have: {name}": "là tên đăng nhập mà bản xuất không có tên người: {name}",
    "has its text elsewhere: {url}": "có nội dung ở nơi khác: {url}",
    "has no text: the article is empty": "không có nội dung: bài trống",
    "has code for the page, which was left out": "có mã cho trang, đã bỏ",
    "has characters that could not be decoded": "có ký tự không giải mã được",
    "is a file, not a text: {kind}": "là tệp, không phải văn bản: {kind}",
    "old URL {url} is the former URL of article {owner} already": "địa chỉ cũ {url} đã là địa chỉ cũ của bài {owner}",
    "{count} old URLs above the limit of {limit} were left out": "{count} địa chỉ cũ vượt giới hạn {limit}, đã bỏ",
    "old URL {url} {reason}": "địa chỉ cũ {url} không dùng được: {reason}",
    # Texts and characters
    "the file has other text before its XML, which was left out: {text}": "tệp có chữ trước phần XML, đã bỏ: {text}",
    "it is not well-formed XML: what could not be parsed was read as text": "XML không đúng: phần không phân tích "
    "được đọc như chữ thường",
    "bytes that are not {encoding} were replaced by U+FFFD in line {lines} and more": "byte không phải {encoding} "
    "được thay bằng U+FFFD ở dòng {lines} và các dòng khác",
    "bytes that are not {encoding} were replaced by U+FFFD in line {lines}": "byte không phải {encoding} được thay "
    "bằng U+FFFD ở dòng {lines}",
    "bytes that are not UTF-8 were replaced by U+FFFD": "byte không phải UTF-8 được thay bằng U+FFFD",
    "the text was in a font of before Unicode ({font}) and was converted; check it": "chữ dùng bảng mã cũ ({font}), "
    "đã chuyển sang Unicode; hãy kiểm tra lại",
    "{count} invalid characters were removed: {names}": "đã bỏ {count} ký tự không hợp lệ: {names}",
    "{count} <{tag}> of the text were left out": "đã bỏ {count} <{tag}> trong nội dung",
    # Links, pages of others, and files
    "a link by the name of a file was left out, its text was kept: {link}": "liên kết theo tên tệp đã bỏ, chữ được "
    "giữ: {link}",
    "a link was left out, its text was kept: {href} is relative, and the address of its page is unknown": "liên kết "
    "đã bỏ, chữ được giữ: {href} là địa chỉ tương đối mà không biết địa chỉ của trang",
    "a link was left out, its text was kept: {href} is not one that pages have": "liên kết đã bỏ, chữ được giữ: "
    "{href} không phải liên kết mà trang được có",
    "the link of a picture was left out: {url}": "liên kết của ảnh đã bỏ: {url}",
    "the link of a caption was left out, its text was kept: {url}": "liên kết trong chú thích đã bỏ, chữ được giữ: "
    "{url}",
    "an embedded page was replaced by a link: {url}": "trang nhúng được thay bằng liên kết: {url}",
    "an embedded page without a web address was left out": "trang nhúng không có địa chỉ web, đã bỏ",
    "a <{tag}> was replaced by a link: {url}": "<{tag}> được thay bằng liên kết: {url}",
    "a <{tag}> without a web address was left out": "<{tag}> không có địa chỉ web, đã bỏ",
    "an associated {kind} was left out: {shown}": "{kind} kèm theo đã bỏ: {shown}",
    "a file was left out: {url} is not a web address": "tệp đã bỏ: {url} không phải địa chỉ web",
    "an enclosed file was replaced by a link: {url}": "tệp kèm theo được thay bằng liên kết: {url}",
    "an attached file was replaced by a link: {url}": "tệp đính kèm được thay bằng liên kết: {url}",
    "{count} blocks {name} were left out: the export does not have what they show": "đã bỏ {count} khối {name}: bản "
    "xuất không có nội dung của chúng",
    "{count} shortcodes {name} were removed; text inside was kept": "đã bỏ {count} mã ngắn {name}; chữ bên trong "
    "được giữ",
    "{count} [{name}] were removed; text inside was kept": "đã bỏ {count} [{name}]; chữ bên trong được giữ",
    # Pictures
    "a picture inside of the text (data:) was left out; add it to the media store": "ảnh nằm trong nội dung (data:) "
    "đã bỏ; hãy tải ảnh lên kho",
    "a picture without an address was left out": "ảnh không có địa chỉ, đã bỏ",
    "a picture of a saved page was left out: {name}; add it to the media store": "ảnh của trang đã lưu bị bỏ: "
    "{name}; hãy tải ảnh lên kho",
    "a picture beside the text was left out: {url}": "ảnh bên cạnh nội dung đã bỏ: {url}",
    "a picture was left out: a picture inside of the text (data:); {reason}": "ảnh nằm trong nội dung (data:) đã bỏ; "
    "hãy tải ảnh lên kho",
    "a picture was left out: {url} is relative; --base-url has the address of the site": "ảnh đã bỏ: {url} là địa "
    "chỉ tương đối; --base-url cho biết địa chỉ của trang",
    "a picture was left out: {url}; it is not a web address": "ảnh đã bỏ: {url} không phải địa chỉ web",
    "a picture was left out: {url} is not a web address": "ảnh đã bỏ: {url} không phải địa chỉ web",
    "a picture was left out: {url}; --base-url has the address of the site": "ảnh đã bỏ: {url}; --base-url cho biết "
    "địa chỉ của trang",
    "a picture was left out: it is linked or missing, not in the document": "ảnh đã bỏ: ảnh là liên kết hoặc không "
    "có trong tài liệu",
    "a picture was left out: the pictures are too large or too many": "ảnh đã bỏ: ảnh quá lớn hoặc quá nhiều",
    "the still picture of a video was left out: {url}": "ảnh bìa của video đã bỏ: {url}",
    "a picture was left out: it {reason}": "ảnh đã bỏ: {reason}",
    "a picture was left out: {reason}": "ảnh đã bỏ: {reason}",
    "pictures of a gallery were left out: the export does not have the attachments {ids}": "ảnh của bộ ảnh đã bỏ: "
    "bản xuất không có các tệp {ids}",
    "{count} pictures of galleries were left out: a text has at most {limit}": "đã bỏ {count} ảnh của bộ ảnh: nội "
    "dung có tối đa {limit} ảnh",
    "the picture {id} is not in the export: export all content, not posts only": "bản xuất không có ảnh {id}: hãy "
    "xuất toàn bộ nội dung, không chỉ bài",
    "has no address of a picture: {caption}": "không có địa chỉ ảnh: {caption}",
    "the image {url} was not fetched: {reason}": "không tải được ảnh {url}: {reason}",
    # Word documents
    "{count} comments were left out": "đã bỏ {count} nhận xét",
    "{count} tracked deletions were left out: the text is as if they were accepted": "{count} chỗ xóa có theo dõi đã "
    "bỏ: nội dung như khi đã chấp nhận",
    "{count} tracked insertions were accepted": "{count} chỗ thêm có theo dõi đã được chấp nhận",
    "{count} tracked moves were accepted": "{count} chỗ chuyển có theo dõi đã được chấp nhận",
    "the text of {count} text boxes is after the paragraph at which they are anchored": "chữ của {count} hộp văn bản "
    "nằm sau đoạn neo của chúng",
    "{count} equations were left out; add them as pictures": "đã bỏ {count} công thức; hãy thêm bằng ảnh",
    "{count} charts were left out; add them as pictures": "đã bỏ {count} biểu đồ; hãy thêm bằng ảnh",
    "{count} diagrams were left out; add them as pictures": "đã bỏ {count} sơ đồ; hãy thêm bằng ảnh",
    "{count} embedded objects were left out": "đã bỏ {count} đối tượng nhúng",
    "{count} form fields were left out": "đã bỏ {count} ô biểu mẫu",
    "{count} inserted files were left out; save the document in Word again": "đã bỏ {count} tệp chèn; hãy lưu lại "
    "tài liệu bằng Word",
    "{count} runs of hidden text were left out": "đã bỏ {count} đoạn chữ ẩn",
    "{count} runs of text were struck through: their words are there without the line; check them": "{count} đoạn chữ "
    "bị gạch ngang: chữ vẫn còn trong bài nhưng hết gạch, hãy xem lại",
    "{count} readings above characters (ruby) are in brackets after them": "{count} chỗ ghi âm đọc trên chữ (ruby) "
    "được đặt trong ngoặc sau chữ",
    "the text of {count} page headers and footers was left out": "đã bỏ chữ của {count} đầu trang và chân trang",
    "the style {name} has no meaning here: its text is kept as ordinary text": "kiểu {name} không có nghĩa ở đây: "
    "chữ được giữ như chữ thường",
    "parts of the document that articles do not have were left out: {part}": "đã bỏ những phần mà bài không có: {part}",
    "symbols of special fonts were left out": "đã bỏ ký hiệu của phông đặc biệt",
    "{_message} ({count} times)": "{_message} ({count} lần)",
    # Parts of its state, which fit much
    "its date is in the future: {at}": "ngày ở tương lai: {at}",
    "it has no time in the future": "không có thời điểm nào ở tương lai",
    "it would end before it begins": "kết thúc trước khi bắt đầu",
    "it has no text": "không có nội dung",
    "{field} is in the future: {at}": "{field} ở tương lai: {at}",
    "{field} is in the past: {at}": "{field} ở quá khứ: {at}",
    "{field} is not a time: {value}": "{field} không phải thời điểm: {value}",
    "{field} has the unknown value {value}": "{field} có giá trị lạ {value}",
    "{field} is set": "{field} có giá trị",
    "{field} is missing": "thiếu {field}",
    "{field} is {value}": "{field} là {value}",
}
"""{in English: in Vietnamese}. The first one that fits is taken, so the more exact ones come before."""
_PART = re.compile(r"\{(_?[a-z_]+)\}")


def in_vietnamese(warning: ItemWarning) -> ItemWarning:
    """Return a warning with its message in Vietnamese; one that is not known stays as it is."""
    return msgspec.structs.replace(warning, message=message_in_vietnamese(warning.message))


def message_in_vietnamese(message: str) -> str:
    """Return a message in Vietnamese; in a part of it, several may be joined by semicolons."""
    for pattern, vietnamese in _patterns():
        if found := pattern.fullmatch(message):
            return vietnamese.format(**{name: _part(name, text) for name, text in found.groupdict().items()})
    return message


def _part(name: str, text: str) -> str:
    return "; ".join(map(message_in_vietnamese, text.split("; "))) if name.startswith("_") else text


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(pattern_of(english), vietnamese) for english, vietnamese in MESSAGES.items()]


def pattern_of(english: str) -> re.Pattern[str]:
    """Return the pattern of a message: each of its parts may be anything."""
    parts = _PART.split(english)
    texts = (f"(?P<{one}>.+?)" if number % 2 else re.escape(one) for number, one in enumerate(parts))
    return re.compile("".join(texts), re.DOTALL)
