-- Unsaved texts of editors, and who has which article open.
CREATE TABLE ingest.autosaves (
    owner text NOT NULL,
    slot text NOT NULL,
    person text REFERENCES ingest.people (id) ON DELETE CASCADE,
    article text REFERENCES ingest.articles (id) ON DELETE CASCADE,
    site text NOT NULL,
    tab text NOT NULL,
    sequence bigint NOT NULL,
    base_version integer,
    title text NOT NULL,
    fields bytea,
    created_article text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (owner, slot)
);
COMMENT ON TABLE ingest.autosaves IS 'The text that somebody has typed and not saved: one slot for each person and article. Deleted 30 days after the last one.';
COMMENT ON COLUMN ingest.autosaves.owner IS 'ID of the person, or prefix of the token.';
COMMENT ON COLUMN ingest.autosaves.slot IS 'The article, or the key of one that does not exist yet.';
COMMENT ON COLUMN ingest.autosaves.tab IS 'The window that wrote it, with a counter of its own.';
COMMENT ON COLUMN ingest.autosaves.fields IS 'JSON as it was sent, which jsonb could refuse; null: saved or discarded, kept so that a late request does not bring it back.';
COMMENT ON COLUMN ingest.autosaves.created_article IS 'The article that was created from a new text.';
CREATE INDEX autosaves_person ON ingest.autosaves (person);
CREATE INDEX autosaves_article ON ingest.autosaves (article);
CREATE INDEX autosaves_age ON ingest.autosaves (saved_at);

CREATE UNLOGGED TABLE ingest.presence (
    article text NOT NULL REFERENCES ingest.articles (id) ON DELETE CASCADE,
    owner text NOT NULL,
    tab text NOT NULL,
    person text REFERENCES ingest.people (id) ON DELETE CASCADE,
    who text NOT NULL,
    is_writing boolean NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (article, owner, tab)
);
COMMENT ON TABLE ingest.presence IS 'Who has an article open. A row is valid for 10 seconds; a crash of Postgres empties it.';
CREATE INDEX presence_person ON ingest.presence (person);

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.autosaves, ingest.presence TO presstally_ingest;
