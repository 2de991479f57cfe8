"""Events that a server sends for its visitors. Pure."""

from ipaddress import ip_address

from services.ingest.collector.payloads import ServerEventPayload
from services.ingest.collector.rate_limit import rate_limit_key
from services.ingest.collector.visitors import ClientInfo
from shared.events import AGE_MS_MAX, AHEAD_MS_MAX
from shared.http.client_address import parse_address
from shared.http.problems import Problem


def batch_client(payload: ServerEventPayload) -> ClientInfo:
    """Return the visitor for whom a server sends an event."""
    address = str(parse_address(payload.ip) or payload.ip)
    own = payload.site if payload.own else None
    return ClientInfo(address, payload.agent, payload.gpc, limit_key=rate_limit_key(address), own_site=own)


def check_server_event(payload: ServerEventPayload, number: int, now: int) -> None:
    """Reject here what the counter would reject later, when the client can no longer be informed.

    Raises:
        Problem: 422.
    """
    try:
        ip_address(payload.ip)
    except ValueError:
        raise Problem(422, f"`$[{number}].ip`: {payload.ip!r} is not an IP address.", reason="invalid") from None
    if payload.at is not None and not now - AGE_MS_MAX <= payload.at <= now + AHEAD_MS_MAX:
        raise Problem(
            422,
            f"`$[{number}].at`: must be at most 48 hours ago, and at most 5 minutes in the future.",
            reason="invalid",
        )
