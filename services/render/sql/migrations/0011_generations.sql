-- Generations: a rebuild fills the tables of another schema, which then take the place of those that readers get.
-- The present tables become the first generation where they are.
CREATE SCHEMA render_2;
CREATE SCHEMA render_3;

DO $do$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY ARRAY['render_2', 'render_3'] LOOP
        PERFORM set_config('search_path', place || ', public', true);

        CREATE TABLE articles (
            id text PRIMARY KEY,
            site text NOT NULL,
            number bigint NOT NULL,
            section text NOT NULL,
            version integer NOT NULL,
            state text NOT NULL,
            path text NOT NULL,
            listed_at timestamptz NOT NULL,
            content jsonb NOT NULL,
            public_from timestamptz,
            public_until timestamptz NOT NULL DEFAULT 'infinity',
            modified_at timestamptz NOT NULL DEFAULT '-infinity',
            front_until timestamptz,
            derived integer NOT NULL DEFAULT 0,
            UNIQUE (site, number)
        );
        COMMENT ON COLUMN articles.listed_at IS 'What lists are ordered by: when readers first saw it, here or elsewhere.';
        COMMENT ON COLUMN articles.public_from IS 'Null: not for readers, whatever the time.';
        COMMENT ON COLUMN articles.front_until IS 'Until then it stands before newer ones on the home page.';
        COMMENT ON COLUMN articles.derived IS 'Version of the rules by which the rows below were made of it.';
        CREATE INDEX articles_listed ON articles (site, listed_at DESC, number DESC) WHERE public_from IS NOT NULL;
        CREATE INDEX articles_front ON articles (site, front_until) WHERE front_until IS NOT NULL;
        CREATE INDEX articles_derived ON articles (derived);

        CREATE VIEW public_articles AS
        SELECT * FROM articles WHERE public_from <= now() AND now() < public_until;
        COMMENT ON VIEW public_articles IS 'What readers may see at this moment: every surface reads it.';

        CREATE TABLE listings (
            site text NOT NULL,
            list text NOT NULL,
            listed_at timestamptz NOT NULL,
            number bigint NOT NULL,
            article text NOT NULL REFERENCES articles ON DELETE CASCADE,
            name text NOT NULL,
            PRIMARY KEY (article, list)
        );
        COMMENT ON TABLE listings IS 'Which lists show an article: section/SLUG, tag/SLUG, month/YYYY-MM.';
        CREATE INDEX listings_order ON listings (site, list, listed_at DESC, number DESC);

        CREATE TABLE old_addresses (
            site text NOT NULL,
            address text NOT NULL,
            article text NOT NULL REFERENCES articles ON DELETE CASCADE,
            PRIMARY KEY (site, address, article)
        );
        COMMENT ON TABLE old_addresses IS 'Where articles stood before, on this site or its predecessor: path and query.';
        CREATE INDEX old_addresses_article ON old_addresses (article);

        CREATE TABLE search (
            article text PRIMARY KEY REFERENCES articles ON DELETE CASCADE,
            site text NOT NULL,
            listed_at timestamptz NOT NULL,
            section text NOT NULL,
            title text NOT NULL,
            title_words tsvector NOT NULL,
            words tsvector NOT NULL,
            pairs tsvector NOT NULL,
            marked_words tsvector NOT NULL
        );
        COMMENT ON TABLE search IS 'The words of public articles: folded (no marks, lower case), and as written.';
        COMMENT ON COLUMN search.pairs IS 'Folded words that stand together: most Vietnamese words have two syllables.';
        CREATE INDEX search_listed ON search (site, listed_at DESC);
        CREATE INDEX search_title_words ON search USING gin (title_words);
        CREATE INDEX search_words ON search USING gin (words);
        CREATE INDEX search_pairs ON search USING gin (pairs);
        CREATE INDEX search_title ON search USING gin (title gin_trgm_ops);

        CREATE TABLE boundaries (
            site text NOT NULL,
            at timestamptz NOT NULL,
            article text NOT NULL REFERENCES articles ON DELETE CASCADE,
            PRIMARY KEY (article, at)
        );
        COMMENT ON TABLE boundaries IS 'When pages change though nothing is written: an embargo ends, a time is up.';
        CREATE INDEX boundaries_at ON boundaries (site, at);

        GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
            articles, public_articles, listings, old_addresses, search, boundaries TO presstally_render;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO presstally_render', place);
    END LOOP;
    PERFORM set_config('search_path', '"$user", public', true);
END
$do$;

GRANT TRUNCATE ON render.articles, render.public_articles, render.listings, render.old_addresses, render.search,
    render.boundaries TO presstally_render;

CREATE TABLE render.generations (
    place text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('live', 'former', 'spare')),
    number bigint NOT NULL,
    made_at timestamptz,
    orphans text[] NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX generations_state ON render.generations (state) WHERE state <> 'spare';
INSERT INTO render.generations (place, state, number) VALUES
    ('render', 'live', 1), ('render_2', 'spare', 0), ('render_3', 'spare', 0);
COMMENT ON TABLE render.generations IS 'The schemas that hold a generation: the one that readers get, the former one, and one to build the next in.';
COMMENT ON COLUMN render.generations.number IS 'Rises with each swap: pages that were made of another generation are made anew.';
COMMENT ON COLUMN render.generations.orphans IS 'Of the former one: its articles that its successor was made without, as the topic did not hold them.';

CREATE FUNCTION render.analyze_generation(place text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF place NOT IN ('render', 'render_2', 'render_3') THEN
        RAISE EXCEPTION 'there is no generation in %', place;
    END IF;
    EXECUTE format('ANALYZE %1$I.articles, %1$I.listings, %1$I.old_addresses, %1$I.search, %1$I.boundaries', place);
END
$$;
COMMENT ON FUNCTION render.analyze_generation IS 'Lets a rebuild, which does not own its tables, tell the planner what they hold.';
REVOKE EXECUTE ON FUNCTION render.analyze_generation FROM PUBLIC;
GRANT EXECUTE ON FUNCTION render.analyze_generation TO presstally_render;
GRANT SELECT, UPDATE ON render.generations TO presstally_render;
