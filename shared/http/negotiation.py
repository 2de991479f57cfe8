"""In which form a client takes an answer, and whether it has it already. Pure."""

from functools import lru_cache

IDENTITY = "identity"


@lru_cache(maxsize=256)
def accepted_codings(accepted: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the codings that a client takes, the best first (RFC 9110, 12.5.3). It is never empty.

    Args:
        accepted: Its Accept-Encoding header; None if it sent none, which takes all and asks for none.
        offered: What there is beside the plain bytes, in the server's own order of preference.
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
    weights.setdefault(IDENTITY, 0.0 if weights.get("*") == 0 else 0.0001)  # unless refused it is taken, after all else
    taken = [coding for coding in (*offered, IDENTITY) if weights[coding]]
    return tuple(sorted(taken, key=lambda coding: -weights[coding])) or (IDENTITY,)


def _weight(text: str) -> float:
    name, _, value = text.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


def takes_gzip(accepted: str) -> bool:
    """Tell whether an Accept-Encoding header lets the answer be gzip."""
    return accepted_codings(accepted, ("gzip",))[0] == "gzip"


def etag_matches(tag: str, if_none_match: str) -> bool:
    """Tell whether a client has the answer of that tag already: the weak comparison of RFC 9110, 13.1.2."""
    return if_none_match.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in if_none_match.split(","))
