-- A message takes its trace along; empty where nothing is traced.
ALTER TABLE ingest.outbox ADD COLUMN headers jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN ingest.outbox.headers IS 'The trace that a message belongs to, if there is one, as W3C names it.';
