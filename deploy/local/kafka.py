"""A real single-node Apache Kafka in KRaft mode, from Maven's jars, with the memory and threads of a small server."""

import base64
import os
import socket
import subprocess
import uuid
from pathlib import Path

# broker.session.timeout.ms: a killed broker cannot register again before its session has expired.
# metadata.max.idle.interval.ms: otherwise an idle controller writes a record every half second.
# queued.max.request.bytes: requests that wait are on the heap; by default 500 of them may, of any size.
# Each partition of the offsets has a buffer of half a megabyte once it was written to; one coordinator has them all.
# log.cleaner.dedupe.buffer.size: room for 75,000 keys; a topic with more is compacted in several passes.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
num.partitions=12
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
metadata.max.idle.interval.ms=10000
group.min.session.timeout.ms=1000
log.segment.delete.delay.ms=1000
num.network.threads=1
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=2
group.coordinator.threads=1
queued.max.request.bytes=25165824
socket.request.max.bytes=25165824
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.io.buffer.size=131072
"""
HEAP = ("-Xms24m", "-Xmx96m", "-Xmn8m")
JAVA_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=25",
    "-XX:TieredStopAtLevel=1",
    "-Xss256k",
    "-XX:ReservedCodeCacheSize=32m",
    "-XX:MaxDirectMemorySize=32m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djdk.nio.maxCachedBufferSize=262144",
    "-Djava.awt.headless=true",
)
"""Measured in docs/benchmarks.md. A broker without memory must exit: it would go on without the thread that met it."""


LOGGING = (
    "-Dlog4j.provider=org.apache.logging.log4j.simple.internal.SimpleProvider",
    "-Dorg.apache.logging.log4j.simplelog.level=WARN",
    "-Dorg.apache.logging.log4j.simplelog.showdatetime=true",
    "-Dorg.apache.logging.log4j.simplelog.dateTimeFormat=yyyy-MM-dd HH:mm:ss",
)
"""What somebody should look at, by the logger in log4j's API: log4j itself would take 2 MB more."""


class Kafka:
    """One broker with its data below `folder` and its ports on loopback only."""

    def __init__(self, folder: Path, jars: Path, java: str, port: int, controller_port: int) -> None:
        self._folder = folder
        self._class_path = f"{jars}/*"
        self._java = java
        self._port = port
        self._controller_port = controller_port
        self._properties = folder / "server.properties"

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Write the configuration, and format the storage the first time."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            PROPERTIES.format(port=self._port, controller_port=self._controller_port, data=_escaped(str(data))),
            encoding="ascii",
        )
        if (data / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = [self._java, "-cp", self._class_path, "kafka.tools.StorageTool", "format"]
        subprocess.run(
            [*tool, f"--cluster-id={cluster}", "-c", str(self._properties), "--ignore-formatted"],
            check=True,
            capture_output=True,
            env=self.environment(),
            start_new_session=True,  # Ctrl-C must reach only the supervisor
        )

    def environment(self) -> dict[str, str]:
        """Return the broker's environment.

        Java opens files with non-ASCII names under a UTF-8 locale only. With an arena of malloc for each of its threads
        it would take a tenth more memory, and another twentieth without giving back what its compiler has freed.
        """
        return {**os.environ, "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}

    def command(self) -> list[str]:
        """Return the broker's command line."""
        heap = os.environ.get("KAFKA_HEAP_OPTS", "").split() or HEAP
        flags = [*JAVA_FLAGS, *heap, *LOGGING]
        return [self._java, *flags, "-cp", self._class_path, "kafka.Kafka", str(self._properties)]

    def is_ready(self) -> bool:
        """Return whether the broker accepts connections."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False


def _escaped(text: str) -> str:
    r"""Return the text escaped for a .properties file, which allows only Latin-1 and \\uXXXX."""
    units = memoryview(text.replace("\\", "\\\\").encode("utf-16-le")).cast("H")
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)
