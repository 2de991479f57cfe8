-- The number of partitions over which the collectors distribute events is agreed here, not taken from Kafka.
CREATE TABLE ingest.partition_plan (
    effective_at timestamptz PRIMARY KEY,
    partitions integer NOT NULL CHECK (partitions BETWEEN 1 AND 10000),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.partition_plan IS 'Over how many partitions of page-views events are distributed, by the time of the event. Append-only.';
GRANT SELECT, INSERT ON ingest.partition_plan TO presstally_ingest;

CREATE TABLE ingest.switch_events (
    id uuid PRIMARY KEY,
    partitions integer NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.switch_events IS 'Views within an hour of a change of the partition plan, with the number that decided their partition; deleted after 4 days.';
CREATE INDEX switch_events_age ON ingest.switch_events (recorded_at);
GRANT SELECT, INSERT, DELETE ON ingest.switch_events TO presstally_ingest;
