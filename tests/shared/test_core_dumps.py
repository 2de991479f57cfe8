"""The limit of core dumps."""

import resource

import pytest

from shared.core_dumps import forbid_core_dumps


def test_core_dumps_are_forbidden_until_somebody_raises_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit is 0, and the hard one stays."""
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 4_096))
    monkeypatch.setattr(resource, "setrlimit", lambda *given: limits.append(given))
    forbid_core_dumps()
    assert limits == [(resource.RLIMIT_CORE, (0, 4_096))]
