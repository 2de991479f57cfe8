"""Commands in README, docs and runbooks name services, files, targets and modules that exist; the backup runs."""

import asyncio
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import yaml

from deploy.cli.words import SERVICES as WORDS_OF_SERVICES
from deploy.cli.words import WORDS
from deploy.local.postgres import POSTGRES_BIN_PATH, Postgres
from shared.migrate import migrate
from shared.topics import TOPICS
from tests.conftest import System, free_ports, wait_for

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "deploy/k8s/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
POSTGRES = SERVICES["postgres"]["environment"]
SERVICE_PLACEHOLDER = "SERVICE"
"""What a page writes in place of a service's name."""
LINES = {name: importlib.import_module(f"services.{name}.__main__").COMMAND_LINE for name in WORDS_OF_SERVICES}
VERBS = {"up", "stop", "restart", "run", "exec", "ps", "logs", "build", "start"}
WITH_VALUE = {"-f", "--file", "--scale", "--tail", "-n", "--index", "--profile"}
PROFILES = {"monitoring"}
"""Of deploy/compose/small.yml."""
PROGRAM = r"(?:\./)?presstally"
COMMAND = re.compile(rf"^(?: {{4}}|\$ )?((?:docker|{PROGRAM}|make) .+)$", re.MULTILINE)


class Command(NamedTuple):
    """The words of one program's call, and the page that has it."""

    page: str
    words: tuple[str, ...]


def commands() -> Iterator[Command]:
    """Find the commands in blocks and in running text; each program of a shell line is one."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        blocks = [*re.findall(r"^```(?:sh)?\n(.+?)^```", text, re.DOTALL | re.MULTILINE), text]
        found = {line for block in blocks for line in COMMAND.findall(block)}
        found |= set(re.findall(rf"`((?:docker|{PROGRAM}|make) [^`\n]+)`", text))
        for line in found:
            lexer = shlex.shlex(line.replace("…", "X"), posix=True, punctuation_chars="&|;<>")
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if re.fullmatch(r"[&|;<>]+", word):
                    if words and re.fullmatch(rf"docker|make|{PROGRAM}", words[0]):
                        yield Command(page.name, tuple(words))
                    words = []
                else:
                    words.append(word)


COMMANDS = sorted(set(commands()))
DOCKER = [command for command in COMMANDS if command.words[0] == "docker"]


def parse_compose(words: tuple[str, ...]) -> tuple[str, dict[str, str], list[str]]:
    """Return the verb of a `docker compose` command, its options that have values, and the other words."""
    rest, verb, options, others = list(words[2:]), "", {}, []
    while rest:
        word = rest.pop(0)
        if word in WITH_VALUE and not (verb in {"run", "exec"} and others):
            value = rest.pop(0)
            options.setdefault(word, "")
            options[word] = f"{options[word]} {value}".strip()
        elif word.startswith("-") and not (verb in {"run", "exec"} and others):
            options[word] = ""
        elif not verb:
            verb = word
        else:
            others.append(word)
    return verb, options, others


def test_documented_commands_are_found() -> None:
    """The pages that operators follow have commands, so that the checks below have something to check."""
    pages = {command.page for command in DOCKER}
    assert {"README.md", "backup.md", "upgrade.md", "scaling.md", "retention.md", "TargetDown.md"} <= pages
    assert len(DOCKER) > 25


@pytest.mark.parametrize("command", DOCKER, ids=[f"{one.page} {' '.join(one.words)[:70]}" for one in DOCKER])
def test_docker_command_names_exist(command: Command) -> None:
    """Services, files, volumes, containers, users, databases and brokers are those of docker-compose.yml."""
    words = command.words
    if words[1] == "compose":
        verb, options, others = parse_compose(words)
        assert verb in VERBS, words
        assert all((ROOT / file).exists() for file in options.get("-f", "").split())
        assert set(options.get("--profile", "").split()) <= PROFILES, words
        for scaled in options.get("--scale", "").split():
            assert re.fullmatch(r"(ingest|stats|render)=\d+", scaled), words
        named = others[:1] if verb in {"run", "exec"} else others
        assert set(named) <= {*SERVICES, SERVICE_PLACEHOLDER}, words
        if verb == "exec":
            check_program(others[0], others[1:])
    elif words[1] == "run":
        for mount in (words[place + 1] for place, word in enumerate(words) if word == "-v"):
            source = mount.split(":")[0]
            assert source.startswith("$") or source.removeprefix(f"{COMPOSE['name']}_") in COMPOSE["volumes"], words
            assert source.startswith(("$", f"{COMPOSE['name']}_")), words
    elif words[1] == "restart":
        name, _, service = words[2].partition("-")
        assert name == COMPOSE["name"]
        assert re.fullmatch(rf"({'|'.join(SERVICES)})-\d", service), words
    elif words[1] == "build":
        dockerfile = (ROOT / words[words.index("-f") + 1]).read_text(encoding="utf-8")
        for argument in (words[place + 1] for place, word in enumerate(words) if word == "--build-arg"):
            name, _, value = argument.partition("=")
            assert f"\nARG {name}=" in dockerfile, words
            assert (ROOT / value).exists(), words
    elif words[1] == "push":
        assert words[2].startswith("REGISTRY/presstally:"), words
    else:
        assert words[1:3] == ("system", "df"), words


def check_program(service: str, words: list[str]) -> None:
    """Check a command that runs inside a container."""
    if service == "postgres":
        assert (POSTGRES_BIN_PATH / words[0]).exists(), words
        assert words[words.index("-U") + 1] == POSTGRES["POSTGRES_USER"], words
        database = words[words.index("-d") + 1] if "-d" in words else words[-1]
        assert database == POSTGRES["POSTGRES_DB"], words
    elif service == "kafka":
        listener = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
        tool = Path(SERVICES["kafka"]["healthcheck"]["test"][1])
        assert Path(words[0]).parent == tool.parent
        assert words[words.index("--bootstrap-server") + 1] == listener
        if "--entity-name" in words:
            assert words[words.index("--entity-name") + 1] in {topic.name for topic in TOPICS}


def documented_calls() -> set[tuple[str, ...]]:
    """Return the first words of each call of `presstally` that a page has, in containers too."""
    found = set()
    for command in COMMANDS:
        words = list(command.words[1:])
        if command.words[0] == "docker":
            verb, _, others = parse_compose(command.words)
            words = others[1:] if command.words[1] == "compose" and verb == "run" else []
        elif command.words[0] == "make":
            continue
        if words and words[0] not in {"-q", "--help", "COMMAND", SERVICE_PLACEHOLDER}:
            is_sub = words[0] in LINES and len(words) > 1 and re.fullmatch(r"[a-z]+", words[1])
            found.add(tuple(words[:2]) if is_sub else (words[0],))
    return found


def test_make_targets_exist() -> None:
    """Each `make` of the pages has its rule in the Makefile."""
    rules = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for command in COMMANDS if command.words[0] == "make" for word in command.words[1:]}
    targets = {word for word in named if re.fullmatch(r"[a-z][a-z-]*", word)}
    assert {"init", "doctor", "soak", "sbom"} <= targets
    assert targets <= rules


def test_image_entrypoint_is_the_program() -> None:
    """`docker compose run SERVICE WORDS` is `presstally WORDS` in the image."""
    assert 'ENTRYPOINT ["presstally"]' in (ROOT / "deploy/Dockerfile").read_text()


def test_documented_calls_exist() -> None:
    """Each call of `presstally` in the pages is one of its words, and each command or role is one of its service."""
    calls = documented_calls()
    assert {("stats", "verify"), ("stats", "rebuild"), ("render", "rollback"), ("topics",), ("up",)} <= calls
    for word, *command in sorted(calls):
        assert word in WORDS, word
        if command:
            assert command[0] in {*LINES[word].commands, *LINES[word].roles}, (word, command)


def test_no_page_calls_modules() -> None:
    """Operators have one program; modules are for developers."""
    for page in PAGES:
        assert not re.findall(r"python3? -m (?:services|shared)\b.*", page.read_text(encoding="utf-8")), page


def test_documented_backup_restores_through_the_socket(tmp_path: Path) -> None:
    """The commands of backup.md dump and restore as written, with the password in Compose's environment only."""
    server = Postgres(tmp_path / "postgres", free_ports(1))
    server.prepare()
    assert "--auth=scram-sha-256" in POSTGRES["POSTGRES_INITDB_ARGS"]
    folder = tmp_path / "postgres"
    account = {**server.as_account(), "cwd": "/"}
    command = [*server.command(), "-c", f"unix_socket_directories={folder}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account)
    password = (folder / "password").read_text()
    container = {
        "PATH": f"{POSTGRES_BIN_PATH}:{os.environ['PATH']}",
        "PGHOST": str(folder),
        "PGPORT": server.url.rsplit(":", 1)[1].split("/")[0],
        **{name: re.sub(r"^\$\{POSTGRES_PASSWORD:.*\}$", password, value) for name, value in POSTGRES.items()},
    }
    page = (ROOT / "docs/backup.md").read_text(encoding="utf-8")

    def run(section: str) -> None:
        text = page.partition(f"## {section}")[2].partition("\n## ")[0]
        lines = re.findall(r"^ {4}docker compose exec -T postgres (.+)$", text, re.MULTILINE)
        assert lines
        for line in lines:
            today = line.replace("presstally-DATE.dump", "presstally-$(date +%F).dump")
            subprocess.run(["bash", "-ec", today], cwd=tmp_path, env=container, stdin=subprocess.DEVNULL, check=True)

    async def ask(sql: str) -> object:
        connection = await asyncpg.connect(server.url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    columns = "generation, site, article, grain, bucket_start, partition, views"
    try:
        wait_for(server.is_ready, what="Postgres")
        asyncio.run(migrate(server.url))
        asyncio.run(ask(f"INSERT INTO stats.counts ({columns}) VALUES (1, 's', '', 'total', 0, 3, 41)"))
        run("Every day")
        asyncio.run(ask("UPDATE stats.counts SET views = 0"))
        for section in ("Restore, with Kafka still there", "A new machine"):
            run(section)
            assert asyncio.run(ask("SELECT views FROM stats.counts WHERE partition = 3")) == 41
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    ("page", "section", "title"),
    [
        ("README.md", "Publish an article", "Chợ phiên Cồn mở lại"),
        ("docs/publishing.md", "Write, approve and publish an article", "Chợ phiên Cồn họp trở lại"),
    ],
)
def test_documented_requests_publish_an_article(system: System, page: str, section: str, title: str) -> None:
    """The commands of the page, as written but for the port, end with an article that readers can open."""
    text = (ROOT / page).read_text(encoding="utf-8").partition(f"## {section}\n")[2]
    (script,) = re.findall(r"\A[^`]*^```\n(.+?)^```", text, re.DOTALL | re.MULTILINE)
    script = script.replace("http://localhost:8080", system.url)
    command = ["bash", "-euc", script]
    environment = {**system.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    publication = json.loads(done.stdout[done.stdout.rindex('{"article"') :])
    assert publication["status"] == "live", done.stdout
    path = publication["url"].removeprefix(system.url)
    answer = system.get(path)
    assert answer.status == 200
    assert title in answer.body.decode()
