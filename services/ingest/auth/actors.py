"""The actor of a change: the holder of a token, the scheduler or an import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who makes a change: a readable name, and the prefix of the token, if any."""

    name: str
    token: str | None = None

    def is_same(self, other: "Actor") -> bool:
        """Return whether both are the same holder: by token, or by name, as somebody may have several tokens."""
        return (self.token is not None and self.token == other.token) or self.name == other.name
