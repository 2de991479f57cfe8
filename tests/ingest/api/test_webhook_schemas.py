"""Response bodies of webhooks."""

from services.ingest.api.webhook_schemas import WEBHOOK_TYPES, NewWebhook, Webhook


def test_webhook_without_secret_has_no_field_for_it() -> None:
    """Only a new or rotated webhook has one."""
    assert set(NewWebhook.__struct_fields__) - set(Webhook.__struct_fields__) == {"secret"}
    assert not [name for name in Webhook.__struct_fields__ if name in ("secret", "previous_secret")]
    assert Webhook in WEBHOOK_TYPES
