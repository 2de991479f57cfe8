-- Webhooks: programs of others are called when the portal serves or withdraws an article.
CREATE TABLE ingest.webhooks (
    id text PRIMARY KEY,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    sites text[] CHECK (cardinality(sites) > 0),
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_secret_until timestamptz,
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL
);
COMMENT ON TABLE ingest.webhooks IS 'Where events are sent, and the secrets that sign them.';
COMMENT ON COLUMN ingest.webhooks.sites IS 'Null: all sites.';
COMMENT ON COLUMN ingest.webhooks.failing_since IS 'The first failure after the last success.';

CREATE TABLE ingest.webhook_deliveries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message text NOT NULL,
    webhook text NOT NULL REFERENCES ingest.webhooks (id) ON DELETE CASCADE,
    event text NOT NULL,
    article text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz DEFAULT clock_timestamp(),
    claimed_until timestamptz,
    ended_at timestamptz,
    is_delivered boolean NOT NULL DEFAULT false,
    last_result text,
    UNIQUE (webhook, message)
);
COMMENT ON TABLE ingest.webhook_deliveries IS 'Events for webhooks: committed with the status that they report, deleted 7 days after they were delivered, 30 days after they failed for good.';
COMMENT ON COLUMN ingest.webhook_deliveries.next_at IS 'When it is tried next; null: it has ended.';
COMMENT ON COLUMN ingest.webhook_deliveries.claimed_until IS 'A process is sending it; after that time it has died.';
CREATE INDEX webhook_deliveries_open ON ingest.webhook_deliveries (webhook, number) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON ingest.webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

ALTER TABLE ingest.publications ADD COLUMN corrections integer;
COMMENT ON COLUMN ingest.publications.corrections IS 'How many corrections the version has; null: not counted.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.webhooks, ingest.webhook_deliveries TO presstally_ingest;
