"""The actor of a change: a person, the holder of a token, the scheduler or an import."""

from dataclasses import dataclass

PERSON_PREFIX = "person-"
"""Of the ids of people; those of tokens have 8 hex digits."""


@dataclass(frozen=True)
class Actor:
    """Who makes a change: a readable name, and the prefix of the token or the id of the person, if any."""

    name: str
    id: str | None = None

    @property
    def is_person(self) -> bool:
        """Return whether it is a person with an account."""
        return self.id is not None and self.id.startswith(PERSON_PREFIX)

    def is_same(self, other: "Actor") -> bool:
        """Return whether both are the same holder: by id, or by name, as somebody may have several tokens.

        Two people with accounts are different ones even if they have the same name.
        """
        if self.is_person and other.is_person:
            return self.id == other.id
        return (self.id is not None and self.id == other.id) or self.name == other.name
