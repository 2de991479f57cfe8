"""Mails to people, by SMTP: waiting in memory, sent one after the other in a thread.

A mail that is lost with the process is asked for again by the person who misses it. No log has an address or a link.
"""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid
from urllib.parse import parse_qs, unquote, urlsplit

from services.ingest.metrics import MAILS
from shared.logs import log

WAITING_MAX = 200
SECONDS_MAX = 20.0
PAUSES_SECONDS = (5.0, 30.0, 120.0)
"""Before the second, third and fourth attempt."""


class MailSettingsError(ValueError):
    """The address of the mail server, or of the sender, is invalid; the message has no secret."""


@dataclass(frozen=True)
class MailServer:
    """A mail server, and in whose name it sends."""

    host: str
    port: int
    is_tls: bool
    """TLS from the first byte (smtps)."""
    is_plain: bool
    """No TLS: for a server on this machine or in a private network."""
    user: str
    password: str
    sender: str


def parse_mail_server(url: str, sender: str) -> MailServer | None:
    """Return the mail server of the settings; None if there is none.

    Args:
        url: `smtps://user:password@host:465`, `smtp://user:password@host:587` with STARTTLS, or `smtp://host:25?tls=none`.
        sender: `name@host` of the mails.

    Raises:
        MailSettingsError: the URL or the sender is invalid, or one of them is missing.
    """
    if not url and not sender:
        return None
    if not url or not sender:
        raise MailSettingsError("PRESSTALLY_SMTP_URL and PRESSTALLY_MAIL_FROM must be set together")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise MailSettingsError("PRESSTALLY_SMTP_URL is no URL") from error
    options = parse_qs(parts.query)
    tls = options.pop("tls", ["required"])[-1]
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or options:
        raise MailSettingsError("PRESSTALLY_SMTP_URL must be smtp://user:password@host:587 or smtps://…:465")
    if tls not in ("required", "none") or (tls == "none" and parts.scheme == "smtps"):
        raise MailSettingsError("PRESSTALLY_SMTP_URL: tls must be required or, with smtp, none")
    if tls == "none" and parts.password:
        raise MailSettingsError("PRESSTALLY_SMTP_URL: a password is not sent without TLS")
    try:
        Address(addr_spec=sender)
    except (ValueError, IndexError, MessageError) as error:
        raise MailSettingsError("PRESSTALLY_MAIL_FROM is not an address such as toasoan@example.vn") from error
    if not sender.isascii() or not sender.isprintable() or " " in sender:
        raise MailSettingsError("PRESSTALLY_MAIL_FROM is not an address such as toasoan@example.vn")
    is_tls = parts.scheme == "smtps"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return MailServer(parts.hostname, port or (465 if is_tls else 587), is_tls, tls == "none", user, password, sender)


def build_message(sender: str, recipient: str, subject: str, lines: Sequence[str]) -> EmailMessage:
    """Return a mail in plain text.

    Raises:
        ValueError, IndexError, MessageError: the recipient is no address, or a header would have a line break.
    """
    message = EmailMessage()
    message["From"] = Address("Presstally", addr_spec=sender)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = subject
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join(lines) + "\n")
    return message


class Mailer:
    """Sends mails in the background.

    Args:
        server: None: mails cannot be sent.
        pauses_seconds: Between attempts.
    """

    def __init__(self, server: MailServer | None, pauses_seconds: Sequence[float] = PAUSES_SECONDS) -> None:
        self._server = server
        self._pauses_seconds = pauses_seconds
        self._waiting: asyncio.Queue[EmailMessage] = asyncio.Queue(WAITING_MAX)

    @property
    def is_configured(self) -> bool:
        """Return whether mails can be sent."""
        return self._server is not None

    def send(self, recipient: str, subject: str, lines: Sequence[str]) -> None:
        """Send a mail later. Without a server, and if too many wait, it is dropped and counted."""
        if self._server is None:
            return
        try:
            self._waiting.put_nowait(build_message(self._server.sender, recipient, subject, lines))
        except (asyncio.QueueFull, ValueError, IndexError, MessageError) as error:
            MAILS.labels("dropped").inc()
            log.error("mail dropped", reason=type(error).__name__)

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            message = await self._waiting.get()
            await self._send(message)
            self._waiting.task_done()

    async def drain(self) -> None:
        """Wait until everything that waits was sent or given up."""
        await self._waiting.join()

    async def _send(self, message: EmailMessage) -> None:
        assert self._server is not None
        for pause in (*self._pauses_seconds, None):
            try:
                await asyncio.to_thread(deliver, self._server, message)
            except (OSError, smtplib.SMTPException, UnicodeError) as error:
                log.warning("mail not sent", reason=type(error).__name__, code=getattr(error, "smtp_code", None))
                if pause is None or isinstance(error, smtplib.SMTPRecipientsRefused):
                    MAILS.labels("failed").inc()
                    return
                await asyncio.sleep(pause)
            else:
                MAILS.labels("sent").inc()
                return


def deliver(server: MailServer, message: EmailMessage) -> None:
    """Hand a mail to the server; blocking.

    Raises:
        OSError, smtplib.SMTPException: it was not accepted.
    """
    context = ssl.create_default_context()
    if server.is_tls:
        client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=SECONDS_MAX, context=context)
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=SECONDS_MAX)
    try:
        if not server.is_tls and not server.is_plain:
            client.starttls(context=context)
        if server.user:
            client.login(server.user, server.password)
        client.send_message(message)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()
