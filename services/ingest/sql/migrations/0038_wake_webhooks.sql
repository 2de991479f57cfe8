-- Who sends events to webhooks is woken when one is due, and polls only in case a notification was lost with a connection.
CREATE FUNCTION ingest.wake_webhooks() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NOTIFY presstally_webhooks;
    RETURN NULL;
END
$$;
CREATE TRIGGER wake_webhooks AFTER INSERT OR UPDATE OF next_at ON ingest.webhook_deliveries
FOR EACH ROW WHEN (NEW.next_at <= clock_timestamp()) EXECUTE FUNCTION ingest.wake_webhooks();
CREATE TRIGGER wake_webhooks AFTER UPDATE OF disabled_at ON ingest.webhooks
FOR EACH ROW WHEN (OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL) EXECUTE FUNCTION ingest.wake_webhooks();
COMMENT ON TRIGGER wake_webhooks ON ingest.webhook_deliveries IS 'So that nothing polls for events: who sends them is woken when one that is due was committed.';
COMMENT ON TRIGGER wake_webhooks ON ingest.webhooks IS 'What waited while the webhook was disabled is due at once.';
