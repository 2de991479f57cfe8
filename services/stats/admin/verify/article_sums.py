"""The sums that lists of long ranges read, compared with the days that they are of.

Postgres sums: no log says anything about settled days, and a portal may have millions of them.
"""

from asyncpg.pool import PoolConnectionProxy

from services.stats.admin.reference_values import Totals
from services.stats.admin.verify.values import ArticleSums, Drift, SumDifference, VerifyReport

COUNT_SUMS = "SELECT count(*) FROM stats.article_sums WHERE generation = $1"
READ_DIFFERENCES = """
WITH until AS (
    SELECT before, of_8_days, of_64_days FROM stats.summed_until WHERE generation = $1
), days AS MATERIALIZED (
    SELECT site, article, bucket_start / 691200 * 691200 AS start, bucket_start < of_8_days AS is_in_span,
        sum(views) AS views, sum(visits) AS visits, sum(visitors) AS visitors
    FROM stats.counts, until
    WHERE generation = $1 AND article <> '' AND grain = 'day' AND bucket_start < before
    GROUP BY 1, 2, 3, 4
), expected AS (
    SELECT site, '8 days' AS span, start AS span_start, article, views, visits, visitors FROM days WHERE is_in_span
    UNION ALL
    SELECT site, '64 days', start / 5529600 * 5529600, article, sum(views), sum(visits), sum(visitors)
    FROM days, until WHERE start < of_64_days GROUP BY 1, 3, 4
    UNION ALL
    SELECT site, 'before', 0, article, sum(views), sum(visits), sum(visitors) FROM days GROUP BY 1, 4
), stored AS (
    SELECT site, span, span_start, article, views, visits, visitors FROM stats.article_sums WHERE generation = $1
)
SELECT site, span, span_start, article,
    coalesce(stored.views, 0)::bigint, coalesce(stored.visits, 0)::bigint, coalesce(stored.visitors, 0)::bigint,
    coalesce(expected.views, 0)::bigint, coalesce(expected.visits, 0)::bigint, coalesce(expected.visitors, 0)::bigint
FROM stored FULL JOIN expected USING (site, span, span_start, article)
WHERE (stored.views, stored.visits, stored.visitors)
    IS DISTINCT FROM (expected.views, expected.visits, expected.visitors)
ORDER BY site, span, span_start, article
LIMIT $2
"""
SHOWN_MAX = 1_000
"""If more differ, something is wrong with all of them."""


async def read_article_sums(connection: PoolConnectionProxy, generation: int) -> ArticleSums:
    """Read how many sums there are, and those that differ from their days.

    Raises:
        asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError: Postgres is unavailable.
    """
    rows = await connection.fetchval(COUNT_SUMS, generation)
    found = [tuple(row) for row in await connection.fetch(READ_DIFFERENCES, generation, SHOWN_MAX)]
    differences = (
        SumDifference(site, span, start, article, Totals(*numbers[:3]), Totals(*numbers[3:]))
        for site, span, start, article, *numbers in found
    )
    return ArticleSums(rows, tuple(differences))


def compare_article_sums(report: VerifyReport, sums: ArticleSums) -> None:
    """Add what was compared to a report, and each difference."""
    report.counters += sums.rows
    for one in sums.differences:
        start = None if one.span == "before" else one.start
        for measure in ("views", "visits", "visitors"):
            stored, value = getattr(one.stored, measure), getattr(one.expected, measure)
            name = f"{measure} of {one.span}"
            report.check(Drift(one.site, one.article, "article_sums", start, name, stored, value, value))
