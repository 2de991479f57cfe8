-- What editors say about articles.
CREATE TABLE ingest.comments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    article text NOT NULL REFERENCES ingest.articles (id) ON DELETE CASCADE,
    version integer NOT NULL,
    block integer,
    excerpt text NOT NULL,
    text text NOT NULL,
    who text NOT NULL,
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    edited_at timestamptz,
    resolved_at timestamptz,
    resolved_by text
);
COMMENT ON TABLE ingest.comments IS 'Comments of editors on articles and their blocks. Never public.';
COMMENT ON COLUMN ingest.comments.block IS 'Place in the body of the version; null: the whole article.';
COMMENT ON COLUMN ingest.comments.excerpt IS 'The beginning of the words of the block, by which it is found in later versions.';
COMMENT ON COLUMN ingest.comments.author IS 'ID of the person, or prefix of the token.';
CREATE INDEX comments_article ON ingest.comments (article, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.comments TO presstally_ingest;
