-- Columns get the names that the code uses. No row changes.
ALTER TABLE ingest.revisions RENAME COLUMN is_told TO is_public_change;
ALTER TABLE ingest.articles RENAME COLUMN written_by TO author_token;
ALTER TABLE ingest.articles RENAME COLUMN problem TO schedule_error;
ALTER TABLE ingest.media RENAME COLUMN copies TO renditions;
ALTER TABLE ingest.media RENAME COLUMN names TO rendition_names;
ALTER INDEX ingest.media_names RENAME TO media_rendition_names;

-- Postgres 18 names NOT NULL constraints after their columns; older versions have no such constraints.
DO $$
DECLARE
    former record;
BEGIN
    FOR former IN
        SELECT c.conrelid::regclass AS of_table, c.conname AS name,
               replace(replace(replace(
                   c.conname, 'is_told', 'is_public_change'), 'media_copies', 'media_renditions'),
                   'media_names', 'media_rendition_names') AS new_name
        FROM pg_constraint c
        WHERE c.contype = 'n' AND c.connamespace = 'ingest'::regnamespace
    LOOP
        IF former.name <> former.new_name THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', former.of_table, former.name, former.new_name);
        END IF;
    END LOOP;
END $$;

COMMENT ON TABLE ingest.secrets IS 'Permanent secrets that all collectors share, created on first use.';
COMMENT ON TABLE ingest.salts IS 'One random salt per site and local day; deleted after 48 hours.';
COMMENT ON COLUMN ingest.articles.content IS 'The working version, which editors change. Its version and state are its own.';
COMMENT ON COLUMN ingest.articles.live IS 'The published version, as last sent to the topic articles; null: never public.';
COMMENT ON COLUMN ingest.articles.schedule_error IS 'Why the scheduler cancelled the schedule; null: no error.';
COMMENT ON COLUMN ingest.articles.author_token IS 'Prefix of the token that wrote the text of the working version.';
COMMENT ON TABLE ingest.outbox IS 'Messages committed together with the changes they report; the relay deletes those that Kafka has.';
COMMENT ON COLUMN ingest.outbox.headers IS 'The message''s trace context as W3C headers; empty if not traced.';
COMMENT ON TABLE ingest.opening_balances IS 'Totals imported from former counters, at most one per counter.';
COMMENT ON TABLE ingest.publications IS 'What the portal serves of each article, as read from the topic pages-live.';
COMMENT ON TABLE ingest.tokens IS 'Bearer tokens of the editor API. Revoked rows stay, because the audit log refers to them.';
COMMENT ON COLUMN ingest.tokens.hash IS 'SHA-256 of the token. The token has 256 random bits, so a slower hash is not needed.';
COMMENT ON COLUMN ingest.tokens.sites IS 'The sites that the token may access; null: all.';
COMMENT ON COLUMN ingest.tokens.used_at IS 'Last lookup; each process looks a token up at most once a minute.';
COMMENT ON TABLE ingest.revisions IS 'Every accepted change of an article: who, what, when and why. Append-only.';
COMMENT ON COLUMN ingest.revisions.content IS 'The working version after the change.';
COMMENT ON COLUMN ingest.revisions.is_public_change IS 'The change was sent to the topic articles.';
COMMENT ON TABLE ingest.idempotency_keys IS 'Responses to POST requests, replayed when a request is repeated; deleted after 7 days.';
COMMENT ON TABLE ingest.media IS 'Images in the media store. A row is written after all its files are stored.';
COMMENT ON COLUMN ingest.media.id IS 'SHA-256 of the original: the same file is stored once.';
COMMENT ON COLUMN ingest.media.width IS 'In pixels, after applying the EXIF orientation.';
COMMENT ON COLUMN ingest.media.renditions IS 'The public renditions, widest JPEG first: name, width, height, type.';
COMMENT ON COLUMN ingest.media.rendition_names IS 'Names of all renditions, to find the image of a URL.';
COMMENT ON TABLE ingest.imports IS 'For each imported article, SHA-256 of the content that was last imported.';
