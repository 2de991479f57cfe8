"""A slow, plain model of an article's copies: what is live, what is worked on, what is scheduled.

It shares no code with the rules that it checks, and remembers each copy as a dictionary of plain values.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

PARAGRAPHS = 3
Fields = dict[str, Any]
UNFINISHED = ("draft", "in_review", "approved")


@dataclass
class ModelCopy:
    """A copy: its fields, and those of the live copy that it was made of, as far as they are still in common."""

    fields: Fields
    ancestor: Fields | None = None


class RefusedError(Exception):
    """The model does not accept the step."""


def require(condition: bool) -> None:
    if not condition:
        raise RefusedError


@dataclass
class Model:
    """The three copies. `state` is that of the working one; while it follows another copy, both are one object."""

    working: ModelCopy
    state: str = "draft"
    live: ModelCopy | None = None
    live_state: str = ""
    scheduled: ModelCopy | None = None
    due: int = 0
    lost: list[str] = field(default_factory=list)
    """Why a schedule has ended: each time for a reason."""

    def edit(self, fields: Fields, by_publisher: bool) -> None:
        require(self.state != "killed")
        if self.state not in UNFINISHED:
            own = deepcopy(self.working)
            if self.state != "scheduled":
                own.ancestor = None if self.live is None else deepcopy(self.live.fields)
            self.working = own
        stays = by_publisher and self.state in ("in_review", "approved")
        self.state = "in_review" if stays else "draft"
        self.working.fields = {**self.working.fields, **fields}

    def submit(self) -> None:
        require(self.state == "draft")
        self.state = "in_review"

    def approve(self) -> None:
        require(self.state == "in_review")
        self.state = "approved"

    def refuse(self) -> None:
        if self.scheduled is not None and self.state != "scheduled" and self.state not in ("in_review", "approved"):
            self._end_schedule("refused")
            return
        require(self.state in ("in_review", "approved", "scheduled"))
        if self.state == "scheduled":
            self._end_schedule("refused")
        self.state = "draft"

    def schedule(self, due: int) -> None:
        if self.state not in ("approved", "scheduled"):
            require(self.scheduled is not None)
        else:
            if self.scheduled is not None and self.state == "approved":
                self._end_schedule("replaced")
            self.scheduled, self.state = self.working, "scheduled"
        self.due = due

    def unschedule(self) -> None:
        require(self.scheduled is not None)
        self._end_schedule("unscheduled")
        if self.state == "scheduled":
            self.state = "approved"

    def _end_schedule(self, reason: str) -> None:
        self.scheduled = None
        self.lost.append(reason)

    def publish(self) -> None:
        require(self.state in ("approved", "scheduled", "unpublished", "archived"))
        if self.scheduled is not None:
            self._end_schedule("published" if self.state == "scheduled" else "replaced")
        self._go_live(self.working)
        self.working, self.state = self._live(), "published"

    def tick(self, now: int) -> None:
        """Let the scheduler run."""
        if self.scheduled is None or self.due > now:
            return
        scheduled = self.scheduled
        self._end_schedule("published")
        made_of = deepcopy(scheduled.fields)
        self._go_live(scheduled)
        if self.state == "scheduled":
            self.working, self.state = self._live(), "published"
        else:
            self.working.ancestor = made_of

    def _live(self) -> ModelCopy:
        assert self.live is not None
        return self.live

    def _go_live(self, copy: ModelCopy) -> None:
        fields = deepcopy(copy.fields)
        if self.live is not None and copy.ancestor is not None:
            for name in ("tags", "pinned"):
                fields[name] = three_way(name, copy.ancestor[name], self.live.fields[name], fields[name])[0]
        self.live, self.live_state = ModelCopy(fields), "published"

    def change_live(self, fields: Fields, mode: str) -> None:
        require(self.live is not None and self.live_state == "published")
        copies = [
            one for one in (self.scheduled, self.working if self.state in UNFINISHED else None) if one is not None
        ]
        before, state = deepcopy(copies), self.state
        live = {**self._live().fields, **fields}
        conflict = False
        for copy in copies:
            assert copy.ancestor is not None or self.live is not None
            ancestor = copy.ancestor if copy.ancestor is not None else {}
            for name in fields:
                own = copy.fields[name]
                merged, fits = three_way(name, ancestor.get(name), live[name], own)
                if mode == "no":
                    continue
                conflict = conflict or not fits
                copy.fields[name] = merged
                if fits:
                    ancestor[name] = deepcopy(live[name])
                if merged != own and copy is self.working and self.state == "approved":
                    self.state = "in_review"
        if conflict and mode == "all":
            for copy, old in zip(copies, before, strict=True):
                copy.fields, copy.ancestor = old.fields, old.ancestor
            self.state = state
            raise RefusedError
        self._live().fields = live

    def withdraw(self) -> None:
        require(self.live is not None and self.live_state == "published")
        self.live_state = "unpublished"
        if self.state == "published":
            self.state = "unpublished"

    def kill(self) -> None:
        require(self.state != "killed")
        if self.scheduled is not None:
            self._end_schedule("killed")
        self.live_state = "killed" if self.live is not None else ""
        self.state = "killed"

    def undo_kill(self) -> None:
        require(self.state == "killed")
        if self.live is None:
            self.state = "draft"
            return
        self.live_state = "unpublished"
        same = self.working.fields == self.live.fields
        self.state = "unpublished" if same else "draft"
        if same:
            self.working = self.live

    def discard_draft(self, by_publisher: bool) -> None:
        require(self.state in UNFINISHED and (self.live is not None or self.scheduled is not None))
        require(self.state == "draft" or by_publisher)
        if self.scheduled is not None:
            self.working, self.state = self.scheduled, "scheduled"
        else:
            self.working, self.state = self._live(), self.live_state

    def settle(self) -> None:
        """Note what the copies have in common with the live one: a later change of either is a change since then."""
        for copy in (self.working if self.state in UNFINISHED else None, self.scheduled):
            if copy is None or self.live is None or copy.ancestor is None:
                continue
            for name, value in self.live.fields.items():
                if copy.fields[name] == value:
                    copy.ancestor[name] = deepcopy(value)


def three_way(name: str, before: Any, live: Any, own: Any) -> tuple[Any, bool]:
    """Return the merged value of a field, and whether it has all changes of the live copy."""
    if name == "tags" and own != before:
        gained = [one for one in live if one not in before and one not in own]
        return [one for one in own if one in live or one not in before] + gained, True
    if name == "body":
        parts = [three_way("", *values) for values in zip(before, live, own, strict=True)]
        return [value for value, _ in parts], all(fits for _, fits in parts)
    if own in (before, live):
        return deepcopy(live), True
    return own, before == live
