"""Why a check of the doctor could not be completed, and the command that shows more."""

from collections.abc import Collection, Mapping
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from aiokafka.errors import KafkaError

from deploy.cli.words import PROGRAM
from shared.kafka.config import KafkaConfig
from shared.kafka.connection import describe_error


class NoAnswerError(OSError):
    """A process does not answer at its port."""

    def __init__(self, url: str, error: OSError) -> None:
        self.port = urlsplit(url).port
        super().__init__(_reason(error))


class PostgresUnavailableError(OSError):
    """No connection could be opened."""

    def __init__(self, error: Exception) -> None:
        super().__init__("it does not answer within 3 s" if isinstance(error, TimeoutError) else _reason(error))


def log_of(name: str = "") -> str:
    """Return the beginning of a hint: "`presstally logs stats` shows"."""
    return f"`{' '.join(filter(None, (PROGRAM, 'logs', name)))}` shows"


def no_answer(name: str, error: NoAnswerError) -> str:
    """Return the message about a process that does not answer."""
    return f"{name} does not answer: {error}; {log_of(name)} why"


async def describe_failure(
    error: Exception, kafka: KafkaConfig, ports: Mapping[str, int], parts: Collection[str]
) -> str:
    """Return what keeps a check from being completed: the same sentence for all checks that it keeps.

    Args:
        error: What the check raised.
        kafka: Where Kafka is.
        ports: Of the installation's processes.
        parts: Its processes; of a store that is not among them it has no log.
    """
    if isinstance(error, NoAnswerError):
        return no_answer(next((name for name, port in ports.items() if port == error.port), "a service"), error)
    if isinstance(error, PostgresUnavailableError):
        return f"Postgres cannot be used: {error}" + _log_of_store("postgres", parts)
    if isinstance(error, KafkaError):
        return await describe_error(kafka, error) + _log_of_store("kafka", parts)
    if isinstance(error, TimeoutError):
        return f"a check was not completed in time; {log_of()} what is slow"
    return f"a check failed: {_reason(error)}"


def _log_of_store(name: str, parts: Collection[str]) -> str:
    return f"; {log_of(name)} why" if name in parts else ""


def _reason(error: BaseException) -> str:
    """Return the first line of what is known of an error: "Connection refused"."""
    if isinstance(error, HTTPError):
        return f"{error.code} {error.reason}"
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        return _reason(error.reason)
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0] or type(error).__name__
