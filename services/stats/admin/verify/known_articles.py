"""The known articles that are stored, compared with the log and with the counts. Pure.

An article has counts on a partition if and only if it is known there.
"""

from services.stats.admin.reference_articles import Acceptance, ArticleKey
from services.stats.admin.reference_values import PartitionValues
from services.stats.admin.verify.values import Drift, StoredValues, VerifyReport


def compare_known_articles(
    report: VerifyReport, stored: StoredValues, must: PartitionValues, number: int, log_begin: int
) -> None:
    """Compare the known articles of a partition.

    Args:
        report: Is extended.
        stored: From Postgres.
        must: From the log.
        number: Of the partition.
        log_begin: First offset of the log.
    """
    articles = stored.articles_of(number, log_begin)
    counted = {
        ArticleKey(bucket.site, bucket.article)
        for bucket in stored.counts[number]
        if bucket.grain == "total" and bucket.article
    }
    places = {gap.first_lost for gap in stored.gaps if gap.partition == number and gap.begins_new_log} | {-1}

    def check(key: ArticleKey, measure: str, there: int, expected: int) -> None:
        report.check(Drift(key.site, key.article, "known_articles", None, measure, there, expected, expected, number))

    for key in sorted(counted | articles.articles.keys() | must.known_articles.keys()):
        one = articles.articles.get(key)
        check(key, "rows, as it has counts", int(one is not None), int(key in counted))
        expected = must.known_articles.get(key)
        if one is None or expected is None:
            is_kept = one is not None and _is_kept(one, places, of_the_log=articles.is_of_the_log(one))
            check(key, "rows", int(one is not None), int(is_kept or expected is not None))
            continue
        check(key, "accepted_at_offset", one.offset, expected.offset)
        check(key, "day", -1 if one.day is None else one.day, -1 if expected.day is None else expected.day)


def _is_kept(one: Acceptance, places: set[int], *, of_the_log: bool) -> bool:
    """Return whether an article can be known although no view in the log made it known.

    Args:
        one: What is stored.
        places: Offsets from which articles of a former version or log are known.
        of_the_log: Whether the log must have the view.
    """
    return one.offset in places if one.day is None else not of_the_log
