"""The actor of a change: the holder of a token, the scheduler or an import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who makes a change: a readable name, and the prefix of the token, if any."""

    name: str
    token: str | None = None
