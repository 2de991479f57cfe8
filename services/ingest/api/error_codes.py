"""Codes of problem documents, with their sentences in English and Vietnamese.

A code is stable and says what a program has to do; sentences may change. Where a route names no code it follows from
the status and the fields of the document, so that every problem has one.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest.api.request_language import IS_VIETNAMESE, refusal_in_vietnamese
from services.ingest.content.field_messages import MESSAGES, field_message
from services.ingest.content.state_names import name_within_sentence
from shared.http.problems import MEDIA_TYPE, Problem

CATALOGUE: Mapping[str, tuple[str, str]] = {
    "account_locked": ("The account is locked.", "Tài khoản đã bị khóa; hãy hỏi người quản trị."),
    "ambiguous_cookie": ("The session's cookie was sent twice.", "Cookie của phiên được gửi hai lần."),
    "another_login": (
        "It belongs to another log-in.",
        "Phản hồi thuộc một lần đăng nhập khác; hãy đăng nhập lại từ đầu.",
    ),
    "autosave_closed": ("An article was created from this text.", "Đã tạo bài từ bản đang viết này."),
    "autosave_elsewhere": (
        "Another tab has stored a text.",
        "Một cửa sổ khác của bạn đang giữ bản viết dở của bài này.",
    ),
    "autosave_outdated": ("A newer text is stored.", "Đã lưu một bản viết dở mới hơn."),
    "bad_request": ("The request cannot be read.", "Yêu cầu không đọc được."),
    "bulk_refused": ("Some articles cannot be changed.", "Có bài không thay đổi được, nên chưa bài nào thay đổi."),
    "busy": ("Too much is being done at the moment.", "Hệ thống đang bận; hãy thử lại sau."),
    "carry_over_conflict": ("The change differs from the draft.", "Thay đổi mâu thuẫn với bản nháp."),
    "code_required": ("Two-step verification is on.", "Cần mã xác thực hai bước."),
    "conflict": ("The state does not allow this.", "Trạng thái hiện tại không cho phép việc này."),
    "database_unavailable": ("The database is unavailable.", "Cơ sở dữ liệu tạm thời không hoạt động; hãy thử lại."),
    "email_taken": ("Somebody has this e-mail address.", "Địa chỉ thư này đã có người dùng."),
    "empty_file": ("The file is empty.", "Tệp trống."),
    "external_id_taken": ("An article has this external ID.", "Đã có bài mang mã ngoài này."),
    "file_refused": ("The file is not accepted.", "Tệp không được chấp nhận."),
    "forbidden": ("This is not allowed.", "Bạn không có quyền làm việc này."),
    "foreign_origin": ("The request comes from elsewhere.", "Yêu cầu không đến từ trang của máy chủ này."),
    "https_required": ("Log in over https.", "Hãy đăng nhập qua https."),
    "idempotency_key_reused": ("The key was used for another request.", "Mã chống lặp đã dùng cho yêu cầu khác."),
    "identity_conflict": ("The person has another identity.", "Người này đăng nhập bằng một tài khoản khác."),
    "image_refused": ("The image is not accepted.", "Ảnh không được chấp nhận."),
    "in_use": ("It is still used.", "Còn đang được dùng; hãy gỡ chỗ dùng trước."),
    "internal_error": ("An unexpected error was logged.", "Có lỗi bất ngờ; lỗi đã được ghi lại."),
    "invalid": ("The values are not valid.", "Giá trị không hợp lệ."),
    "invalid_fields": ("Fields are not valid.", "Có trường không hợp lệ: {fields}."),
    "invalid_form": ("The form cannot be read.", "Biểu mẫu gửi lên không đọc được."),
    "invalid_idempotency_key": ("The Idempotency-Key is not valid.", "Mã chống lặp không hợp lệ."),
    "invalid_id_token": (
        "The provider's ID token is not valid.",
        "Nơi đăng nhập chung gửi mã danh tính không hợp lệ; hãy đăng nhập lại.",
    ),
    "invalid_if_match": ("The header If-Match is not valid.", "Tiêu đề If-Match không hợp lệ."),
    "invalid_json": ("The body is not valid JSON.", "Nội dung gửi không phải JSON hợp lệ."),
    "invalid_token": ("The token is not valid.", "Mã truy cập không hợp lệ hoặc đã hết hạn."),
    "last_administrator": ("This is the last administrator.", "Đây là người quản trị cuối cùng."),
    "limit_reached": ("There are as many as possible.", "Đã đủ số lượng tối đa; hãy bớt đi trước."),
    "mail_not_configured": ("No mails are sent here.", "Hệ thống chưa gửi thư được; hãy hỏi người quản trị."),
    "media_store_unavailable": (
        "The media store is unavailable.",
        "Kho ảnh và tệp tạm thời không hoạt động; hãy thử lại.",
    ),
    "merged_into_itself": ("It cannot be merged into itself.", "Không gộp vào chính nó được."),
    "method_not_allowed": ("The method is not allowed.", "Phương thức không được phép."),
    "missing_scope": ("A scope is missing.", "Thiếu quyền “{missing_scope}”."),
    "no_autosave": ("There is no unsaved text.", "Không có bản viết dở."),
    "no_access_to_site": ("There is no access to this site.", "Bạn không có quyền trên trang này."),
    "no_file": ("The form has no file.", "Biểu mẫu không có tệp."),
    "no_pending_login": ("No log-in was begun.", "Chưa bắt đầu đăng nhập, hoặc đã quá lâu; hãy bắt đầu lại."),
    "no_pending_secret": ("No secret was requested.", "Hãy bắt đầu bật xác thực hai bước trước."),
    "no_provider": ("There is no provider.", "Chưa cấu hình đăng nhập chung."),
    "not_authenticated": ("Log in, or send a token.", "Hãy đăng nhập."),
    "not_found": ("It does not exist.", "Không tìm thấy."),
    "not_invited": ("You are not invited.", "Bạn chưa được mời; hãy hỏi người quản trị."),
    "not_public": ("It is not public.", "Nội dung chưa công khai."),
    "not_your_comment": ("The comment is somebody else's.", "Ghi chú này của người khác."),
    "not_your_people": ("The rights exceed your own.", "Bạn chỉ trao được quyền trên trang mà bạn quản trị."),
    "own_account": ("This is your own account.", "Không làm được việc này với chính tài khoản của bạn."),
    "own_password_required": (
        "Change your own account at /api/me, with the current password.",
        "Hãy đổi tài khoản của chính bạn ở /api/me, bằng mật khẩu hiện tại.",
    ),
    "people_only": ("This is for people.", "Chỉ dành cho người đăng nhập."),
    "provider_refused": ("The provider has refused.", "Nơi đăng nhập chung đã từ chối."),
    "provider_unavailable": ("The provider does not answer.", "Nơi đăng nhập chung không trả lời; hãy thử lại."),
    "second_editor_required": ("Another editor must approve it.", "Người khác phải duyệt bài này."),
    "selection_changed": (
        "Other articles match than expected.",
        "Danh sách bài đã thay đổi ({matching} bài khớp); hãy xem lại.",
    ),
    "session_ended": ("The session has ended.", "Phiên làm việc đã kết thúc; hãy đăng nhập lại."),
    "slug_given_up": ("The slug redirects to another one.", "Đường dẫn này đang chuyển hướng tới đường dẫn khác."),
    "slug_reserved": ("The installation uses this path.", "Đường dẫn này dành riêng cho hệ thống."),
    "still_public": ("It is public. Unpublish it first.", "Nội dung đang công khai; hãy gỡ xuống trước."),
    "slug_taken": ("Another one has this slug.", "Đường dẫn này đã có nơi dùng."),
    "starting": ("The service is starting.", "Hệ thống đang khởi động; hãy thử lại."),
    "token_refused": ("The provider gave no token.", "Nơi đăng nhập chung không chấp nhận mã; hãy thử lại."),
    "too_large": ("It is too large.", "Quá lớn."),
    "too_many_attempts": ("Too many attempts.", "Quá nhiều lần thử; hãy đợi, hoặc dùng liên kết gửi qua thư."),
    "too_many_comments": ("There are too many comments.", "Bài đã có quá nhiều ghi chú; hãy xóa bớt."),
    "too_many_requests": ("Too many requests.", "Quá nhiều yêu cầu cùng lúc; hãy đợi."),
    "too_slow": ("The body took too long.", "Nội dung gửi quá lâu."),
    "two_steps_off": ("Two-step verification is off.", "Xác thực hai bước đang tắt."),
    "two_steps_on": ("Two-step verification is on.", "Xác thực hai bước đang bật; hãy tắt bằng một mã của nó trước."),
    "unavailable": ("It is unavailable at the moment.", "Tạm thời không phục vụ được; hãy thử lại sau."),
    "undecodable_file": ("The file takes too much to be read.", "Không đọc được tệp trong giới hạn cho phép."),
    "unknown_link": ("The link does not work.", "Liên kết đã dùng, đã hết hạn, hoặc đã được thay."),
    "unreadable_import": ("The file cannot be imported.", "Không nhập được tệp này."),
    "unsupported_type": ("The type is not accepted.", "Loại tệp không được hỗ trợ."),
    "unverified_email": ("The address is not verified.", "Địa chỉ thư chưa được nơi đăng nhập chung xác nhận."),
    "version_conflict": ("Another version is the newest.", "Đã có bản mới hơn; hãy đọc lại."),
    "version_required": ("Name the version.", "Hãy nêu bản mà bạn đã đọc."),
    "webhook_disabled": ("The webhook is disabled.", "Webhook đang tắt."),
    "withdrawn": ("It was withdrawn.", "Nội dung đã bị gỡ."),
    "wrong_code": ("The code is wrong.", "Mã sai hoặc đã dùng; hãy đợi mã tiếp theo."),
    "wrong_credentials": ("E-mail or password is wrong.", "Địa chỉ thư hoặc mật khẩu không đúng."),
    "wrong_csrf_token": ("The CSRF token is wrong.", "Mã chống giả mạo thiếu hoặc sai; hãy tải lại trang."),
    "wrong_current_password": ("The current password is wrong.", "Mật khẩu hiện tại không đúng."),
    "wrong_issuer": ("Another provider has answered.", "Phản hồi đến từ một nơi đăng nhập khác."),
    "wrong_state": ("The state does not allow this.", "Không làm được từ trạng thái “{state}”."),
}
"""{code: (sentence in English, sentence in Vietnamese)}. Vietnamese ones may name fields of the document."""
OF_STATUS = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    410: "withdrawn",
    412: "version_conflict",
    413: "too_large",
    415: "unsupported_type",
    422: "invalid",
    428: "version_required",
    429: "too_many_requests",
    500: "internal_error",
    501: "unavailable",
    502: "unavailable",
    503: "unavailable",
}
"""Of problems that name no code."""
PROBLEM_BYTES_MAX = 1024 * 1024
_RANGE = re.compile(r"\s*([a-zA-Z]{1,8}|\*)(?:-[a-zA-Z0-9-]*)?\s*(?:;\s*q\s*=\s*([0-9.]{1,6}))?\s*$")


def code_of(document: Mapping[str, Any], challenge: str = "") -> str:
    """Return the code of a problem document that names none.

    Args:
        document: The document.
        challenge: The response's `WWW-Authenticate` header.
    """
    if document.get("errors"):
        return "invalid_fields"
    if "missing_scope" in document:
        return "missing_scope"
    status = document.get("status")
    if status == 401 and "invalid_token" in challenge:
        return "invalid_token"
    if status == 409:
        by_field = {"conflicts": "carry_over_conflict", "possible_from": "wrong_state", "state": "wrong_state"}
        found = next((code for field, code in by_field.items() if document.get(field)), None)
        return found or ("external_id_taken" if "article" in document else "conflict")
    if "reason" in document and status in (413, 415, 422):
        return "file_refused"
    return OF_STATUS.get(status if isinstance(status, int) else 0, "bad_request")


def localized_problem(problem: Problem, *, vietnamese: bool) -> dict[str, Any]:
    """Return the document of a problem that is a part of another response, with its code."""
    document = {"status": problem.status, "detail": problem.detail, **problem.extensions}
    return localized(document, vietnamese=vietnamese, challenge=problem.headers.get("www-authenticate", ""))


def wants_vietnamese(accepted: str) -> bool:
    """Return whether an `Accept-Language` header prefers Vietnamese to English. Without one English is the default."""
    best = {"vi": 0.0, "en": 0.0}
    for part in accepted[:500].split(","):
        found = _RANGE.match(part)
        if found is None:
            continue
        try:
            quality = float(found[2] or 1)
        except ValueError:
            continue
        language = found[1].lower()
        if language in best:
            best[language] = max(best[language], min(quality, 1.0))
    return best["vi"] > best["en"]


def localized(document: dict[str, Any], *, vietnamese: bool, challenge: str = "") -> dict[str, Any]:
    """Return a problem document with its code, and in Vietnamese with that sentence."""
    named = document.get("code")
    code = named if isinstance(named, str) and named in CATALOGUE else code_of(document, challenge)
    changed = {**document, "code": code}
    if vietnamese:
        fields = ", ".join(str(one.get("field", "")) for one in document.get("errors") or [])
        values = {**document, "fields": fields[:300]}
        if isinstance(state := document.get("state"), str):
            values["state"] = name_within_sentence(state, "vi")
        if document.get("errors"):
            changed["errors"] = [_in_vietnamese(one) for one in document["errors"]]
        told = refusal_in_vietnamese(code, document)
        sentence = told or re.sub(r"\{(\w+)\}", lambda name: str(values.get(name[1], "?"))[:300], CATALOGUE[code][1])
        changed |= {"title": sentence.rstrip("."), "detail": sentence}
    return changed


def _in_vietnamese(error: dict[str, Any]) -> dict[str, Any]:
    """Return the error of a field with its sentence in Vietnamese."""
    if error.get("code") not in MESSAGES:
        return error
    values = {**error.get("values", {}), **{name: error[name] for name in ("limit", "size") if name in error}}
    return {**error, "fault": field_message(error["code"], values, vietnamese=True)}


class ProblemCodes:
    """Adds codes to all problem documents of an application, and answers in Vietnamese where that is preferred."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun: Message | None = None
        body = b""
        IS_VIETNAMESE.set(wants_vietnamese(Headers(scope=scope).get("accept-language", "")))

        async def send_with_code(message: Message) -> None:
            nonlocal begun, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type", "").startswith(MEDIA_TYPE):
                    begun = message
                    return
            elif begun is not None:
                body += message.get("body", b"")
                if message.get("more_body", False) and len(body) < PROBLEM_BYTES_MAX:
                    return
                body = _with_code(body, begun)
                await send(begun)
                begun = None
                await send({**message, "body": body})
                return
            await send(message)

        await self._app(scope, receive, send_with_code)


def _with_code(body: bytes, begun: Message) -> bytes:
    headers = MutableHeaders(raw=begun["headers"])
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:  # a HEAD request, or a stream that was cut
        return body
    vietnamese = IS_VIETNAMESE.get()
    challenge = headers.get("www-authenticate", "")
    content = msgspec.json.encode(localized(document, vietnamese=vietnamese, challenge=challenge))
    headers["content-length"] = str(len(content))
    headers["content-language"] = "vi" if vietnamese else "en"
    headers.add_vary_header("accept-language")
    begun["headers"] = headers.raw
    return content
