"""Public suffixes, below which anybody registers domains: com.vn, co.uk. Pure, but for one file of a package.

The rules are those of the Public Suffix List (https://publicsuffix.org), as `tld` has them. Only its file is read, and
only when hosts are asked for: nothing of it stays in memory. Suffixes of companies (github.io) are no public ones here:
who marks one as spam means all of it.
"""

from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path

from shared.origins import sent_host

FILE = "res/effective_tld_names.dat.txt"
END = "===END ICANN DOMAINS==="


def public_suffixes_among(hosts: Collection[str]) -> frozenset[str]:
    """Return which hosts are public suffixes, or have nothing but public suffixes below them.

    Args:
        hosts: As statistics name them; see `referrer_hosts`.
    """
    named_by = {host: {host, f"*.{host}", f"*.{host.partition('.')[2]}"} for host in hosts}
    wanted = {rule for rules in named_by.values() for rule in rules} | {f"!{host}" for host in hosts}
    rules = wanted.intersection(_rules()) if wanted else set()
    return frozenset(host for host in hosts if named_by[host] & rules and f"!{host}" not in rules)


def _rules() -> Iterator[str]:
    """Yield the rules, in ASCII."""
    package = find_spec("tld")
    assert package is not None, "requirements.txt has it"
    assert package.origin is not None, "it is a folder"
    with (Path(package.origin).parent / FILE).open(encoding="utf-8") as lines:
        for line in lines:
            if END in line:
                return
            rule = line.strip()
            if rule and not rule.startswith("//"):
                yield rule if rule.isascii() else sent_host(rule) or rule
