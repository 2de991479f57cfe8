"""`make init`: write `.env` with generated secrets. Existing values stay; no secret is printed."""

import base64
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def _password() -> str:
    return secrets.token_urlsafe(32)


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


SECRETS: Mapping[str, Callable[[], str]] = {
    "POSTGRES_PASSWORD": _password,
    "GRAFANA_PASSWORD": _password,
    "KAFKA_CLUSTER_ID": _cluster_id,
}


def fill_secrets(text: str) -> tuple[str, list[str]]:
    """Return the file's text with each empty or missing secret generated, and the names of those secrets."""
    lines = text.splitlines()
    generated = []
    for name, generate in SECRETS.items():
        index = next((number for number, line in enumerate(lines) if line.split("=", 1)[0].strip() == name), None)
        if index is None:
            lines.append(f"{name}={generate()}")
        elif lines[index].split("=", 1)[1].strip(" \"'") == "":
            lines[index] = f"{name}={generate()}"
        else:
            continue
        generated.append(name)
    return "\n".join(lines) + "\n", generated


def main(folder: Path) -> int:
    """Write `.env` in the folder, readable only by its owner."""
    file = folder / ".env"
    before = file.read_text(encoding="utf-8") if file.exists() else (ROOT / ".env.example").read_text(encoding="utf-8")
    after, generated = fill_secrets(before)
    unfinished = folder / ".env.unfinished"
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as output:
        output.write(after)
    unfinished.replace(file)
    print(f"presstally: {file}: " + (f"generated {', '.join(generated)}" if generated else "all secrets exist; kept"))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
