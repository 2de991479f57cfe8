"""The texts of mails."""

from datetime import UTC, datetime

from services.ingest.auth.mail_texts import CHANGES, TEXTS, change_mail, link_mail


def test_mails_of_both_languages_have_all_texts() -> None:
    """Each mail exists in Vietnamese and English, without a placeholder left in it."""
    at = datetime(2026, 11, 29, 20, tzinfo=UTC)
    assert TEXTS["vi"].keys() == TEXTS["en"].keys()
    assert CHANGES["vi"].keys() == CHANGES["en"].keys()
    for language in ("vi", "en"):
        for purpose in ("invitation", "reset", "login"):
            subject, lines = link_mail(purpose, language, name="Lan {x}", url="URL", expires_at=at, by="{url}")
            assert "URL" in lines
            assert "03:00 30/11/2026" in lines[-1]
            assert lines[0].endswith("Lan {x},")
            assert "{" not in subject
        for change in CHANGES[language]:
            subject, lines = change_mail(change, language, name="Lan")
            assert subject
            assert "{" not in "".join(lines)
