-- Links that show a version of an article before it is published, and what goes with an article that is removed.
CREATE TABLE ingest.previews (
    id text PRIMARY KEY,
    article text NOT NULL REFERENCES ingest.articles (id) ON DELETE CASCADE,
    version integer,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE ingest.previews IS 'Links that show a version of an article in the theme of its site. Deleted 30 days after they expired.';
COMMENT ON COLUMN ingest.previews.id IS 'Random; the link has it with its signature.';
COMMENT ON COLUMN ingest.previews.version IS 'Null: the working version, whichever it is.';
CREATE INDEX previews_article ON ingest.previews (article, created_at DESC);
CREATE INDEX previews_age ON ingest.previews (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.previews TO presstally_ingest;
ALTER TABLE ingest.article_words
    DROP CONSTRAINT article_words_article_fkey,
    ADD FOREIGN KEY (article) REFERENCES ingest.articles (id) ON DELETE CASCADE;
