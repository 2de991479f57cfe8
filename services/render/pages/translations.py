"""The words of the pages themselves, Vietnamese and English."""

from shared.sites import Site


class Words(dict[str, str]):
    """Words by name. They are attributes too: that is where a template looks first."""

    def __init__(self, words: dict[str, str]) -> None:
        super().__init__(words)
        self.__dict__ = self


VIETNAMESE = {
    "about": "Thông tin liên hệ",
    "address": "Địa chỉ",
    "all_months": "Lưu trữ theo tháng",
    "archive": "Lưu trữ",
    "authors": "Tác giả",
    "by_date": "Mới nhất trước",
    "by_fit": "Phù hợp nhất trước",
    "contact": "Liên hệ",
    "contrast": "Tương phản cao",
    "copied": "Đã chép liên kết",
    "copy_link": "Chép liên kết",
    "correction": "Đính chính",
    "counter": "Thống kê truy cập",
    "download": "Tải về",
    "email": "Thư điện tử",
    "feeds": "Kênh tin (RSS, Atom)",
    "from": "Từ ngày",
    "highlights": "Tin nổi bật",
    "home": "Trang chủ",
    "larger": "Chữ to hơn",
    "latest": "Tin mới",
    "link_video": "Xem video",
    "mail": "Gửi qua thư",
    "menu": "Chuyên mục",
    "more": "Xem thêm",
    "most_read": "Đọc nhiều",
    "narrow": "Lọc và sắp xếp",
    "nearest": "Không có bài nào đúng như vậy. Gần giống nhất:",
    "newer": "Tin mới hơn",
    "newer_page": "Trang trước",
    "none": "Chưa có bài viết nào.",
    "older": "Tin cũ hơn",
    "older_page": "Trang sau",
    "online": "Đang online",
    "page": "Trang",
    "phone": "Điện thoại",
    "print": "In trang này",
    "related": "Tin liên quan",
    "responsible": "Chịu trách nhiệm nội dung",
    "result": "kết quả",
    "results": "kết quả",
    "save": "Lưu về máy",
    "search": "Tìm kiếm",
    "search_hint": "Tìm trong các bài viết, có dấu hay không dấu",
    "section": "Chuyên mục",
    "sections_all": "Mọi chuyên mục",
    "share": "Chia sẻ",
    "site_map": "Sơ đồ trang",
    "skip": "Tới nội dung",
    "smaller": "Chữ nhỏ hơn",
    "sort": "Thứ tự",
    "table": "Bảng",
    "tag": "Từ khóa",
    "tags": "Từ khóa",
    "to": "Đến ngày",
    "today": "Hôm nay",
    "tools": "Cỡ chữ và tương phản",
    "top": "Về đầu trang",
    "total": "Tất cả",
    "try_again": "Hãy thử ít từ hơn, hoặc gõ không dấu.",
    "video": "Video",
    "week": "Trong tuần",
    "without": "Không tìm thấy bài viết nào.",
}
ENGLISH = {
    "about": "About and contact",
    "address": "Address",
    "all_months": "Archive by month",
    "archive": "Archive",
    "authors": "Authors",
    "by_date": "Newest first",
    "by_fit": "Best match first",
    "contact": "Contact",
    "contrast": "High contrast",
    "copied": "Link copied",
    "copy_link": "Copy link",
    "correction": "Correction",
    "counter": "Visitors",
    "download": "Download",
    "email": "E-mail",
    "feeds": "Feeds (RSS, Atom)",
    "from": "From",
    "highlights": "Top stories",
    "home": "Home",
    "larger": "Larger text",
    "latest": "Latest",
    "link_video": "Watch the video",
    "mail": "Send by e-mail",
    "menu": "Sections",
    "more": "More",
    "most_read": "Most read",
    "narrow": "Filter and sort",
    "nearest": "Nothing matches exactly. The nearest:",
    "newer": "Newer",
    "newer_page": "Previous page",
    "none": "There are no articles yet.",
    "older": "Older",
    "older_page": "Next page",
    "online": "Online",
    "page": "Page",
    "phone": "Phone",
    "print": "Print",
    "related": "Related",
    "responsible": "Responsible for content",
    "result": "result",
    "results": "results",
    "save": "Save",
    "search": "Search",
    "search_hint": "Search all articles",
    "section": "Section",
    "sections_all": "All sections",
    "share": "Share",
    "site_map": "Site map",
    "skip": "Skip to content",
    "smaller": "Smaller text",
    "sort": "Order",
    "table": "Table",
    "tag": "Tag",
    "tags": "Tags",
    "to": "To",
    "today": "Today",
    "tools": "Text size and contrast",
    "top": "Back to top",
    "total": "All time",
    "try_again": "Try fewer words.",
    "video": "Video",
    "week": "This week",
    "without": "No article was found.",
}
LANGUAGES_VIETNAMESE = {
    "en": "Tiếng Anh",
    "fr": "Tiếng Pháp",
    "ja": "Tiếng Nhật",
    "km": "Tiếng Khmer",
    "ko": "Tiếng Hàn",
    "lo": "Tiếng Lào",
    "vi": "Tiếng Việt",
    "zh": "Tiếng Trung",
}
LANGUAGES_ENGLISH = {
    "en": "English",
    "fr": "French",
    "ja": "Japanese",
    "km": "Khmer",
    "ko": "Korean",
    "lo": "Lao",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
ERRORS_VIETNAMESE = {
    404: ("Không tìm thấy trang", "Trang này không có hoặc đã được chuyển đi."),
    410: ("Bài viết đã được gỡ", "Bài viết này không còn trên trang."),
    500: ("Trang gặp lỗi", "Lỗi đã được ghi lại. Xin thử lại sau ít phút."),
    503: ("Trang tạm thời gián đoạn", "Xin thử lại sau ít phút."),
}
ERRORS_ENGLISH = {
    404: ("Page not found", "There is no such page, or it has moved."),
    410: ("This article was withdrawn", "It is no longer on this site."),
    500: ("Something went wrong", "The fault was noted. Please try again in a few minutes."),
    503: ("Back in a moment", "Please try again in a few minutes."),
}


_WORDS = {True: Words(VIETNAMESE), False: Words(ENGLISH)}


def is_vietnamese(site: Site) -> bool:
    """Tell whether a site's own words are Vietnamese."""
    return site.language.startswith("vi")


def words_of(site: Site) -> Words:
    """Return the words of a site's pages."""
    return _WORDS[is_vietnamese(site)]


def error_words(site: Site, status: int) -> tuple[str, str]:
    """Return title and sentence of an error page."""
    return (ERRORS_VIETNAMESE if is_vietnamese(site) else ERRORS_ENGLISH)[status]


def counted(site: Site, count: int, *, more: bool = False) -> str:
    """Write how many results there are, by the rules of the site's language; `more`: at least so many."""
    words = words_of(site)
    name = words["result" if count == 1 and not more else "results"]
    return f"{count:,}{'+' if more else ''} {name}".replace(",", site.thousands_separator)


def language_name(site: Site, language: str) -> str:
    """Return the name of a language in the site's own."""
    names = LANGUAGES_VIETNAMESE if is_vietnamese(site) else LANGUAGES_ENGLISH
    return names.get(language.split("-", 1)[0].lower(), language)
