"""A broker of this suite's own."""

import subprocess
from collections.abc import Iterator

import pytest

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import Kafka
from tests.conftest import free_ports, wait_for


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker without topics."""
    java = java_command()
    assert java is not None, "Kafka needs Java"
    folder = tmp_path_factory.mktemp("kafka", numbered=False)
    ports = free_ports(2)
    kafka = Kafka(folder, jars_folder(), java, ports, ports + 1)
    kafka.prepare()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(kafka.command(), stdout=log, stderr=log, env=kafka.environment())
    try:
        wait_for(kafka.is_ready, what="Kafka")
        yield kafka.bootstrap
    finally:
        process.kill()
        process.wait(20)
