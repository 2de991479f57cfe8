"""The command line of a service: `python -m services.SERVICE [ROLE …]`, or one of its commands."""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.process import run_service
from shared.role import RoleFactory
from shared.settings import Settings, SettingsError
from shared.sites import Sites, SitesError, read_sites


@dataclass(frozen=True)
class Command:
    """An admin command: what it does in a line, its arguments, and its work, which returns the exit code."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Any], int]


def service_main(
    service: str,
    settings_type: type[Settings],
    roles: Mapping[str, RoleFactory],
    commands: Mapping[str, Command] | None = None,
    check: Callable[[Any, Sites], None] = lambda _settings, _sites: None,
) -> int:
    """Run roles (all, if none is named) or a command, and return the exit code.

    Args:
        service: The service's name.
        settings_type: Reads the environment.
        roles: By name.
        commands: By name.
        check: Raises SettingsError or SitesError if the settings do not fit the sites.
    """
    commands = commands or {}
    wanted = sys.argv[1:2]
    command = commands.get(wanted[0]) if wanted else None
    arguments = _parse(service, roles, commands, command)
    try:
        settings = settings_type.load()
        check(settings, read_sites(settings.sites))
    except (SettingsError, SitesError) as error:
        print(f"{service}: {error}", file=sys.stderr)
        return 1
    if command is not None:
        return command.run(arguments, settings)
    return run_service(service, roles, settings, arguments.role)


def _parse(
    service: str, roles: Mapping[str, RoleFactory], commands: Mapping[str, Command], command: Command | None
) -> argparse.Namespace:
    program = f"python -m services.{service}"
    if command is not None:
        parser = argparse.ArgumentParser(prog=f"{program} {sys.argv[1]}", description=command.help)
        command.add_arguments(parser)
        return parser.parse_args(sys.argv[2:])
    lines = [f"  {name:<12}{(start.__doc__ or '').splitlines()[0]}" for name, start in roles.items()]
    lines += [f"  {name:<12}Command: {one.help}" for name, one in commands.items()]
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [ROLE ...]" + "".join(f" | {name} ..." for name in commands),
        description="\n".join(["Run all roles of the service, or those named.", "", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", nargs="*", metavar="ROLE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name in arguments.role:
        if name not in roles:
            parser.error(f"there is no role {name!r}; choose from {', '.join([*roles, *commands])}")
    return arguments
