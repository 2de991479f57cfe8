"""Why an import refuses a file or an item, in Vietnamese: the reasons are made in English, as `MESSAGES` are. Pure.

`{name}` stands for a part that stays as it is. A reason may be several of them, or errors of fields.
"""

import re
from collections.abc import Mapping
from functools import cache

from services.ingest.content.field_messages import MESSAGES as FIELD_MESSAGES
from services.ingest.imports.vietnamese import message_in_vietnamese, pattern_of

REASONS: Mapping[str, str] = {
    # Sizes
    "must have at most {limit} values; split it": "có tối đa {limit} giá trị; hãy chia nhỏ",
    "must have at most {limit} items; split it": "có tối đa {limit} mục; hãy chia nhỏ",
    "must have at most {limit} bytes (got {size})": "có tối đa {limit} byte (đang có {size})",
    "must have at most {limit} tags (got {size})": "có tối đa {limit} thẻ HTML (đang có {size})",
    "must have at most {limit} attributes (got {size})": "có tối đa {limit} thuộc tính HTML (đang có {size})",
    "must have at most {limit} attributes in each tag": "có tối đa {limit} thuộc tính trong mỗi thẻ HTML",
    "must be nested at most {limit} elements deep": "có tối đa {limit} phần tử lồng nhau",
    "must have at most {limits}, in {part}": "có tối đa {limits}, ở {part}",
    "the page must have at most {limit} characters (got {size})": "trang có tối đa {limit} ký tự (đang có {size})",
    "the title must have at most {limit} characters (got {size})": "tựa đề có tối đa {limit} ký tự (đang có {size})",
    "the {name} must have at most {limit} characters (got {size})": "{name} có tối đa {limit} ký tự (đang có {size})",
    "has a part of more than {limit} bytes": "có phần lớn hơn {limit} byte",
    "exceeds the memory limit for its conversion": "vượt giới hạn bộ nhớ khi chuyển đổi",
    "takes too long to convert": "chuyển đổi quá lâu",
    "cannot be converted within the limits on memory and time": "không chuyển đổi được trong giới hạn bộ nhớ và "
    "thời gian",
    "is nested too deep": "lồng nhau quá sâu",
    # Types of files
    "is empty": "trống",
    "has no lines": "không có dòng nào",
    "has no items": "không có mục nào",
    "is compressed; unpack it first": "là tệp nén; hãy giải nén trước",
    "is RTF; save it as .docx": "là RTF; hãy lưu lại thành .docx",
    "is no .docx; save it as .docx": "không phải .docx; hãy lưu lại thành .docx",
    "is a document of another type; save it as .docx": "là tài liệu loại khác; hãy lưu lại thành .docx",
    "is not a Word document (.docx)": "không phải tài liệu Word (.docx)",
    "is not a Word document, whatever its name says": "không phải tài liệu Word, dù tên tệp nói vậy",
    "is a damaged Word document: its part {part} is not named .xml": "là tài liệu Word bị hỏng: phần {part} không "
    "có đuôi .xml",
    "is a damaged Word document: {part} is not XML": "là tài liệu Word bị hỏng: {part} không phải XML",
    "is a damaged Word document: {error}": "là tài liệu Word bị hỏng: {error}",
    "has a document type in its XML, which Word never writes": "có khai báo kiểu trong XML, là thứ Word không ghi",
    "has the unknown extension {extension}; set --format: {formats}": "có đuôi lạ {extension}; hãy chọn --format: "
    "{formats}",
    "is an SQL dump, which is not read; export the tables in phpMyAdmin as JSON": "là bản kết xuất SQL, không đọc "
    "được; hãy xuất các bảng thành JSON bằng phpMyAdmin",
    "is a sitemap, not a feed: it has addresses but no articles": "là sơ đồ trang, không phải nguồn tin: có địa chỉ "
    "mà không có bài",
    "is an index of sitemaps, not a feed": "là danh mục sơ đồ trang, không phải nguồn tin",
    "is an OPML list of feeds, not a feed": "là danh sách nguồn tin OPML, không phải nguồn tin",
    "is an HTML page, not a feed; give it the extension .html, or set --format html": "là trang HTML, không phải "
    "nguồn tin; hãy đặt đuôi .html hoặc chọn --format html",
    "is not a feed: its first element is {name}": "không phải nguồn tin: phần tử đầu là {name}",
    "is a JSON Feed, which is not read; import the RSS or Atom feed of the portal": "là JSON Feed, không đọc được; "
    "hãy nhập nguồn RSS hoặc Atom của trang",
    "is JSON, but neither of Ghost, NukeViet nor ninjs; docs/importing.md says what to export": "là JSON, nhưng không "
    "phải của Ghost, NukeViet hay ninjs; docs/importing.md cho biết cần xuất gì",
    "is not ninjs: items is not a list": "không phải ninjs: items không phải danh sách",
    "is not a NukeViet table export: it has no table …_news_rows": "không phải bản xuất bảng của NukeViet: thiếu bảng "
    "…_news_rows",
    "is not a Ghost export: it has no db[0].data.posts": "không phải bản xuất của Ghost: thiếu db[0].data.posts",
    "is in a folder whose {name} cannot be read: {error}": "nằm trong thư mục có {name} không đọc được: {error}",
    "cannot be read: {error}": "không đọc được: {error}",
    # Damages
    "is not UTF-8 and declares no other encoding; save it as UTF-8": "không phải UTF-8 và không khai báo bảng mã "
    "khác; hãy lưu lại theo UTF-8",
    "is not well-formed XML: it is cut off before its first item": "XML không đúng: bị cắt trước mục đầu tiên",
    "is not well-formed XML: it is cut off after its last item; export it again": "XML không đúng: bị cắt sau mục "
    "cuối; hãy xuất lại",
    "is not well-formed XML: {error}": "XML không đúng: {error}",
    "is not XML: it has no element": "không phải XML: không có phần tử nào",
    "declares entities, which are not supported": "có khai báo thực thể, không được hỗ trợ",
    "is not HTML: {error}": "không phải HTML: {error}",
    "is not JSON: it has neither an object nor a list": "không phải JSON: không có đối tượng hay danh sách",
    "is not JSON that can be read: it is nested too deep": "là JSON không đọc được: lồng nhau quá sâu",
    "is not JSON: {error}": "không phải JSON: {error}",
    "is cut off: the item is not closed": "bị cắt: mục không có phần kết thúc",
    "is cut off: rows or tables may be missing; export it again": "bị cắt: có thể thiếu dòng hoặc bảng; hãy xuất lại",
    "is cut off: items may be missing": "bị cắt: có thể thiếu mục",
    "is cut off: posts, tags or authors may be missing; export it again": "bị cắt: có thể thiếu bài, thẻ hoặc tác "
    "giả; hãy xuất lại",
    "has {count} rows of tables beside {name} without an ID": "có {count} dòng của các bảng cạnh {name} thiếu mã",
    "has {count} rows of tags, authors or settings of posts that cannot be read": "có {count} dòng về thẻ, tác giả "
    "hoặc thiết lập của bài không đọc được",
    # Front matter
    "has front matter with an alias (*name), which is not supported": "có phần đầu tệp dùng bí danh (*name), không "
    "được hỗ trợ",
    "has front matter with an object of Python, which is not supported": "có phần đầu tệp chứa đối tượng Python, "
    "không được hỗ trợ",
    "has front matter that is nested more than {limit} levels deep": "có phần đầu tệp lồng nhau quá {limit} cấp",
    "has front matter with more than {limit} values": "có phần đầu tệp quá {limit} giá trị",
    "has front matter with the field {name} twice": "có phần đầu tệp với trường {name} hai lần",
    "it has more than {limit} characters": "có hơn {limit} ký tự",
    "has front matter that must have at most {limit} characters (got {size})": "có phần đầu tệp quá {limit} ký tự "
    "(đang có {size})",
    "has front matter that must have at most {limit} characters": "có phần đầu tệp quá {limit} ký tự",
    "has front matter that is not YAML: {error}": "có phần đầu tệp không phải YAML: {error}",
    "has front matter that is not JSON: {error}": "có phần đầu tệp không phải JSON: {error}",
    "has front matter that is not TOML: {error}": "có phần đầu tệp không phải TOML: {error}",
    "has front matter with an invalid value: {error}": "có phần đầu tệp với giá trị không hợp lệ: {error}",
    "has front matter that does not end: a line of {mark} is missing": "có phần đầu tệp không kết thúc: thiếu dòng "
    "{mark}",
    "has front matter that is not a mapping": "có phần đầu tệp không phải danh sách trường",
    "has front matter with a key of more than {limit} parts": "có phần đầu tệp với tên trường quá {limit} phần",
    # What no document of a newsroom has: see services/ingest/files
    "has macros; save it as a document without macros, such as .docx, .xlsx or PDF": "có macro; hãy lưu lại thành tài "
    "liệu không có macro, như .docx, .xlsx hoặc PDF",
    "is encrypted or protected by a password: it cannot be checked, and visitors could not open it": "đặt mật khẩu, "
    "nên không kiểm tra được và người đọc không mở được",
    "has ActiveX controls, which are programs": "có điều khiển ActiveX, là chương trình",
    "has a field that starts programs (DDE)": "có trường chạy chương trình (DDE)",
    "has a link that starts programs (DDE)": "có liên kết chạy chương trình (DDE)",
    "loads a template or object from elsewhere when it is opened": "tải mẫu hoặc đối tượng từ nơi khác khi mở",
    "loads an object from elsewhere when it is opened": "tải đối tượng từ nơi khác khi mở",
    "loads a part of another file from a server when it is opened": "tải một phần của tệp khác từ máy chủ khi mở",
    "is an Office document and an OpenDocument file at once": "vừa là tài liệu Office vừa là tệp OpenDocument",
    "has other files packed into it, which may be programs": "có tệp khác nhúng bên trong, có thể là chương trình",
    "has a program or a page in it: {name}": "có chương trình hoặc trang web bên trong: {name}",
    "has a program or archive under another name: {name}": "có chương trình hoặc tệp nén mang tên khác: {name}",
    "has another archive in it: {name}": "có tệp nén khác bên trong: {name}",
    "has an entry that is refused, {name}: it {reason}": "có tệp bên trong không được nhận, {name}",
    "has an entry of more than {limit} bytes: {name}": "có tệp bên trong lớn hơn {limit} byte: {name}",
    "has an entry with an invalid name": "có tệp bên trong với tên không hợp lệ",
    "has an entry with two names: {name}": "có tệp bên trong mang hai tên: {name}",
    "has an entry outside of its folder: {name}": "có tệp nằm ngoài thư mục của nó: {name}",
    "has an entry with a colon in its name: {name}": "có tệp bên trong với dấu hai chấm trong tên: {name}",
    "has a symbolic link: {name}": "có liên kết tượng trưng: {name}",
    "has two entries of the same name": "có hai tệp cùng tên",
    "has data before or after the archive": "có dữ liệu trước hoặc sau tệp nén",
    "has entries that overlap, as only archives have that attack": "có các phần chồng nhau, như chỉ tệp nén tấn công "
    "mới có",
    "is packed more than {limit} times, as only archives are that attack": "nén hơn {limit} lần, như chỉ tệp nén tấn "
    "công mới có",
    "is larger when unpacked than its directory says": "giải nén ra lớn hơn mục lục của nó ghi",
    "must have at most {limit} bytes when unpacked (got {size})": "giải nén ra tối đa {limit} byte (đang có {size})",
    "must have at most {limit} entries (got {size})": "có tối đa {limit} tệp bên trong (đang có {size})",
    "must have at most {limit} parts (got {size})": "có tối đa {limit} phần (đang có {size})",
    "is an empty archive": "là tệp nén trống",
    "is a damaged ZIP archive or Office document": "là tệp ZIP hoặc tài liệu Office bị hỏng",
    "is a damaged ZIP archive": "là tệp ZIP bị hỏng",
    "is a damaged OpenDocument file": "là tệp OpenDocument bị hỏng",
    "is a damaged Office document": "là tài liệu Office bị hỏng",
    "has a document type in its XML, which Office never writes": "có khai báo kiểu trong XML, là thứ Office không ghi",
    "has entities in its XML, which Office never writes": "có thực thể trong XML, là thứ Office không ghi",
    "has a part that is not XML, so it cannot be checked": "có phần không phải XML, nên không kiểm tra được",
    "is {what}; supported types are {types}": "là loại tệp không nhận ({what}); các loại nhận được: {types}",
    # What an article needs
    "has no title: neither in the front matter nor as a first heading": "không có tựa đề, ở phần đầu tệp cũng như ở "
    "tiêu đề đầu tiên",
    "has no title": "không có tựa đề",
    "has no article text": "không có nội dung bài",
    "has no text: the table {table} has no row {number}": "không có nội dung: bảng {table} thiếu dòng {number}",
    "has no text": "không có nội dung",
    "there is no text after the title": "không có nội dung sau tựa đề",
    "there is no text": "không có nội dung",
    "has no external_id; without one, a second run would create a duplicate": "thiếu external_id; không có nó thì "
    "lần nhập sau sẽ tạo bài trùng",
    "it has no external ID, so a second run would create a duplicate": "thiếu mã ở nguồn, nên lần nhập sau sẽ tạo "
    "bài trùng",
    "is no object": "không phải một đối tượng JSON",
    "is not an object": "không phải một đối tượng JSON",
    "has the ID of another article: {id}, as {place}": "trùng mã với bài khác: {id}, là {place}",
    "the site has no section {name}; choose one with --section: {names}": "trang không có chuyên mục {name}; hãy "
    "chọn một bằng --section: {names}",
    "it has no section; choose one with --section: {names}": "không có chuyên mục; hãy chọn một bằng --section: "
    "{names}",
    "The article is killed and cannot be changed.": "bài đã bị hủy, không sửa được",
    # What is no article
    "it is an error page of the server": "là trang lỗi của máy chủ",
    "it describes its folder: it has no front matter": "chỉ mô tả thư mục: không có phần đầu tệp",
    "{count} items are no articles: {kinds}": "{count} mục không phải bài: {kinds}",
    # The import itself
    "the database is unavailable; the results above are saved, send the file again": "không có cơ sở dữ liệu; các "
    "kết quả ở trên đã được lưu, hãy gửi lại tệp",
    "interrupted: {error}; the results above are saved, send the file again": "bị ngắt: {error}; các kết quả ở trên "
    "đã được lưu, hãy gửi lại tệp",
    "internal server error (logged); the results above are saved": "lỗi của máy chủ (đã ghi lại); các kết quả ở trên "
    "đã được lưu",
}
"""{in English: in Vietnamese}. The first one that fits is taken, so the more exact ones come before."""
_NEXT_FIELD = re.compile(r"; (?=[\w.]+: )")
_FIELD = re.compile(r"([\w.]+): (.+)", re.DOTALL)
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+")


def reason_in_vietnamese(reason: str) -> str:
    """Return a reason in Vietnamese; what is not known of it stays as it is."""
    if (whole := _found(_reasons(), reason)) is not None:
        return whole
    parts = _NEXT_FIELD.split(reason)
    fields = [_FIELD.fullmatch(part) for part in parts]
    said = [None if field is None else _found(_field_messages(), field[2]) for field in fields]
    if any(one is not None for one in said):
        return "; ".join(
            f"{field[1]}: {one}" if field is not None and one is not None else part
            for part, field, one in zip(parts, fields, said, strict=True)
        )
    if len(parts := reason.split("; ")) > 1:  # of a document without text: what was left out of it
        return "; ".join(map(reason_in_vietnamese, parts))
    return message_in_vietnamese(reason)


def _found(patterns: list[tuple[re.Pattern[str], str]], text: str) -> str | None:
    for pattern, vietnamese in patterns:
        if found := pattern.fullmatch(text):
            return vietnamese.format(**{name: _part(name, one) for name, one in found.groupdict().items()})
    return None


def _part(name: str, text: str) -> str:
    if name == "error" and (known := _found(_reasons(), text)) is not None:
        return known
    return text.replace(",", ".") if _NUMBER.fullmatch(text) else text


@cache
def _reasons() -> list[tuple[re.Pattern[str], str]]:
    return [(pattern_of(english), vietnamese) for english, vietnamese in REASONS.items()]


@cache
def _field_messages() -> list[tuple[re.Pattern[str], str]]:
    """Return the sentences of fields; those that are a value alone would fit everything."""
    known = [both for both in FIELD_MESSAGES.values() if re.sub(r"\{\w+\}", "", both[0]).strip()]
    return [(pattern_of(english), vietnamese) for english, vietnamese in sorted(known, key=lambda one: -len(one[0]))]
