"""In which form a client takes an answer."""


def takes_gzip(accepted: str) -> bool:
    """Tell whether an Accept-Encoding header lets the answer be gzip (RFC 9110, 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def is_known(tag: str, if_none_match: str) -> bool:
    """Tell whether a client has the answer of that tag already: the weak comparison of RFC 9110, 13.1.2."""
    return if_none_match.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in if_none_match.split(","))
