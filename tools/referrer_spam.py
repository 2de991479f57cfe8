"""Renew the kept list of hosts of referrer spam from a copy of Matomo's.

    python -m tools.referrer_spam spammers.txt --commit b1c66b3…   # what `make referrer-spam ARGS=…` runs

Hosts are written as statistics name them, each once and without those within another; what is no host name or is a
public suffix is left out, and what the file no longer has is gone. Read the difference before it is committed.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from shared.public_suffixes import public_suffixes_among
from shared.referrer_hosts import COUNTED_HOST, is_within, referrer_host

LIST = Path(__file__).parent.parent / "services" / "stats" / "statistics" / "referrer_spam" / "hosts.txt"
SOURCE = "https://github.com/matomo-org/referrer-spam-list"
LINES_MAX = 20_000
HOSTS_MIN = 1_000
"""A copy with fewer is not complete."""


def hosts_of(lines: Iterable[str]) -> list[str]:
    """Return the hosts of a list, sorted."""
    found = {host for line in lines if (host := referrer_host(line.strip())) and COUNTED_HOST.fullmatch(host)}
    found -= public_suffixes_among(found)
    return sorted(host for host in found if not is_within(host.partition(".")[2], found))


def written(hosts: Iterable[str], commit: str) -> str:
    """Return the content of the kept list."""
    head = [
        f"# Hosts of referrer spam: {SOURCE}, spammers.txt of commit {commit}.",
        "# Public domain (CC0 1.0). Made by `make referrer-spam`; a site adds and removes hosts in its configuration.",
    ]
    return "\n".join([*head, *hosts, ""])


def main(arguments: list[str]) -> int:
    """Write the list, and say how it differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.referrer_spam", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", help=f"spammers.txt of {SOURCE}")
    parser.add_argument("--commit", default="", help="its commit, in 40 hexadecimal digits")
    given = parser.parse_args(arguments)
    if given.file is None:
        sys.exit(f'get spammers.txt of {SOURCE}, then: make referrer-spam ARGS="spammers.txt --commit HASH"')
    if not re.fullmatch("[0-9a-f]{40}", given.commit):
        sys.exit("--commit must be the commit of the file, in 40 hexadecimal digits")
    try:
        lines = given.file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{given.file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text in UTF-8'}")
    hosts = hosts_of(lines)
    if len(lines) > LINES_MAX or len(hosts) < HOSTS_MIN:
        sys.exit(f"{given.file} has {len(lines):,} lines with {len(hosts):,} hosts: it is not the whole list")
    before = {line for line in LIST.read_text(encoding="ascii").splitlines() if not line.startswith("#")}
    LIST.write_text(written(hosts, given.commit), encoding="ascii")
    print(f"{len(hosts):,} hosts; new: {len(set(hosts) - before):,}, gone: {len(before - set(hosts)):,}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
