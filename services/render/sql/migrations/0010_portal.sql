-- Pages are made when they are asked for, from rows that change in one transaction: what is listed where, former
-- addresses, the words of a search. `generation` rises with each such transaction, so that caches know.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

DROP TABLE render.pages;
DROP TABLE render.themes;

ALTER TABLE render.articles
    ADD COLUMN public_from timestamptz,
    ADD COLUMN public_until timestamptz NOT NULL DEFAULT 'infinity',
    ADD COLUMN modified_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN front_until timestamptz,
    ADD COLUMN derived integer NOT NULL DEFAULT 0;
UPDATE render.articles SET public_from = '-infinity' WHERE is_public;
DROP INDEX render.articles_listed;
ALTER TABLE render.articles DROP COLUMN is_public;
COMMENT ON COLUMN render.articles.public_from IS 'Null: not for readers, whatever the time.';
COMMENT ON COLUMN render.articles.front_until IS 'Until then it stands before newer ones on the home page.';
COMMENT ON COLUMN render.articles.derived IS 'Version of the rules by which the rows below were made of it.';
CREATE INDEX articles_listed ON render.articles (site, listed_at DESC, number DESC) WHERE public_from IS NOT NULL;
CREATE INDEX articles_front ON render.articles (site, front_until) WHERE front_until IS NOT NULL;
CREATE INDEX articles_derived ON render.articles (derived);

CREATE VIEW render.public_articles AS
SELECT * FROM render.articles WHERE public_from <= now() AND now() < public_until;
COMMENT ON VIEW render.public_articles IS 'What readers may see at this moment: every surface reads it.';

CREATE TABLE render.listings (
    site text NOT NULL,
    list text NOT NULL,
    listed_at timestamptz NOT NULL,
    number bigint NOT NULL,
    article text NOT NULL REFERENCES render.articles ON DELETE CASCADE,
    name text NOT NULL,
    PRIMARY KEY (article, list)
);
COMMENT ON TABLE render.listings IS 'Which lists show an article: section/SLUG, tag/SLUG, month/YYYY-MM.';
CREATE INDEX listings_order ON render.listings (site, list, listed_at DESC, number DESC);

CREATE TABLE render.old_addresses (
    site text NOT NULL,
    address text NOT NULL,
    article text NOT NULL REFERENCES render.articles ON DELETE CASCADE,
    PRIMARY KEY (site, address, article)
);
COMMENT ON TABLE render.old_addresses IS 'Where articles stood before, on this site or its predecessor: path and query.';
CREATE INDEX old_addresses_article ON render.old_addresses (article);

CREATE TABLE render.search (
    article text PRIMARY KEY REFERENCES render.articles ON DELETE CASCADE,
    site text NOT NULL,
    listed_at timestamptz NOT NULL,
    section text NOT NULL,
    title text NOT NULL,
    title_words tsvector NOT NULL,
    words tsvector NOT NULL,
    pairs tsvector NOT NULL,
    marked_words tsvector NOT NULL
);
COMMENT ON TABLE render.search IS 'The words of public articles: folded (no marks, lower case), and as written.';
COMMENT ON COLUMN render.search.pairs IS 'Folded words that stand together: most Vietnamese words have two syllables.';
CREATE INDEX search_listed ON render.search (site, listed_at DESC);
CREATE INDEX search_title_words ON render.search USING gin (title_words);
CREATE INDEX search_words ON render.search USING gin (words);
CREATE INDEX search_pairs ON render.search USING gin (pairs);
CREATE INDEX search_title ON render.search USING gin (title gin_trgm_ops);

CREATE TABLE render.boundaries (
    site text NOT NULL,
    at timestamptz NOT NULL,
    article text NOT NULL REFERENCES render.articles ON DELETE CASCADE,
    PRIMARY KEY (article, at)
);
COMMENT ON TABLE render.boundaries IS 'When pages change though nothing is written: an embargo ends, a time is up.';
CREATE INDEX boundaries_at ON render.boundaries (site, at);

CREATE TABLE render.sites (
    site text PRIMARY KEY,
    generation bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE render.sites IS 'Rises with each change of a site''s articles, in the same transaction.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA render TO presstally_render;
