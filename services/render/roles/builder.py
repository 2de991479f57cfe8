"""Role `builder`: consumes `articles` and writes pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.render.builder.consumer import Builder
from services.render.settings import RenderSettings
from shared.consumer_offsets import ConsumerOffsets
from shared.kafka.consumer import create_broker, run_broker
from shared.kafka.database_consumer import DatabaseConsumer
from shared.kafka.producer import Producer
from shared.postgres import open_pool
from shared.role import Process, Role
from shared.topic_watch import TopicWatch
from shared.topics import ARTICLES, PAGES_LIVE, wanted_topics
from shared.tracing import consumer_middlewares, start_tracing, stop_tracing


@asynccontextmanager
async def run_builder(settings: RenderSettings, process: Process) -> AsyncIterator[Role]:
    """Run the builder."""
    start_tracing("render", settings.traces)
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_render", size=4)
    producer = Producer(settings.kafka)
    producer.start()
    builder = Builder(pool, producer, process.follow_sites(settings))
    reindexing = process.spawn(builder.reindex(), "reindex")
    broker = create_broker(settings.kafka, consumer_middlewares())
    offsets = ConsumerOffsets("render", "builder", ARTICLES.name)
    follower = DatabaseConsumer(broker, pool, offsets, settings.group, builder.on_article, process=process)
    watching = process.spawn(follower.watch(), "compare positions")
    topics = TopicWatch(settings.kafka, wanted_topics(settings.replication, [ARTICLES, PAGES_LIVE], dead_letters=False))
    checking = process.spawn(topics.run(), "check the topics")
    try:
        async with run_broker(broker, settings.kafka, process):
            yield Role(
                "builder", not_ready=lambda: builder.not_ready() + follower.not_ready(), degraded=topics.warnings
            )
    finally:
        reindexing.cancel()
        watching.cancel()
        checking.cancel()
        await producer.stop()
        pool.terminate()
        await stop_tracing()
