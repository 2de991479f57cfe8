"""Role `builder`: consumes `articles` and writes pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.render.builder.consumer import Builder
from services.render.hubs.announcer import HubAnnouncer
from services.render.settings import RenderSettings
from shared.consumer_offsets import ConsumerOffsets
from shared.http.guarded_sender import Sender
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.database_consumer import DatabaseConsumer
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.topic_watch import TopicWatch
from shared.topics import ARTICLES, PAGES_LIVE, SITE_STRUCTURE, wanted_topics
from shared.tracing import consumer_middlewares, start_tracing, stop_tracing


@asynccontextmanager
async def run_builder(settings: RenderSettings, process: Process) -> AsyncIterator[Role]:
    """Run the builder."""
    start_tracing("render", settings.traces)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_render", size=4)
    producer = Producer(settings.kafka)
    producer.start()
    sites = process.follow_sites(settings)
    feeds_pool = await open_pool(
        settings.database_url.get_secret_value(), role="presstally_render", size=2, wait=False
    )  # its own, so that no hub takes a connection from the builder; none is opened without hubs
    announcer = HubAnnouncer(feeds_pool, sites, Sender(settings.hub_networks, schemes=("https", "http")))
    builder = Builder(pool, producer, sites, on_change=announcer.wake)
    announcing = process.spawn(announcer.run(), "tell hubs of changed feeds")
    reindexing = process.spawn(builder.keep_indexed(), "reindex")
    broker = create_broker(settings.kafka, consumer_middlewares())
    offsets = ConsumerOffsets("render", "builder", ARTICLES.name)
    follower = DatabaseConsumer(broker, pool, offsets, settings.group, builder.on_article, process=process)
    structure_offsets = ConsumerOffsets("render", "builder", SITE_STRUCTURE.name)
    structure_group = f"{settings.group}-structure"
    structures = DatabaseConsumer(
        broker, pool, structure_offsets, structure_group, builder.on_structure, process=process
    )
    watching = [process.spawn(one.watch(), "compare positions") for one in (follower, structures)]
    used = [ARTICLES, PAGES_LIVE, SITE_STRUCTURE]
    topics = TopicWatch(settings.kafka, wanted_topics(settings.replication, used, dead_letters=False))
    checking = process.spawn(topics.run(), "check the topics")
    try:
        async with run_broker(broker, settings.kafka, process):
            yield Role(
                "builder",
                not_ready=lambda: [*builder.not_ready(), *follower.not_ready(), *structures.not_ready()],
                degraded=topics.warnings,
            )
    finally:
        for task in (reindexing, announcing, *watching, checking):
            task.cancel()
        await producer.stop()
        pool.terminate()
        feeds_pool.terminate()
        await stop_tracing()
