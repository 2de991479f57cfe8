-- Articles get a working copy apart from the live copy, revisions with who and why, times, and idempotency keys.
ALTER TABLE ingest.articles
    ADD COLUMN live jsonb,
    ADD COLUMN publish_due_at timestamptz,
    ADD COLUMN unpublish_due_at timestamptz,
    ADD COLUMN problem text,
    ADD COLUMN written_by text;
COMMENT ON COLUMN ingest.articles.content IS 'The head: what editors work on. version and state are its own.';
COMMENT ON COLUMN ingest.articles.live IS 'What readers get, as it last travelled on the topic articles; null: never public.';
COMMENT ON COLUMN ingest.articles.problem IS 'Why the scheduler gave the article up; null when all is well.';
COMMENT ON COLUMN ingest.articles.written_by IS 'Prefix of the token whose text the head is.';
CREATE INDEX articles_publish_due ON ingest.articles (publish_due_at) WHERE publish_due_at IS NOT NULL;
CREATE INDEX articles_unpublish_due ON ingest.articles (unpublish_due_at) WHERE unpublish_due_at IS NOT NULL;

CREATE TABLE ingest.revisions (
    article text NOT NULL REFERENCES ingest.articles (id),
    version integer NOT NULL,
    action text NOT NULL,
    state text NOT NULL,
    who text NOT NULL,
    token text,
    note text NOT NULL,
    site text NOT NULL,
    content jsonb NOT NULL,
    is_told boolean NOT NULL,
    at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (article, version)
);
COMMENT ON TABLE ingest.revisions IS 'Every accepted change of an article: who did what, when and why. Nothing is ever changed here.';
COMMENT ON COLUMN ingest.revisions.content IS 'The head after the change.';
COMMENT ON COLUMN ingest.revisions.is_told IS 'The change went to the topic articles.';
CREATE INDEX revisions_site ON ingest.revisions (site, id DESC);

CREATE TABLE ingest.idempotency_keys (
    token text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token, key)
);
COMMENT ON TABLE ingest.idempotency_keys IS 'Answers to POST requests, for those that are sent again; dropped after 7 days.';
CREATE INDEX idempotency_keys_age ON ingest.idempotency_keys (created_at);
CREATE INDEX outbox_key ON ingest.outbox (key);

-- What was imported before: its date is unknown for good, and what was published is the live copy.
UPDATE ingest.articles SET content = jsonb_set(content, '{date_precision}', '"unknown"')
WHERE content ->> 'published_at' IS NULL AND source_system = 'saved-page';
UPDATE ingest.articles SET live = content WHERE content ->> 'first_published_at' IS NOT NULL;
INSERT INTO ingest.revisions (article, version, action, state, who, note, site, content, is_told, at)
SELECT id, version, 'import', state, 'import', '', site, content, live IS NOT NULL, modified_at FROM ingest.articles;

GRANT SELECT, INSERT ON ingest.revisions TO presstally_ingest;
GRANT SELECT, INSERT, DELETE ON ingest.idempotency_keys TO presstally_ingest;
