"""The first words of the command line, and its overview. Standard library only: a fresh clone has no packages."""

import difflib
from typing import Final, NamedTuple

PROGRAM: Final = "presstally"


class Word(NamedTuple):
    """A first word of the command line."""

    help: str
    examples: tuple[str, ...] = ()


LOCAL: Final = {
    "run": Word("install what is missing, start the local installation, stop it with Ctrl-C"),
    "up": Word("start it in the background; returns when everything is ready"),
    "down": Word("stop the local installation"),
    "status": Word("show its URL, ports and processes", ("status", "status --json")),
    "doctor": Word("check it; exit code 1 if a check fails"),
    "logs": Word("show its logs", ("logs", "logs stats --follow", "logs ingest articles --lines 200")),
}
"""They act on the local installation of this checkout."""
SERVICES: Final = {
    "ingest": Word("import articles, manage tokens, partitions, send articles again", ("ingest import --help",)),
    "stats": Word("verify, rebuild and adjust counts, dead letters", ("stats verify",)),
    "render": Word("rebuild the portal, roll back, static export", ("render export dist/portal",)),
}
OTHERS: Final = {
    "sites": Word("check the sites' configuration before anything changes", ("sites check", "sites check new-sites/")),
    "recover": Word("the way back after a loss of Kafka or Postgres, step by step", ("recover", "recover --yes")),
    "topics": Word("create Kafka's topics, check or mend them", ("topics check",)),
    "migrate": Word("upgrade the schemas in Postgres"),
    "acls": Word("show or create Kafka's ACLs", ("acls --create",)),
    "completion": Word(
        "print completions for a shell", ("completion bash > ~/.local/share/bash-completion/completions/presstally",)
    ),
}
WORDS: Final = {**LOCAL, **SERVICES, **OTHERS}


def overview() -> str:
    """Return the text of `presstally --help`."""
    groups = {
        "The local installation of this checkout:": LOCAL,
        "Services: their commands, on the running installation; or their roles, in the foreground:": SERVICES,
        "Others:": OTHERS,
    }
    lines = [f"usage: {PROGRAM} [-q] COMMAND ...", ""]
    for title, words in groups.items():
        lines += [title, *(f"  {name:<12}{word.help}" for name, word in words.items()), ""]
    examples = [f"  {PROGRAM} {example}" for word in WORDS.values() for example in word.examples]
    return "\n".join(
        [
            *lines,
            "options:",
            "  -h, --help  this text; `COMMAND --help` for a command",
            "  -q, --quiet do not say which installation is acted on",
            "  --version   show the version",
            "",
            "examples:",
            *examples,
            "",
            "Exit codes: 0 done; 1 failed, or a check found something; 2 wrong usage;",
            "3 `up`: running, but a service is not ready; 130 interrupted.",
        ]
    )


def unknown(word: str) -> str:
    """Return the message for an unknown word, with the nearest known one."""
    nearest = difflib.get_close_matches(word, WORDS, 1)
    hint = f"did you mean `{PROGRAM} {nearest[0]}`?" if nearest else f"`{PROGRAM} --help` lists the commands"
    return f"{PROGRAM}: unknown command {word!r}; {hint}"
