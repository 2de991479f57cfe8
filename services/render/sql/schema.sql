-- The render service: the newest state of each article, and the pages made of it.
CREATE SCHEMA render;

CREATE TABLE render.articles (
    id text PRIMARY KEY,
    site text NOT NULL,
    number bigint NOT NULL,
    section text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    is_public boolean NOT NULL,
    path text NOT NULL,
    listed_at timestamptz NOT NULL,
    content jsonb NOT NULL,
    UNIQUE (site, number)
);
COMMENT ON COLUMN render.articles.listed_at IS 'What lists are ordered by: when readers first saw it, here or elsewhere.';
CREATE INDEX articles_listed ON render.articles (site, listed_at DESC, id) WHERE is_public;

CREATE TABLE render.pages (
    site text NOT NULL,
    path text NOT NULL,
    article text,
    html text NOT NULL,
    etag text NOT NULL,
    PRIMARY KEY (site, path)
);
COMMENT ON TABLE render.pages IS 'What readers get, byte for byte.';
CREATE INDEX pages_article ON render.pages (article) WHERE article IS NOT NULL;

CREATE TABLE render.themes (
    site text PRIMARY KEY,
    version text NOT NULL
);
COMMENT ON TABLE render.themes IS 'Which theme and settings the pages of a site were made with.';

GRANT USAGE ON SCHEMA render TO presstally_render;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA render TO presstally_render;
