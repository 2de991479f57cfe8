"""`presstally ingest own-traffic-link`: a signed link by which staff do not count as people."""

import argparse
import sys
import time
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from services.ingest.auth.shared_secrets import get_or_create_secret
from services.ingest.collector.own_traffic import DAY_SECONDS, LINK_DAYS_MAX, Mark, own_traffic_key, sign
from services.ingest.collector.own_traffic_page import PATH
from services.ingest.collector.salts import PARTITION_SECRET
from services.ingest.settings import IngestSettings
from shared.cli import CommandError, open_command_pool
from shared.sites_file import read_sites

DAYS = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--site", required=True, help="slug of the site, as in sites.toml")
    parser.add_argument(
        "--days", type=int, default=DAYS, metavar="N", help=f"the link ends after so many days; default: {DAYS}"
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="address and prefix below which the website's own server passes on /e, such as "
        "https://a.example/thong-ke; default: the site's address",
    )


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    """Run the command."""
    site = read_sites(settings.sites, settings.public_url).get(arguments.site)
    if site is None:
        raise CommandError(f"there is no site {arguments.site!r} in the sites' configuration")
    if not 1 <= arguments.days <= LINK_DAYS_MAX:
        raise CommandError(f"--days must be from 1 to {LINK_DAYS_MAX}")
    base = (arguments.url or site.url).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise CommandError("--url must be an address without a query, such as https://a.example/thong-ke")
    async with open_command_pool(settings, role="presstally_ingest") as pool:
        key = own_traffic_key(await get_or_create_secret(pool, PARTITION_SECRET))
    until = int(time.time()) + arguments.days * DAY_SECONDS
    query = urlencode({"link": sign(key, "link", Mark(site.slug, until))})
    ends = datetime.fromtimestamp(until, site.zone)
    print(f"{base}{PATH}?{query}")
    about = f"For staff of {site.name}: the link works until {ends:%Y-%m-%d %H:%M}. Each browser is asked first."
    print(about, file=sys.stderr)
