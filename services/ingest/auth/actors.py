"""The actor of a change: the holder of a token, the scheduler or an import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who makes a change: a readable name, and the prefix of the token, if any."""

    name: str
    token: str | None = None

    def is_same(self, other: "Actor") -> bool:
        """Return whether both are the same holder: by token, or by name where one of them acted without a token."""
        if self.token is not None and other.token is not None:
            return self.token == other.token
        return self.name == other.name
