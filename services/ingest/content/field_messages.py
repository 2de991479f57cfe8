"""The messages of invalid fields and of warnings, by code, in English and Vietnamese. Pure.

A code is stable and says what is wrong with a value; sentences may change. They follow the name of a field: "title must
have at most 255 characters". `{name}` stands for a value of the error.
"""

import re
from collections.abc import Mapping

from services.ingest.content.state_names import name_within_sentence

Value = int | str
VALUE_CHARACTERS_MAX = 400
MESSAGES: Mapping[str, tuple[str, str]] = {
    "required": ("is required", "không được để trống"),
    "required_for_publication": ("is required before publication", "phải có trước khi xuất bản"),
    "required_without_letters": (
        "is required: the name has no letter or digit",
        "phải có, vì tên không có chữ cái hay chữ số nào",
    ),
    "reason_required": ("is required to {action} an article", "phải có: hãy nêu lý do"),
    "value_required": ("is required to {action}", "phải có cho thao tác này"),
    "not_used": ("is not used to {action}", "không dùng cho thao tác này"),
    "version_of_live_article": (
        "is required: the article is not killed or discarded",
        "phải có, vì bài không bị hủy hay bỏ",
    ),
    "site_required": ("is required: {sites}", "phải có; chọn một trong: {sites}"),
    "empty": ("must not be empty", "không được trống"),
    "cannot_be_removed": ("cannot be removed", "không xóa được"),
    "unknown_field": ("unknown field", "là trường không có"),
    "unknown_parameter": (
        "unknown parameter; this route has: {parameters}",
        "là tham số không có; chỉ có: {parameters}",
    ),
    "repeated": ("is given more than once", "có nhiều lần"),
    "unreadable_query": ("is not UTF-8, or has too many parameters", "không phải UTF-8, hoặc có quá nhiều tham số"),
    "read_scope_required": ("requires a token with the scope read", "cần quyền đọc"),
    "too_many_characters": (
        "must have at most {limit} characters (got {size})",
        "có tối đa {limit} ký tự (đang có {size})",
    ),
    "too_few_characters": (
        "must have at least {limit} characters (got {size})",
        "có tối thiểu {limit} ký tự (đang có {size})",
    ),
    "too_many_entries": ("must have at most {limit} entries (got {size})", "có tối đa {limit} mục (đang có {size})"),
    "too_few_entries": ("must have at least {limit} entries (got {size})", "có tối thiểu {limit} mục (đang có {size})"),
    "too_many_blocks": ("must have at most {limit} blocks (got {size})", "có tối đa {limit} đoạn (đang có {size})"),
    "too_many_images": ("must have at most {limit} images (got {size})", "có tối đa {limit} ảnh (đang có {size})"),
    "too_many_cells": ("must have at most {limit} cells (got {size})", "có tối đa {limit} ô (đang có {size})"),
    "too_many_tags": ("must have at most {limit} tags (got {size})", "có tối đa {limit} thẻ HTML (đang có {size})"),
    "too_many_uncertain_tags": (
        "must have at most {limit} tags if it has {tag} (got {size})",
        "có tối đa {limit} thẻ HTML khi có {tag} (đang có {size})",
    ),
    "too_many_closed_tags": (
        "must have at most {limit} tags when its formatting is closed (got {size})",
        "có tối đa {limit} thẻ HTML khi các định dạng được đóng (đang có {size})",
    ),
    "unclosed_formatting": (
        "has formatting, such as <b>, that is not closed and continues over too many tags",
        "có định dạng, như <b>, không được đóng và kéo dài qua quá nhiều thẻ HTML",
    ),
    "nested_too_deep": (
        "must be nested at most {limit} tags deep (got {size})",
        "có tối đa {limit} thẻ HTML lồng nhau (đang có {size})",
    ),
    "lists_too_deep": (
        "must be nested at most {limit} lists deep (got {size})",
        "có tối đa {limit} cấp danh sách lồng nhau (đang có {size})",
    ),
    "menu_too_deep": ("must be at most {limit} levels deep", "có tối đa {limit} cấp"),
    "too_small_number": ("must be at least {limit}", "phải từ {limit} trở lên"),
    "too_large_number": ("must be at most {limit}", "không được quá {limit}"),
    "not_above": ("must be more than {limit}", "phải lớn hơn {limit}"),
    "not_below": ("must be less than {limit}", "phải nhỏ hơn {limit}"),
    "too_long_wait": ("must be at most {limit} s (got {size} s)", "không được quá {limit} giây (đang là {size} giây)"),
    "not_a_text": ("must be a text", "phải là văn bản"),
    "not_an_integer": ("must be an integer", "phải là số nguyên"),
    "not_a_number": ("must be a number", "phải là số"),
    "not_a_boolean": ("must be true or false", "phải là true hoặc false"),
    "not_a_list": ("must be a list", "phải là danh sách"),
    "not_an_object": ("must be an object", "phải là một đối tượng JSON"),
    "not_a_time": (
        "must be a time such as 2026-11-30T08:00:00+07:00",
        "phải là thời điểm, như 2026-11-30T08:00:00+07:00",
    ),
    "no_time_zone": ("must have a time zone, such as +07:00", "phải có múi giờ, như +07:00"),
    "not_a_duration": ("must be a duration such as 10s or 500ms", "phải là khoảng thời gian, như 10s hoặc 500ms"),
    "not_one_of": ("must be one of {expected}", "phải là một trong: {expected}"),
    "type_required": ("must have a type", "phải có type"),
    "wrong_form": ("must match {pattern}", "không đúng dạng"),
    "invalid_value": ("is not valid: {reason}", "không hợp lệ"),
    "invalid_cursor": ("is not a valid cursor", "không phải vị trí hợp lệ trong danh sách"),
    "cursor_of_another_order": ("is one of a list in another order", "thuộc danh sách sắp xếp theo thứ tự khác"),
    "nul_character": ("must not contain a NUL character", "không được có ký tự NUL"),
    "control_character": (
        "has the control character {character} at position {position}",
        "có ký tự điều khiển {character} ở vị trí {position}",
    ),
    "direction_character": (
        "has the direction character {character} at position {position}",
        "có ký tự đổi hướng chữ {character} ở vị trí {position}",
    ),
    "lone_surrogate": (
        "has the lone surrogate {character} at position {position}",
        "có nửa ký tự {character} ở vị trí {position}",
    ),
    "too_many_marks": (
        "has more than {limit} combining marks in a row at position {position}",
        "có quá {limit} dấu kết hợp liền nhau ở vị trí {position}",
    ),
    "not_a_link": (
        "must be a URL that starts with https://, http:// or /",
        "phải là URL bắt đầu bằng https://, http:// hoặc /",
    ),
    "not_a_media_url": (
        "must be the URL of an image or file, starting with /, https:// or http://",
        "phải là URL của ảnh hoặc tệp, bắt đầu bằng /, https:// hoặc http://",
    ),
    "not_an_external_url": ("must be a URL that starts with https://", "phải là URL bắt đầu bằng https://"),
    "not_a_secure_link": (
        "must be a URL that starts with https://, or a path of the site",
        "phải là URL bắt đầu bằng https://, hoặc một đường dẫn của trang",
    ),
    "not_a_video_url": (
        "must be the URL of a video on YouTube or Vimeo",
        "phải là URL của video trên YouTube hoặc Vimeo",
    ),
    "invalid_old_url": (
        "{reason}",
        "không dùng được làm URL cũ: phải là đường dẫn bắt đầu bằng /, không phải trang chủ",
    ),
    "old_url_taken": ("{url} is the former URL of article {article}", "{url} là URL cũ của bài {article}"),
    "url_not_callable": ("cannot be called: {reason}", "không gọi được: cần https tới một địa chỉ công khai"),
    "media_or_url_required": ("must have a media ID or a url", "phải có mã media hoặc url"),
    "video_required": ("must have a url, or a provider and an id", "phải có url, hoặc nơi đăng và mã video"),
    "article_required": ("must have an article or a url", "phải có article hoặc url của một bài"),
    "name_required": ("must have a name", "phải có tên"),
    "focus_incomplete": (
        "is required: focus_x and focus_y belong together",
        "phải có: focus_x và focus_y đi cùng nhau",
    ),
    "label_required": ("is required for a URL", "phải có cho một URL"),
    "external_id_required": ("source_system needs an external_id", "source_system cần external_id"),
    "correction_or_corrections": (
        "correction adds to corrections: send one of them",
        "correction thêm vào corrections: chỉ gửi một trong hai",
    ),
    "not_a_language": (
        "must be a language tag such as vi or en-GB (BCP 47)",
        "phải là mã ngôn ngữ như vi hoặc en-GB (BCP 47)",
    ),
    "not_a_tag": ("must be the slug of a tag", "phải là slug của một thẻ"),
    "no_letters": ("must have a letter or a digit", "phải có chữ cái hoặc chữ số"),
    "article_repeated": ("an article is named more than once", "có bài bị nêu nhiều lần"),
    "year_out_of_range": ("must be between the years 1900 and 2200", "phải từ năm 1900 đến năm 2200"),
    "in_the_future": (
        "must not be in the future: it is when the article was first public; publish_at publishes it later",
        "không được ở tương lai: đây là lúc bài công khai lần đầu; để hẹn giờ hãy dùng publish_at",
    ),
    "correction_in_the_future": (
        "must not be in the future: readers see it at once",
        "không được ở tương lai: độc giả thấy ngay",
    ),
    "not_in_the_future": (
        "must be in the future; unpublish withdraws it now",
        "phải ở tương lai; để gỡ ngay hãy dùng unpublish",
    ),
    "not_after": ("must be after {first}", "phải sau {first}"),
    "schedule_time_required": ("is missing: a schedule needs a time", "phải có: hẹn giờ cần thời điểm"),
    "before_publication": ("is before the article would be published", "trước lúc bài được xuất bản"),
    "unknown_site": ("unknown site {site}", "không có trang {site}"),
    "unknown_section": ("unknown section {section} on {site}", "không có chuyên mục {section} trên {site}"),
    "unknown_section_of": (
        "unknown section {section}; sections of {site}: {sections}",
        "không có chuyên mục {section}; {site} có: {sections}",
    ),
    "section_without_site": ("unknown section {section} without a site", "chuyên mục {section} thiếu trang"),
    "no_such_section": ("there is no section {section}", "không có chuyên mục {section}"),
    "no_such_page": ("there is no static page {page}", "không có trang tĩnh {page}"),
    "page_not_public": ("the page {page} is not public", "trang {page} chưa công khai"),
    "items_or_filter": ("send either items or filter", "chỉ gửi một trong hai: items hoặc filter"),
    "expected_with_filter": (
        "is required with filter, and is not used without",
        "phải có khi dùng filter, và chỉ dùng với filter",
    ),
    "no_such_block": ("is no block: version {version} has {size}", "không có: bản {version} có {size} đoạn"),
    "nothing_to_change": ("has neither a text nor is_resolved", "không có gì để đổi"),
    "placed_already": ("is on the page already", "đã có trên trang"),
    "no_such_article": ("there is no such article on this site", "trang không có bài này"),
    "related_to_itself": ("is the article itself", "là chính bài này"),
    "placeholder": (
        "still has “…” in place of a text, below {heading}",
        "còn dấu “…” chưa điền, ở phần {heading}",
    ),
    "placeholder_in_table": (
        "still has “…” in row {row}, column {column} of the table below {heading}; empty the cell if there is nothing",
        "còn dấu “…” chưa điền, ở hàng {row}, cột {column} của bảng trong phần {heading}; không có thì để ô trống",
    ),
    "article_killed": ("is killed", "đã bị hủy"),
    "over": ("must be in the future", "phải ở tương lai"),
    "has_ended": ("has ended", "đã hết hạn"),
    "not_a_json_number": ("has a number that JSON cannot have", "có số mà JSON không biểu diễn được"),
    "not_blocks": ("is not a list of blocks", "không phải danh sách các khối"),
    "not_a_local_time": ("must be a date and a time", "phải là ngày và giờ"),
    "not_a_priority": ("must be a number from 1 to 9", "phải là số từ 1 đến 9"),
    "not_one_picture": (
        'must be one picture: `![description](media:ID "caption")`',
        'phải là một ảnh: `![mô tả](media:ID "chú thích")`',
    ),
    "invalid_fence": ("a ```{fence} is not valid: {reason}", "có khối ```{fence} không hợp lệ"),
    "image_not_stored": (
        "is not in the media store of this site; upload it first",
        "không có trong kho ảnh của trang này; hãy tải lên trước",
    ),
    "image_url_not_stored": (
        "{url} is not in the media store; upload it to /api/media first",
        "{url} không có trong kho ảnh; hãy tải lên trước",
    ),
    "file_not_stored": (
        "is not a file of this site; upload it first",
        "không phải tệp của trang này; hãy tải lên trước",
    ),
    "file_url_not_stored": (
        "{url} is not in the media store; upload it to /api/files first",
        "{url} không có trong kho tệp; hãy tải lên trước",
    ),
    "not_an_email": ("is not an e-mail address", "không phải địa chỉ thư điện tử"),
    "guessable_password": (
        "is too easily guessed; take several unrelated words",
        "quá dễ đoán; hãy dùng nhiều từ không liên quan",
    ),
    "untypable_password": ("has a character that no keyboard sends", "có ký tự mà bàn phím không gõ được"),
    "removed_tags": ("these tags were removed: {tags}", "các thẻ HTML này bị bỏ: {tags}"),
    "long_title": (
        "has {size} characters; search engines truncate after {limit}",
        "có {size} ký tự; máy tìm kiếm cắt sau {limit}",
    ),
    "images_elsewhere": (
        "{count} image(s) on other hosts: pages link to them instead of showing them",
        "{count} ảnh ở máy chủ khác: trang chỉ dẫn liên kết tới chúng, không hiển thị",
    ),
    "file_link_alone": (
        "{count} file(s) are linked in the text only: readers get a file while an article offers it as a block",
        "{count} tệp chỉ có liên kết trong chữ: độc giả chỉ tải được tệp khi có bài đưa nó thành khối tệp",
    ),
    "fix_missing_in_working": (
        "the fix of the live version is not in the working version, whose publication would undo it",
        "bản đang làm chưa có chỗ sửa của bản đang đăng; xuất bản sẽ mất chỗ sửa",
    ),
    "fix_missing_in_scheduled": (
        "the fix of the live version is not in the scheduled version, whose publication would undo it",
        "bản hẹn giờ chưa có chỗ sửa của bản đang đăng; xuất bản sẽ mất chỗ sửa",
    ),
    "schedule_of_withdrawn": (
        "the article is {state}, and version {version} is scheduled for {due}",
        "bài đã gỡ ({state}), mà bản {version} hẹn đăng lúc {due}",
    ),
}
"""{code: (sentence in English, sentence in Vietnamese)}."""
_VALUE = re.compile(r"\{(\w+)\}")


def field_message(code: str, values: Mapping[str, Value], *, vietnamese: bool = False) -> str:
    """Return the sentence of a code with its values; numbers have the thousands separator of the language.

    Raises:
        KeyError: there is no such code, or it lacks a value that its sentence has.
    """
    sentence = MESSAGES[code][1 if vietnamese else 0]
    return _VALUE.sub(lambda name: _shown(name[1], values[name[1]], vietnamese), sentence)


def _shown(name: str, value: Value, vietnamese: bool) -> str:
    if isinstance(value, int):
        return f"{value:,}".replace(",", ".") if vietnamese else f"{value:,}"
    if name == "state" and vietnamese:
        return name_within_sentence(value, "vi")
    return value[:VALUE_CHARACTERS_MAX]
