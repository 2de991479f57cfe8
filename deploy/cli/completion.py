"""`presstally completion SHELL`: the commands and their options, as completions for a shell."""

import argparse
import importlib
from collections.abc import Sequence

import shtab

from deploy.cli.recover import parser as recover_parser
from deploy.cli.sites import parser as sites_parser
from deploy.cli.words import LOCAL, PROGRAM, SERVICES, WORDS


def run(arguments: Sequence[str]) -> int:
    """Print the completions for a shell."""
    own = argparse.ArgumentParser(prog=f"{PROGRAM} completion", description="Print completions for a shell.")
    own.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)
    print(shtab.complete(whole_parser(), own.parse_args(list(arguments)).shell))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser with every command, for completions only."""
    whole = argparse.ArgumentParser(prog=PROGRAM)
    commands = whole.add_subparsers()
    for word, one in WORDS.items():
        if word in SERVICES:
            service = commands.add_parser(word, help=one.help).add_subparsers()
            command_line = importlib.import_module(f"services.{word}.__main__").COMMAND_LINE
            for name, command in command_line.commands.items():
                command.add_arguments(service.add_parser(name, help=command.help))
            for role in command_line.roles:
                service.add_parser(role, help="role, in the foreground")
        elif word in LOCAL:
            from deploy.local.commands import parser as local_parser

            commands.add_parser(word, help=one.help, parents=[local_parser(word, add_help=False)])
        elif word == "recover":
            commands.add_parser(word, help=one.help, parents=[recover_parser()], add_help=False)
        elif word == "sites":
            commands.add_parser(word, help=one.help, parents=[sites_parser()], add_help=False)
        else:
            commands.add_parser(word, help=one.help)
    return whole
