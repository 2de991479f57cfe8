-- Documents that articles offer for download.
CREATE TABLE ingest.files (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    site text NOT NULL,
    checksum bytea NOT NULL CHECK (length(checksum) = 32),
    type text NOT NULL,
    name text NOT NULL,
    bytes bigint NOT NULL,
    warnings text[] NOT NULL,
    who text NOT NULL,
    actor_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (site, checksum)
);
COMMENT ON TABLE ingest.files IS 'Documents of sites. A row is written after its file is in the media store.';
COMMENT ON COLUMN ingest.files.id IS 'Random, so that nobody can find a file by its content.';
COMMENT ON COLUMN ingest.files.checksum IS 'SHA-256: the same bytes are one file of a site.';
COMMENT ON COLUMN ingest.files.warnings IS 'What its check found that does not prevent it.';
CREATE INDEX files_newest ON ingest.files (created_at, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.files TO presstally_ingest;
CREATE INDEX articles_scheduled_media ON ingest.articles USING gin (ingest.media_of(scheduled));
