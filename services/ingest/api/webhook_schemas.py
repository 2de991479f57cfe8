"""Response bodies of webhooks."""

from datetime import datetime
from typing import Literal

import msgspec


class Webhook(msgspec.Struct, kw_only=True):
    """A webhook, without its secret."""

    id: str
    url: str
    description: str
    events: list[str]
    sites: list[str] | None
    """Null: all sites."""
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    """The first failure after the last success; null: the last delivery succeeded."""
    previous_secret_until: datetime | None
    """Until then requests are signed with the former secret, too."""
    created_at: datetime
    created_by: str


class NewWebhook(Webhook, kw_only=True):
    """A webhook with its secret, which is not shown again."""

    secret: str
    """`whsec_` and the key in base64, as libraries for Standard Webhooks take it."""


class WebhookList(msgspec.Struct):
    """All webhooks, the oldest first."""

    webhooks: list[Webhook]


class DeliveryRow(msgspec.Struct, kw_only=True):
    """An event for a webhook, and how far its delivery is."""

    message: str
    event: str
    article: str
    state: Literal["pending", "delivered", "dead"]
    created_at: datetime
    attempts: int
    next_at: datetime | None
    ended_at: datetime | None
    last_result: str | None


class DeliveryList(msgspec.Struct):
    """A page of deliveries, newest first."""

    deliveries: list[DeliveryRow]
    next: str | None


class Queued(msgspec.Struct):
    """The messages that were queued."""

    messages: list[str]


WEBHOOK_TYPES = (Webhook, NewWebhook, WebhookList, DeliveryList, Queued)
