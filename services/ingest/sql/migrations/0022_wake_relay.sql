-- The relay is woken when a message is committed, and polls only in case a notification was lost with a connection.
CREATE FUNCTION ingest.wake_relay() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NOTIFY presstally_outbox;
    RETURN NULL;
END
$$;
CREATE TRIGGER wake_relay AFTER INSERT ON ingest.outbox FOR EACH STATEMENT EXECUTE FUNCTION ingest.wake_relay();
COMMENT ON TRIGGER wake_relay ON ingest.outbox IS 'So that the relay need not poll: it is woken when a message is committed.';
