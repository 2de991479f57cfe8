"""Records of sites that were declared a moment ago: a collector may have noticed it sooner than this counter."""

from services.stats.counting.decoding import UNKNOWN_SITE_REASON, EventBatch, RawBatch, decode
from shared.sites import Sites


async def decode_declared(records: RawBatch, sites: Sites) -> EventBatch:
    """Decode records, by the newest configuration if one of them has an unknown site."""
    batch = decode(records, sites)
    has_unknown = any(one.dead_letter.reason == UNKNOWN_SITE_REASON for one in batch.rejections)
    return decode(records, sites) if has_unknown and await sites.refresh() else batch
