"""Content negotiation: content codings and entity tags (RFC 9110). Pure."""

from functools import lru_cache

IDENTITY = "identity"


@lru_cache(maxsize=256)
def accepted_codings(accepted: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the codings that a client accepts, the best first (RFC 9110, 12.5.3). It is never empty.

    Args:
        accepted: Its Accept-Encoding header; None if it sent none, which accepts all and prefers none.
        offered: Codings that the server has besides identity, in its own order of preference.
    """
    if accepted is None:
        return (IDENTITY, *offered)
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = _weight(weight)
    others = weights.get("*", 0.0)
    for coding in offered:
        weights.setdefault(coding, others)
    weights.setdefault(IDENTITY, 0.0 if weights.get("*") == 0 else 0.0001)  # accepted unless excluded, after all others
    accepted_all = [coding for coding in (*offered, IDENTITY) if weights[coding]]
    return tuple(sorted(accepted_all, key=lambda coding: -weights[coding])) or (IDENTITY,)


def _weight(text: str) -> float:
    name, _, value = text.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding header prefers gzip to identity."""
    return accepted_codings(accepted, ("gzip",))[0] == "gzip"


def etag_matches(tag: str, if_none_match: str) -> bool:
    """Return whether If-None-Match has an entity tag: the weak comparison of RFC 9110, 13.1.2."""
    return if_none_match.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in if_none_match.split(","))
