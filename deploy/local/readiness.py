"""Whether a service of the local installation is ready, and why not."""

import http.client
import json
import urllib.error
import urllib.request
from typing import NamedTuple

PROBE_SECONDS = 2.0


class Problems(NamedTuple):
    """Why a service is not ready."""

    problems: list[str]
    is_decision: bool
    """An operator must decide: all of it lasts until then."""


def read_problems(url: str) -> Problems:
    """Return why a service is not ready, from its `/readyz`."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as response:  # noqa: S310 - loopback, a URL of this system
            answer = json.loads(response.read())
    except urllib.error.HTTPError as error:
        try:
            answer = json.loads(error.read())
        except (http.client.HTTPException, OSError, ValueError):
            return Problems([f"/readyz is answered with {error.code}"], is_decision=False)
    except (http.client.HTTPException, OSError, ValueError) as error:
        return Problems([f"/readyz is not answered ({error})"], is_decision=False)
    problems = list(answer["problems"])
    return Problems(problems, is_decision=bool(problems) and answer["decisions"] == problems)


def describe_not_ready(not_ready: dict[str, str]) -> str:
    """Return a sentence about the services that are not ready; "" if all are."""
    if not not_ready:
        return ""
    reasons = " ".join(f"{name} ({reason})" for name, reason in not_ready.items())
    verb = "is" if len(not_ready) == 1 else "are"
    return f"running, but {', '.join(not_ready)} {verb} not ready: {reasons}"


def answers(url: str) -> bool:
    """Return whether a GET request is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as response:  # noqa: S310 - loopback, a URL of this system
            return bool(response.status == 200)
    except (http.client.HTTPException, OSError):  # a probe of a free port may connect to itself, and reads its request
        return False
