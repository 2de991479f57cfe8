"""Finds the installation that a command acts on: the running local one of this checkout, or that of the environment.

Standard library only: it also runs before any package is installed.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

CHECKOUT = (Path(__file__).resolve().parent.parent.parent / "deploy/local/bootstrap.py").exists()
"""Whether this is a checkout: it can have a local installation. The image and an installed package cannot."""
if CHECKOUT:
    from deploy.local import bootstrap
    from deploy.local.state import read_environment, read_state

STORES = ("KAFKA_BOOTSTRAP", "DATABASE_URL")


class InstallationError(Exception):
    """There is no installation to act on, or it is not clear which one; the message is for the operator."""


FAILURES: tuple[type[Exception], ...] = (InstallationError, OSError)
if CHECKOUT:
    FAILURES += (bootstrap.SetupError,)
"""What ends a command with one message."""


class Installation(NamedTuple):
    """An installation.

    Attributes:
        description: Which one it is, for the operator.
        environment: Of the programs that act on it.
    """

    description: str
    environment: dict[str, str]


def find_installation(environment: Mapping[str, str]) -> Installation:
    """Return the installation that a command acts on.

    A running local installation is found by its state file: its ports and stores, not those of the environment.

    Args:
        environment: Of this process.

    Raises:
        InstallationError: none is running and the environment names none, or two could be meant.
    """
    state = read_state(bootstrap.home()) if CHECKOUT and bootstrap.running_url() else None
    return _of_environment(environment) if state is None else _local(state, environment)


def _of_environment(environment: Mapping[str, str]) -> Installation:
    missing = " and ".join(name for name in STORES if not environment.get(name))
    if not missing:
        postgres = without_password(environment["DATABASE_URL"])
        stores = f"Kafka {environment['KAFKA_BOOTSTRAP']} and Postgres {postgres}"
        return Installation(f"{stores}, of the environment", dict(environment))
    if not CHECKOUT:
        raise InstallationError(f"name the stores with {missing}")
    home = bootstrap.home()
    raise InstallationError(
        f"nothing is running at {home}; start it with `./presstally up`, or name other stores with {missing}"
    )


def _local(state: Mapping[str, Any], environment: Mapping[str, str]) -> Installation:
    home = bootstrap.home()
    checkout = state.get("checkout", str(bootstrap.ROOT))
    if checkout != str(bootstrap.ROOT):
        raise InstallationError(f"the installation at {home} was started from {checkout}; use {checkout}/presstally")
    own = read_environment(home)
    for name in STORES:
        if environment.get(name) and environment[name] != own.get(name):
            raise InstallationError(
                f"{name} of the environment is not that of the installation running at {home}; unset {name} to act on "
                "that one, or stop it with `./presstally down` to act on the other"
            )
    return Installation(f"the local installation at {state['url']} ({home})", {**environment, **own})


def without_password(url: str) -> str:
    """Return a database URL without its user and password."""
    return re.sub(r"^(\w+://)?.*@", "", url)


def own_environment() -> dict[str, str]:
    """Return the environment of commands that may run without an installation: the running one's, or this process's."""
    try:
        return find_installation(os.environ).environment
    except InstallationError:
        return dict(os.environ)


def running_service() -> str | None:
    """Return the internal address of a service of the running local installation; None if there is none."""
    state = read_state(bootstrap.home()) if CHECKOUT and bootstrap.running_url() else None
    return f"http://127.0.0.1:{state['ports']['stats']}" if state else None
