"""Both flows over TLS, with passwords and certificates and with ACLs per service; and rejected access."""

import asyncio
import ssl
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import trustme
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from aiokafka.protocol.admin import CreateAclsRequest

from shared.acls import READS, WRITES
from shared.kafka.config import KafkaConfig, tls_context
from shared.kafka.connection import diagnose
from shared.kafka.producer import stop_producer
from shared.postgres import open_pool
from shared.topics import ARTICLES, COUNTER_ADJUSTMENTS, SITE_STRUCTURE, TOPICS
from tests.e2e.conftest import Editors
from tests.security.conftest import SERVICES, Infrastructure, Secured

TABLES = {"ingest": "outbox", "stats": "counts", "render": "listings"}


def test_page_view_over_tls_is_counted(secured: Secured, wait: Callable[..., Any]) -> None:
    """A view goes from the collector through Kafka and Postgres to the counter, all over TLS."""
    body = f'{{"id": "{uuid.uuid4()}", "site": "haihau", "kind": "view", "path": "/"}}'.encode()
    before = secured.request("GET", "/stats/haihau/counter?measure=views").json()["total"]
    answer = secured.request("POST", "/e", body, content_type="application/json")
    assert answer.status == 202, answer.text
    wait(lambda: secured.request("GET", "/stats/haihau/counter?measure=views").json()["total"] == before + 1)


def test_article_over_tls_becomes_live(secured: Secured, wait: Callable[..., Any]) -> None:
    """An article goes through the outbox, Kafka, the builder and back until it is live, and has its page."""
    editors = Editors(secured)
    article = editors.publish(editors.create("Bài qua TLS")["id"])
    live = editors.publication(article["id"])
    assert live["status"] == "live", live
    page = secured.request("GET", "/" + live["url"].split("/", 3)[3])
    assert (page.status, "Bài qua TLS" in page.text) == (200, True)
    wait(lambda: secured.ask("stats", "GET", "/readyz").json()["ready"])


def test_commands_work_with_operator_acls(secured: Secured, infrastructure: Infrastructure) -> None:
    """The operator's ACLs allow creating topics, correcting a total, verifying, rebuilding and republishing."""
    for module, *arguments in (
        ("shared.topics",),
        ("services.stats", "adjust", "--site", "haihau", "--amount", "3", "--who", "Lan", "--why", "thử"),
        ("services.stats", "verify"),
        ("services.stats", "rebuild"),
        ("services.stats", "dlq", "list"),
        ("services.stats", "adjust", "--send-again"),
        ("services.ingest", "republish"),
        ("services.render", "rebuild"),
    ):
        done = infrastructure.run("operator", module, *arguments)
        assert done.returncode == 0, (module, arguments, done.stdout + done.stderr)


async def test_every_authentication_method_is_accepted(infrastructure: Infrastructure) -> None:
    """Passwords with each mechanism, and a certificate, are accepted."""
    accesses = [infrastructure.access("presstally-ingest", mechanism=one) for one in ("SCRAM-SHA-512", "SCRAM-SHA-256")]
    accesses.append(infrastructure.access("plain", mechanism="PLAIN", password=infrastructure.kafka.plain_password))
    with_certificate = infrastructure.tls(infrastructure.folder / "render.pem", infrastructure.folder / "render.key")
    accesses.append(
        infrastructure.access("", bootstrap=infrastructure.kafka.mtls_bootstrap, protocol="SSL", tls=with_certificate)
    )
    assert [await diagnose(access) for access in accesses] == [
        f"Kafka at {access.bootstrap} answers again" for access in accesses
    ]


WRONG: dict[str, tuple[Callable[[Infrastructure], dict[str, Any]], str]] = {
    "a wrong password": (lambda _: {"password": "wrong"}, "refuses user 'presstally-stats' or its password"),
    "an unknown user": (lambda _: {"username": "nobody"}, "refuses user 'nobody' or its password"),
    "another authority": (
        lambda infrastructure: {"tls": another_authority(infrastructure.folder)},
        "shows a certificate that is not trusted (KAFKA_CA_FILE): unable to get local issuer certificate",
    ),
    "another name": (
        lambda infrastructure: {"bootstrap": infrastructure.kafka.bootstrap.replace("127.0.0.1", "localhost")},
        "(KAFKA_CA_FILE): Hostname mismatch, certificate is not valid for 'localhost'",
    ),
    "a plain client": (lambda _: {"protocol": "PLAINTEXT", "tls": None}, "wants TLS or a password"),
    "a password without TLS": (lambda _: {"protocol": "SASL_PLAINTEXT", "tls": None}, "wants TLS"),
    "TLS without a password": (lambda _: {"protocol": "SSL"}, "or a password"),
    "no certificate": (
        lambda infrastructure: {"protocol": "SSL", "bootstrap": infrastructure.kafka.mtls_bootstrap},
        "wants a certificate (KAFKA_CERTIFICATE_FILE)",
    ),
}


def another_authority(folder: Path) -> ssl.SSLContext:
    file = folder / "another.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return tls_context(file, None, None, None)


@pytest.mark.parametrize("wrong", WRONG)
async def test_rejected_client_gets_reason_without_password(infrastructure: Infrastructure, wrong: str) -> None:
    """A client with wrong settings is rejected with a message that names the setting, but not the password."""
    changed, message = WRONG[wrong]
    access = infrastructure.access("presstally-stats", **changed(infrastructure))
    diagnosis = await diagnose(access)
    assert message in diagnosis
    assert access.password not in diagnosis
    producer = AIOKafkaProducer(**access.client, request_timeout_ms=3_000)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()
    await asyncio.sleep(0.2)  # aiokafka does not wait for the connections that it closes


FORBIDDEN = {
    "render writes page views": ("presstally-render", "write", "page-views"),
    "render writes articles": ("presstally-render", "write", "articles"),
    "render reads page views": ("presstally-render", "read", "page-views"),
    "render joins the counters": ("presstally-render", "join", "stats-counter"),
    "stats writes page views": ("presstally-stats", "write", "page-views"),
    "stats writes articles": ("presstally-stats", "write", "articles"),
    "stats writes totals": ("presstally-stats", "write", "counter-adjustments"),
    "stats writes live pages": ("presstally-stats", "write", "pages-live"),
    "stats reads dead letters": ("presstally-stats", "read", "page-views.dlq"),
    "stats fences the relay": ("presstally-stats", "fence", "presstally-ingest-relay"),
    "ingest writes live pages": ("presstally-ingest", "write", "pages-live"),
    "ingest reads page views": ("presstally-ingest", "read", "page-views"),
    "ingest joins the builders": ("presstally-ingest", "join", "render-builder"),
    "ingest creates topics": ("presstally-ingest", "create", "page-views-2"),
    "operator deletes topics": ("presstally-operator", "delete", "page-views"),
    "operator grants itself ACLs": ("presstally-operator", "allow", "page-views"),
}
REFUSALS = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


async def attempt(access: KafkaConfig, action: str, name: str) -> None:
    """Perform an action in Kafka.

    Raises:
        REFUSALS: Kafka denies it.
    """
    if action in ("write", "fence"):
        transactional_id = name if action == "fence" else None
        producer = AIOKafkaProducer(**access.client, transactional_id=transactional_id, enable_idempotence=True)
        try:
            async with asyncio.timeout(60):
                await producer.start()
                await producer.send_and_wait(name, b"{}", key=b"k", partition=0)
        finally:
            await stop_producer(producer)
    elif action in ("read", "join"):
        group = {"group_id": name} if action == "join" else {}
        consumer = AIOKafkaConsumer(**access.client, **group, auto_offset_reset="earliest")
        try:
            async with asyncio.timeout(60):
                await consumer.start()
                if action == "join":
                    consumer.subscribe(["articles", "pages-live"])
                else:
                    if name not in await consumer.topics():  # not even described
                        raise TopicAuthorizationFailedError(name)
                    consumer.assign([TopicPartition(name, 0)])
                await consumer.getone()
        finally:
            await consumer.stop()
    else:
        admin = AIOKafkaAdminClient(**access.client)
        await admin.start()
        try:
            await administer(admin, action, name)
        finally:
            await admin.close()


async def administer(admin: AIOKafkaAdminClient, action: str, name: str) -> None:
    if action == "create":
        answer = await admin.create_topics([NewTopic(name, 1, 1)])
        code = answer.topic_errors[0][1]
    elif action == "delete":
        answer = await admin.delete_topics([name])
        code = answer.topic_error_codes[0][1]
    else:
        request = CreateAclsRequest(2, name, 3, "User:presstally-operator", "*", 2, 3)
        answer = await admin._send_request(request)
        code = answer.creation_responses[0][0]
    if code:
        raise for_code(code)(name)


def config_of(infrastructure: Infrastructure, user: str) -> KafkaConfig:
    if user != "presstally-render":
        return infrastructure.access(user)
    tls = infrastructure.tls(infrastructure.folder / "render.pem", infrastructure.folder / "render.key")
    return infrastructure.access("", bootstrap=infrastructure.kafka.mtls_bootstrap, protocol="SSL", tls=tls)


@pytest.mark.parametrize("forbidden", FORBIDDEN)
async def test_broker_denies_actions_of_other_services(infrastructure: Infrastructure, forbidden: str) -> None:
    """The broker denies each service's user the actions of other services."""
    user, action, name = FORBIDDEN[forbidden]
    with pytest.raises(REFUSALS):
        await attempt(config_of(infrastructure, user), action, name)


async def test_broker_allows_actions_to_their_owner(secured: Secured, infrastructure: Infrastructure) -> None:
    """The same actions succeed for the services that own them, so the denials above are not errors of the test."""
    await attempt(config_of(infrastructure, "presstally-render"), "write", "articles.dlq")
    await attempt(config_of(infrastructure, "presstally-stats"), "write", "page-views.dlq")
    await attempt(config_of(infrastructure, "presstally-operator"), "read", "page-views.dlq")
    with pytest.raises(TopicAlreadyExistsError):
        await attempt(config_of(infrastructure, "presstally-operator"), "create", "page-views")


def test_each_topic_has_one_writer() -> None:
    """Only what the relay compares is read by its writer, and each topic has exactly one writing service."""
    compared = {"ingest": {ARTICLES, COUNTER_ADJUSTMENTS, SITE_STRUCTURE}}  # what its relay compares with Postgres
    for service, topics in WRITES.items():
        assert set(topics) & set(READS[service]) == compared.get(service, set())
    writers = {topic: [service for service, topics in WRITES.items() if topic in topics] for topic in TOPICS}
    assert all(len(services) == 1 for services in writers.values()), writers


@pytest.mark.parametrize("service", SERVICES)
async def test_login_assumes_only_its_own_role(infrastructure: Infrastructure, service: str) -> None:
    """A service's login can neither assume another role, nor read or change another service's tables."""
    pool = await open_pool(infrastructure.url(service), role=f"presstally_{service}", size=1)
    try:
        for other in SERVICES:
            statements = [f"CREATE TABLE {other}.mine ()", f"DROP SCHEMA {other} CASCADE"]
            if other != service:
                statements += [f"SET ROLE presstally_{other}", f"SELECT * FROM {other}.{TABLES[other]}"]
            for statement in statements:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await pool.execute(statement)
        for statement in (
            "CREATE TABLE public.mine ()",
            "SELECT * FROM public.presstally_migrations",
            "SET ROLE presstally",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)
    finally:
        pool.terminate()


async def test_postgres_accepts_only_verified_tls(infrastructure: Infrastructure) -> None:
    """Another CA, another name, no TLS and a wrong password are rejected with the corresponding error."""
    right = infrastructure.url("stats")
    another_authority(infrastructure.folder)
    wrong = {
        right.replace(str(infrastructure.ca), str(infrastructure.folder / "another.pem")): "CERTIFICATE_VERIFY_FAILED",
        right.replace("@localhost", "@127.0.0.1"): "IP address mismatch",
        right.replace("verify-full", "disable"): "no encryption",
        right.replace("database-password-of-", "wrong-"): "password authentication failed",
    }
    for url, words in wrong.items():
        with pytest.raises((asyncpg.PostgresError, OSError), match=words):
            await asyncpg.connect(url)
    connection = await asyncpg.connect(right)
    assert await connection.fetchval("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "TLSv1.3"
    await connection.close()
