"""Who changes an article: a token, the scheduler or an import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who makes a change: a name for people, and the prefix of the token, if there is one."""

    name: str
    token: str | None = None
