"""The metric of suspects while Postgres is unavailable, and of sites that were removed."""

from typing import Any, cast

import pytest

from services.stats.metrics import SUSPECT_SHARE
from services.stats.suspects import monitor
from tests.stats.suspects.traffic import SITE


async def test_metric_is_absent_while_postgres_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No share is better than an old one."""

    async def once(act: Any, **_: object) -> None:
        with pytest.raises(OSError, match="gone"):
            await act()

    async def unavailable(*_: object) -> list[object]:
        raise OSError("gone")

    monkeypatch.setattr(monitor, "run_periodically", once)
    monkeypatch.setattr(monitor, "read_suspects", unavailable)
    SUSPECT_SHARE.labels(SITE.slug).set(0.5)
    await monitor.run_monitor(cast("Any", None), cast("Any", {SITE.slug: SITE}))
    assert next(iter(SUSPECT_SHARE.collect())).samples == []


async def test_site_that_was_removed_has_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert of a site ends with the site, and not with the process."""

    async def nothing(*_: object) -> list[object]:
        return []

    monkeypatch.setattr(monitor, "read_suspects", nothing)
    SUSPECT_SHARE.labels("removed").set(0.9)
    await monitor.update_suspect_shares(cast("Any", None), cast("Any", {SITE.slug: SITE}), 0, set())
    assert [one.labels for one in next(iter(SUSPECT_SHARE.collect())).samples] == [{"site": SITE.slug}]
