"""What a response says in the language of its request: warnings of articles, menus and files, and reasons of refusals.

Messages are made in English, by pure code, as programs read them. A person's browser asks for Vietnamese.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import msgspec

from services.ingest.content.errors import FieldError, field_fault
from services.ingest.files.rules import WARNINGS
from services.ingest.imports.reasons import reason_in_vietnamese

IS_VIETNAMESE = ContextVar("is_vietnamese", default=False)
"""Whether the request that is handled prefers Vietnamese; `ProblemCodes` sets it."""
REFUSED_FILES: Mapping[str, str] = {
    "macros": "Tệp có macro hoặc lệnh chạy chương trình; hãy lưu lại thành .docx, .xlsx hoặc PDF.",
    "scripts": "Tệp PDF có mã chạy được hoặc không kiểm tra được; hãy in ra một tệp PDF mới.",
    "encrypted": "Tệp đặt mật khẩu, nên không kiểm tra được và người đọc không mở được; hãy bỏ mật khẩu.",
    "external-content": "Tệp tải mẫu hoặc đối tượng từ nơi khác khi mở; hãy lưu lại thành PDF.",
    "embedded-files": "Tệp có tệp khác nhúng bên trong; hãy bỏ tệp nhúng hoặc lưu lại thành PDF.",
    "polyglot": "Tệp thuộc hai loại cùng lúc; hãy lưu lại thành PDF.",
    "programs": "Tệp nén có chương trình hoặc trang web bên trong; hãy bỏ ra.",
    "bomb": "Tệp nén bung ra quá lớn, hoặc có tệp nén khác bên trong; hãy bỏ ra.",
    "entry-name": "Tệp nén có tên tệp không hợp lệ; hãy nén lại.",
    "damaged": "Tệp hỏng hoặc bị cắt ngang; hãy mở ra, lưu lại rồi tải lên.",
    "too-large": "Tệp có phần quá lớn, không kiểm tra được.",
    "unsupported-type": "Loại tệp này không được nhận; hãy dùng PDF, DOC, DOCX, XLS, XLSX, ODT hoặc ZIP.",
}
"""{reason: sentence}."""
REFUSED_IMAGES: Mapping[str, str] = {
    "unsupported-type": "Loại ảnh này không được nhận; hãy dùng JPEG, PNG, WebP, AVIF hoặc GIF. Ảnh HEIC của iPhone: "
    "hãy lưu lại thành JPEG.",
    "too-large": "Ảnh quá lớn; hãy thu nhỏ rồi tải lên.",
    "animated": "Ảnh động không được nhận; hãy dùng ảnh tĩnh hoặc video.",
    "damaged": "Ảnh hỏng hoặc bị cắt ngang; hãy mở ra, lưu lại rồi tải lên.",
}
"""{reason: sentence}."""


def language_headers() -> dict[str, str]:
    """Return the headers of a response that has warnings."""
    return {"content-language": "vi" if IS_VIETNAMESE.get() else "en", "vary": "accept-language"}


def localized_warnings(warnings: Iterable[FieldError]) -> list[FieldError]:
    """Return warnings in the language of the request."""
    return [_in_vietnamese(one) for one in warnings] if IS_VIETNAMESE.get() else list(warnings)


def localized_texts(warnings: Sequence[str]) -> list[str]:
    """Return warnings about a file in the language of the request."""
    return [WARNINGS.get(one, one) for one in warnings] if IS_VIETNAMESE.get() else list(warnings)


def _in_vietnamese(error: FieldError) -> FieldError:
    return msgspec.structs.replace(error, message=field_fault(error, vietnamese=True))


def refusal_in_vietnamese(code: str, document: Mapping[str, Any]) -> str | None:
    """Return why an upload or an import was refused, by the reason of its problem document; None without one."""
    if code == "unreadable_import":
        why = str(document.get("detail", "")).removeprefix("The file ").removesuffix(".")
        return f"Không nhập được tệp này: {reason_in_vietnamese(why)}."
    reason = document.get("reason")
    if not isinstance(reason, str):
        return None
    return REFUSED_FILES.get(reason) if code == "file_refused" else REFUSED_IMAGES.get(reason)
