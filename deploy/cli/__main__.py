"""`presstally COMMAND …`: the one program of operators.

words (what there is) → installation (which one is acted on) → the local installation's verbs, or a service's commands

Only the standard library is imported before the packages are known to be installed.
"""

import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence

from deploy.cli import installation
from deploy.cli.installation import FAILURES, Installation, InstallationError, find_installation, own_environment
from deploy.cli.words import LOCAL, PROGRAM, SERVICES, WORDS, overview, unknown
from shared import __version__

HELP = ("-h", "--help")
QUIET = ("-q", "--quiet")
USAGE = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        arguments: The words after the program; default: those of this process.
    """
    _prepare_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            code = _answer(words)
        except SystemExit as error:  # argparse: help, or wrong usage
            code = int(error.code or 0)
        sys.stdout.flush()
    except BrokenPipeError:  # such as `presstally stats dlq list | head`: nobody reads the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except FAILURES as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    return code


def _prepare_streams() -> None:
    """Let every text be written, and every stream be there.

    A terminal may have no Vietnamese letters: they are escaped. A stream that is closed would give its number to the
    next file or connection.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _answer(words: list[str]) -> int:
    is_quiet = bool(words) and words[0] in QUIET
    if is_quiet:
        del words[0]
    if not words or words[0] in (*HELP, "help", "--version"):
        print(f"{PROGRAM} {__version__}" if words[:1] == ["--version"] else overview())
        return 0
    if words[0] not in WORDS:
        print(unknown(words[0]), file=sys.stderr)
        return USAGE
    return _run(words[0], words[1:], is_quiet=is_quiet)


def _run(word: str, rest: list[str], *, is_quiet: bool) -> int:
    if word in LOCAL:
        return _run_local(word, rest)
    if word in SERVICES:
        return _run_service(word, rest, is_quiet=is_quiet)
    if word == "sites":
        _enter_packages(word, rest)
        os.environ.update(own_environment())
        from deploy.cli import sites

        return sites.run(rest)
    if word == "completion":
        _enter_packages(word, rest)
        from deploy.cli import completion

        return completion.run(rest)
    found = None if _asks_for_help(rest) else find_installation(os.environ)
    _enter_packages(word, rest, is_quiet=is_quiet)
    _use(found, is_quiet=is_quiet)
    if word == "recover":
        from deploy.cli import recover

        logging.disable()  # a failure is one line
        return recover.run(rest)
    return int(importlib.import_module(f"shared.{word}").main(rest, f"{PROGRAM} {word}"))


def _run_service(service: str, rest: list[str], *, is_quiet: bool) -> int:
    """Run a service's command or roles. Without a word there is help: containers name the roles."""
    words = rest or ["--help"]
    found = None if _asks_for_help(words) else find_installation(os.environ)
    _enter_packages(service, rest, is_quiet=is_quiet)
    command_line = importlib.import_module(f"services.{service}.__main__").COMMAND_LINE
    _use(found, is_quiet=is_quiet or words[0] not in command_line.commands)  # a role's output is its log
    return int(command_line.run(words, f"{PROGRAM} {service}"))


def _use(found: Installation | None, *, is_quiet: bool) -> None:
    if found is not None:
        if not is_quiet:
            print(f"{PROGRAM}: acting on {found.description}", file=sys.stderr, flush=True)
        os.environ.update(found.environment)


def _run_local(verb: str, rest: list[str]) -> int:
    if not installation.CHECKOUT:
        raise InstallationError(f"`{PROGRAM} {verb}` works only in a checkout")
    from deploy.local import commands

    return commands.run(verb, rest, lambda: _enter_packages(verb, rest))


def _asks_for_help(words: Sequence[str]) -> bool:
    before_dashes = words[: words.index("--")] if "--" in words else words
    return any(word in HELP for word in before_dashes)


def _enter_packages(word: str, rest: list[str], *, is_quiet: bool = False) -> None:
    """Continue in the checkout's own Python environment: in this process, or by replacing it.

    Raises:
        SetupError: the packages cannot be installed.
    """
    if not installation.CHECKOUT:
        return
    from deploy.local import bootstrap

    if not bootstrap.is_own_environment():
        bootstrap.install_packages(bootstrap.ROOT / ".venv", bootstrap.ROOT / "requirements-local.txt")
        python = str(bootstrap.ROOT / ".venv/bin/python")
        os.execv(python, [python, "-P", "-m", "deploy.cli", *(["-q"] if is_quiet else []), word, *rest])


if __name__ == "__main__":
    sys.exit(main())
