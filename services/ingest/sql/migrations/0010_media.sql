-- Images that editors upload: the original in the store, and the copies that readers get.
CREATE TABLE ingest.media (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),
    type text NOT NULL,
    file_name text NOT NULL,
    bytes bigint NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    copies jsonb NOT NULL,
    names text[] NOT NULL,
    focus_x double precision CHECK (focus_x BETWEEN 0 AND 1),
    focus_y double precision CHECK (focus_y BETWEEN 0 AND 1),
    who text NOT NULL,
    token text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((focus_x IS NULL) = (focus_y IS NULL))
);
COMMENT ON TABLE ingest.media IS 'Images in the media store. A row is written after all its files are there.';
COMMENT ON COLUMN ingest.media.id IS 'SHA-256 of the original: the same file is one medium.';
COMMENT ON COLUMN ingest.media.width IS 'In pixels, as people see it: the rotation that the camera noted is applied.';
COMMENT ON COLUMN ingest.media.copies IS 'What readers get, the widest JPEG first: name, width, height, type.';
COMMENT ON COLUMN ingest.media.names IS 'The names of all copies: which medium does an address belong to?';
CREATE INDEX media_names ON ingest.media USING gin (names);
CREATE INDEX media_newest ON ingest.media (created_at, id);

GRANT SELECT, INSERT, UPDATE ON ingest.media TO presstally_ingest;
