"""Mails to people, over a real connection to a small SMTP server."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.errors import MessageError

import pytest

from services.ingest.auth.mail import Mailer, MailServer, MailSettingsError, build_message, parse_mail_server
from services.ingest.auth.mail_texts import link_mail


class SmtpServer:
    """Accepts mails; the first connections may be refused."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.refused = 0
        self.refuse_recipients = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        if self.refused:
            self.refused -= 1
            await say("421 busy")
            writer.close()
            return
        await say("220 test")
        while line := await reader.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb in (b"EHLO", b"HELO"):
                await say("250 test")
            elif verb == b"RCPT" and self.refuse_recipients:
                await say("550 unknown")
            elif verb == b"DATA":
                await say("354 go on")
                self.received.append(await reader.readuntil(b"\r\n.\r\n"))
                await say("250 taken")
            elif verb == b"QUIT":
                await say("221 bye")
                break
            else:
                await say("250 ok")
        writer.close()


@pytest.fixture
async def smtp() -> AsyncIterator[tuple[SmtpServer, MailServer]]:
    """A server, and how it is reached."""
    fake = SmtpServer()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield fake, MailServer("127.0.0.1", port, False, True, "", "", "toasoan@haihau.example")
    server.close()


async def sent(mailer: Mailer) -> None:
    running = asyncio.create_task(mailer.run())
    async with asyncio.timeout(30):
        await mailer.drain()
    running.cancel()


async def test_mail_with_vietnamese_letters_arrives(smtp: tuple[SmtpServer, MailServer]) -> None:
    """Subject, greeting and link arrive whole, also after the server was busy."""
    fake, server = smtp
    fake.refused = 1
    mailer = Mailer(server, [0.01, 0.01])
    url = "https://haihau.example/ban-bien-tap/loi-moi#" + "x" * 43
    subject, lines = link_mail(
        "invitation", "vi", name="Trần Lan", url=url, expires_at=datetime(2026, 12, 1, tzinfo=UTC), by="Minh"
    )
    mailer.send("lan@haihau.example", subject, lines)
    await sent(mailer)
    (raw,) = fake.received
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert (message["subject"], message["to"]) == ("Lời mời vào ban biên tập", "lan@haihau.example")
    text = message.get_content()
    assert "Minh mời bạn" in text
    assert url in text
    assert "07:00 01/12/2026" in text


async def test_mail_that_is_refused_is_given_up(smtp: tuple[SmtpServer, MailServer]) -> None:
    """An unknown recipient and a server that stays unavailable are given up, and later mails are sent."""
    fake, server = smtp
    fake.refuse_recipients = True
    mailer = Mailer(server, [0.01])
    mailer.send("ai-do@haihau.example", "x", ["y"])
    await sent(mailer)
    fake.refuse_recipients, fake.refused = False, 2
    mailer.send("a@haihau.example", "x", ["y"])
    mailer.send("b@haihau.example", "x", ["y"])
    await sent(mailer)
    assert [email.message_from_bytes(one)["to"] for one in fake.received] == ["b@haihau.example"]


@pytest.mark.parametrize(
    "hostile", ["a@b.vn\r\nBcc: x@evil.example", "a@b.vn\nx", "a@b.vn, c@d.vn", "", "a", "<a@b.vn>\0"]
)
def test_message_with_a_hostile_recipient_is_not_built(hostile: str) -> None:
    """No address adds a header or another recipient."""
    with pytest.raises((ValueError, IndexError, MessageError)):
        build_message("toasoan@haihau.example", hostile, "x", ["y"])


def test_message_with_a_hostile_name_has_no_further_header() -> None:
    """A name with line breaks stays in the text, and a subject with them is refused."""
    subject, lines = link_mail("reset", "en", name="Lan\r\nBcc: x@evil.example", url="u", expires_at=datetime.now(UTC))
    message = build_message("toasoan@haihau.example", "a@b.vn", subject, lines)
    parsed = email.message_from_bytes(message.as_bytes())
    assert parsed["bcc"] is None
    with pytest.raises(ValueError, match=r"linefeed|newline|carriage"):
        build_message("toasoan@haihau.example", "a@b.vn", "x\r\nBcc: x@evil.example", ["y"])


async def test_mails_beyond_the_bound_are_dropped() -> None:
    """A server that never answers fills no memory."""
    mailer = Mailer(MailServer("127.0.0.1", 1, False, True, "", "", "toasoan@haihau.example"))
    for _ in range(300):
        mailer.send("a@b.vn", "x", ["y"])
    assert mailer._waiting.qsize() == 200
    nobody = Mailer(None)
    nobody.send("a@b.vn", "x", ["y"])
    assert not nobody.is_configured


def test_mail_server_is_read_from_its_url() -> None:
    """TLS is required unless it is switched off by name; passwords may have any character; ports have defaults."""
    full = parse_mail_server("smtps://lan%40x:p%2Fw%3A@mail.example", "a@b.vn")
    assert full == MailServer("mail.example", 465, True, False, "lan@x", "p/w:", "a@b.vn")
    assert parse_mail_server("smtp://mail.example", "a@b.vn") == MailServer(
        "mail.example", 587, False, False, "", "", "a@b.vn"
    )
    plain = parse_mail_server("smtp://localhost:25?tls=none", "a@b.vn")
    assert plain is not None
    assert plain.is_plain
    assert parse_mail_server("", "") is None


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("smtp://mail.example", ""),
        ("", "a@b.vn"),
        ("http://mail.example", "a@b.vn"),
        ("smtp://", "a@b.vn"),
        ("smtp://mail.example:port", "a@b.vn"),
        ("smtp://mail.example/path", "a@b.vn"),
        ("smtp://mail.example?tls=maybe", "a@b.vn"),
        ("smtps://mail.example?tls=none", "a@b.vn"),
        ("smtp://u:secret@mail.example?tls=none", "a@b.vn"),
        ("smtp://mail.example?x=1", "a@b.vn"),
        ("smtp://mail.example", "a"),
        ("smtp://mail.example", "a@b.vn\r\nBcc: c@d.vn"),
        ("smtp://mail.example", "é@b.vn"),
    ],
)
def test_mail_settings_that_cannot_work_are_refused(url: str, sender: str) -> None:
    """The message names the variable and never the password."""
    with pytest.raises(MailSettingsError, match="PRESSTALLY_") as refused:
        parse_mail_server(url, sender)
    assert "secret" not in str(refused.value)
