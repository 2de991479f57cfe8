"""The texts of mails to people, in Vietnamese and English. Pure."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TEXTS = {
    "vi": {
        "invitation": (
            "Lời mời vào ban biên tập",
            "Chào {name},",
            "{by} mời bạn vào ban biên tập. Mở liên kết này để đặt mật khẩu:",
            "Liên kết dùng được một lần, đến {until}. Nếu bạn không chờ lời mời này, hãy bỏ qua thư.",
        ),
        "reset": (
            "Đặt lại mật khẩu",
            "Chào {name},",
            "Có yêu cầu đặt lại mật khẩu của bạn. Mở liên kết này để đặt mật khẩu mới:",
            "Liên kết dùng được một lần, đến {until}. Nếu bạn không yêu cầu, hãy bỏ qua thư: mật khẩu không thay đổi.",
        ),
        "login": (
            "Liên kết đăng nhập",
            "Chào {name},",
            "Mở liên kết này trong trình duyệt mà bạn muốn đăng nhập; bạn vẫn cần mật khẩu:",
            "Liên kết dùng được một lần, đến {until}. Nếu bạn không yêu cầu, hãy bỏ qua thư.",
        ),
        "changed": (
            "Tài khoản của bạn vừa được thay đổi",
            "Chào {name},",
            "{what} Nếu không phải bạn làm, hãy báo ngay cho người quản trị.",
            "",
        ),
    },
    "en": {
        "invitation": (
            "Invitation to the newsroom",
            "Hello {name},",
            "{by} invites you to the newsroom. Open this link to set a password:",
            "The link works once, until {until}. If you did not expect this invitation, ignore this mail.",
        ),
        "reset": (
            "Set a new password",
            "Hello {name},",
            "Somebody asked for a new password for your account. Open this link to set it:",
            "The link works once, until {until}. If it was not you, ignore this mail: the password does not change.",
        ),
        "login": (
            "Log-in link",
            "Hello {name},",
            "Open this link in the browser in which you want to log in; you still need the password:",
            "The link works once, until {until}. If it was not you, ignore this mail.",
        ),
        "changed": (
            "Your account was changed",
            "Hello {name},",
            "{what} If it was not you, report it to your administrator at once.",
            "",
        ),
    },
}
CHANGES = {
    "vi": {
        "email": "Địa chỉ thư để đăng nhập vừa được đổi; thư này được gửi tới địa chỉ cũ.",
        "password": "Mật khẩu của bạn vừa được đổi.",
        "totp_on": "Xác thực hai bước vừa được bật.",
        "totp_off": "Xác thực hai bước vừa được tắt.",
    },
    "en": {
        "email": "The e-mail address of your account was changed; this mail goes to the former one.",
        "password": "Your password was changed.",
        "totp_on": "Two-step verification was switched on.",
        "totp_off": "Two-step verification was switched off.",
    },
}


def link_mail(
    purpose: str, language: str, *, name: str, url: str, expires_at: datetime, by: str = "Presstally"
) -> tuple[str, Sequence[str]]:
    """Return the subject and lines of a mail with a link.

    Args:
        purpose: invitation, reset or login.
        language: vi or en.
        name: Of the recipient.
        url: The link.
        expires_at: Until when it works.
        by: Who invites.
    """
    subject, greeting, before, after = TEXTS[language][purpose]
    until = expires_at.astimezone(ZONE).strftime("%H:%M %d/%m/%Y (GMT+7)")
    return subject, [greeting.format(name=name), "", before.format(by=by), "", url, "", after.format(until=until)]


def change_mail(change: str, language: str, *, name: str) -> tuple[str, Sequence[str]]:
    """Return the subject and lines of a notice that an account was changed: a key of CHANGES."""
    subject, greeting, body, _ = TEXTS[language]["changed"]
    return subject, [greeting.format(name=name), "", body.format(what=CHANGES[language][change])]
