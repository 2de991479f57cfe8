"""The sums of days that `verify` compares, in a real Postgres."""

import asyncpg
import pytest

from services.stats.admin.reference_values import Totals
from services.stats.admin.verify.article_sums import compare_article_sums, read_article_sums
from services.stats.admin.verify.values import ArticleSums, Drift, SumDifference, VerifyReport
from services.stats.counting.article_sums import sum_settled_days
from tests.stats.counting.test_article_sums import TODAY, fill, pool  # noqa: F401 - a fixture

DAY = 86_400


def test_difference_of_a_sum_is_a_drift_of_its_measure() -> None:
    """Each row counts as compared, and each measure that differs is named with its span."""
    report = VerifyReport()
    one = SumDifference("haihau", "8 days", 8 * DAY, "bai-1", Totals(3, 2, 1), Totals(3, 2, 2))
    compare_article_sums(report, ArticleSums(5, (one,)))
    assert report.counters == 5 + 3
    assert report.drifts == [
        Drift("haihau", "bai-1", "article_sums", 8 * DAY, "visitors of 8 days", stored=1, expected=2, at_most=2)
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stats.article_sums SET views = views + 1 WHERE span = '8 days'",
        "UPDATE stats.article_sums SET visitors = visitors - 1 WHERE span = '64 days'",
        "UPDATE stats.article_sums SET article = article || 'x' WHERE span = 'before' AND article = 'bai-1'",
        "DELETE FROM stats.article_sums WHERE span = '64 days'",
        "DELETE FROM stats.summed_until",
        "UPDATE stats.summed_until SET before = before - 86400",
        "UPDATE stats.summed_until SET of_8_days = of_8_days + 691200, before = before + 691200",
        "UPDATE stats.summed_until SET of_64_days = of_64_days - 5529600",
        "UPDATE stats.counts SET visits = visits + 1 WHERE grain = 'day' AND article = 'bai-1'",
    ],
)
async def test_sum_that_is_not_that_of_its_days_is_found(
    pool: asyncpg.Pool,  # noqa: F811
    change: str,
) -> None:
    """A changed, missing or invented row, a changed bound and a changed day are differences."""
    await fill(pool, 10)
    await sum_settled_days(pool, 1, TODAY - 4 * DAY)
    await pool.execute(change)
    async with pool.acquire() as connection:
        assert len((await read_article_sums(connection, 1)).differences) > 0
