-- The render service: the newest state of each article, and the rows that pages are made of.
-- For reading: what runs are the migrations, and a test compares their result with this file.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE SCHEMA render;
CREATE SCHEMA render_2;
CREATE SCHEMA render_3;

CREATE FUNCTION render.files_of(content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_path_query_array(content, '$.body[*] ? (@.type == "file").media')
$$;
COMMENT ON FUNCTION render.files_of IS 'The ids of the files that an article offers.';

-- A generation of the portal is a set of tables. There are three, each in its schema; render.generations says which
-- one is live. A migration of these tables changes all three.
DO $do$
DECLARE
    schema_name text;
BEGIN
    FOREACH schema_name IN ARRAY ARRAY['render', 'render_2', 'render_3'] LOOP
        PERFORM set_config('search_path', schema_name || ', public', true);

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
            featured_until timestamptz,
            projection_version integer NOT NULL DEFAULT 0,
            UNIQUE (site, number)
        );
        COMMENT ON COLUMN articles.listed_at IS 'Sort key of lists: when it was first public, here or elsewhere.';
        COMMENT ON COLUMN articles.public_from IS 'Null: never public.';
        COMMENT ON COLUMN articles.featured_until IS 'Until then it comes before newer ones on the home page.';
        COMMENT ON COLUMN articles.projection_version IS 'Version of the projections that made the rows below.';
        CREATE INDEX articles_listed ON articles (site, listed_at DESC, number DESC) WHERE public_from IS NOT NULL;
        CREATE INDEX articles_featured ON articles (site, featured_until) WHERE featured_until IS NOT NULL;
        CREATE INDEX articles_projection_version ON articles (projection_version);
        CREATE INDEX articles_files ON articles USING gin (render.files_of(content));

        CREATE VIEW public_articles AS
        SELECT * FROM articles WHERE public_from <= now() AND now() < public_until;
        COMMENT ON VIEW public_articles IS 'The articles that are public now: every page reads it.';

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
        COMMENT ON TABLE old_addresses IS 'Former URLs of articles, on this site or its predecessor: path and query.';
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
        COMMENT ON TABLE search IS 'The words of public articles: folded (no diacritics, lower case), and as written.';
        COMMENT ON COLUMN search.pairs IS
            'What an index finds besides words: pairs of neighbouring folded words, words as written, and =TITLE.';
        CREATE INDEX search_listed ON search (site, listed_at DESC);
        CREATE INDEX search_title_words ON search USING gin (title_words);
        CREATE INDEX search_words ON search USING gin (words);
        CREATE INDEX search_pairs ON search USING gin (pairs);
        CREATE INDEX search_title ON search USING gin (title gin_trgm_ops);

        CREATE TABLE visibility_changes (
            site text NOT NULL,
            at timestamptz NOT NULL,
            article text NOT NULL REFERENCES articles ON DELETE CASCADE,
            PRIMARY KEY (article, at)
        );
        COMMENT ON TABLE visibility_changes IS 'When pages change although nothing is written: an embargo or a publication period ends.';
        CREATE INDEX visibility_changes_at ON visibility_changes (site, at);

        GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON
            articles, public_articles, listings, old_addresses, search, visibility_changes TO presstally_render;

        CREATE TABLE structures (
            site text PRIMARY KEY,
            version bigint NOT NULL,
            content jsonb NOT NULL,
            changes_at timestamptz[] NOT NULL DEFAULT '{}'
        );
        COMMENT ON COLUMN structures.changes_at IS 'When the front page changes although nothing is written.';
        COMMENT ON TABLE structures IS 'The structure of each site, with the slugs that were given up: every page resolves its articles through it.';

        CREATE TABLE static_pages (
            id text NOT NULL,
            site text NOT NULL,
            version bigint NOT NULL,
            state text NOT NULL,
            slug text NOT NULL,
            content jsonb NOT NULL,
            PRIMARY KEY (id, site)
        );
        COMMENT ON TABLE static_pages IS 'Pages that are no articles; withdrawn ones stay as such.';
        CREATE INDEX static_pages_slug ON static_pages (site, slug);

        GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON structures, static_pages TO presstally_render;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO presstally_render', schema_name);
    END LOOP;
    PERFORM set_config('search_path', '"$user", public', true);
END
$do$;

CREATE TABLE render.sites (
    site text PRIMARY KEY,
    version bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE render.sites IS 'The version rises with each change of a site''s articles, in the same transaction.';

-- Sites that serve pages may rely on a version for 50 ms without asking (query "site_versions"): before a change of a site
-- that was quiet, its writer announces itself by a lock and waits until all such leases have ended.
CREATE FUNCTION render.end_leases() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(6776175);
    IF current_setting('presstally.leases_ended', true) IS DISTINCT FROM 'true'
        AND OLD.changed_at < clock_timestamp() - interval '1 second' THEN
        PERFORM pg_sleep(0.06);
        PERFORM set_config('presstally.leases_ended', 'true', true);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION render.end_leases IS 'Keeps new leases away until the transaction ends, and waits for those that exist, once.';
CREATE TRIGGER end_leases BEFORE UPDATE ON render.sites FOR EACH ROW EXECUTE FUNCTION render.end_leases();

CREATE TABLE render.generations (
    schema_name text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('live', 'former', 'spare')),
    number bigint NOT NULL,
    made_at timestamptz,
    orphans text[] NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX generations_state ON render.generations (state) WHERE state <> 'spare';
INSERT INTO render.generations (schema_name, state, number) VALUES
    ('render', 'live', 1), ('render_2', 'spare', 0), ('render_3', 'spare', 0);
COMMENT ON TABLE render.generations IS 'The schemas of the generations: the live one, the former one, and a spare one in which the next is built.';
COMMENT ON COLUMN render.generations.number IS 'Rises with each swap: pages that were rendered from another generation are rendered again.';
COMMENT ON COLUMN render.generations.orphans IS 'Of the former one: its articles that are not in its successor, because the topic did not contain them.';

CREATE FUNCTION render.analyze_generation(schema_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF schema_name NOT IN ('render', 'render_2', 'render_3') THEN
        RAISE EXCEPTION 'no generation in schema %', schema_name;
    END IF;
    EXECUTE format('ANALYZE %1$I.articles, %1$I.listings, %1$I.old_addresses, %1$I.search, %1$I.visibility_changes', schema_name);
END
$$;
COMMENT ON FUNCTION render.analyze_generation IS 'Lets a rebuild, which does not own its tables, update the planner''s statistics of them.';
REVOKE EXECUTE ON FUNCTION render.analyze_generation FROM PUBLIC;
GRANT EXECUTE ON FUNCTION render.analyze_generation TO presstally_render;

GRANT SELECT, INSERT, UPDATE, DELETE ON render.sites TO presstally_render;
GRANT SELECT, UPDATE ON render.generations TO presstally_render;

CREATE TABLE render.consumer_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    cluster text NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    last_record bigint,
    PRIMARY KEY (consumer, topic, partition)
);
COMMENT ON TABLE render.consumer_offsets IS 'How far topics are applied to this schema; they follow it, and not the offsets of the groups in Kafka.';
COMMENT ON COLUMN render.consumer_offsets.next_offset IS 'All records before it are applied.';
COMMENT ON COLUMN render.consumer_offsets.last_record IS 'Checksum of the record before next_offset: a log in which it differs has lost its tail, and is read from its beginning.';

GRANT SELECT, INSERT, UPDATE ON render.consumer_offsets TO presstally_render;

CREATE TABLE render.announcements (
    site text NOT NULL,
    hub text NOT NULL,
    topic text NOT NULL,
    checksum bytea NOT NULL,
    seen_at timestamptz NOT NULL,
    announced bytea,
    waiting_since timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    last_result text NOT NULL DEFAULT '',
    PRIMARY KEY (site, hub, topic)
);
COMMENT ON TABLE render.announcements IS 'The feeds of each site, and what each WebSub hub was told about them.';
COMMENT ON COLUMN render.announcements.topic IS 'The URL of the feed.';
COMMENT ON COLUMN render.announcements.checksum IS 'Of the feed as readers got it at seen_at.';
COMMENT ON COLUMN render.announcements.announced IS 'The checksum of which the hub was told; null: of none yet.';
COMMENT ON COLUMN render.announcements.waiting_since IS 'Since when the hub has not been told of the feed as it is; null: it was told.';
COMMENT ON COLUMN render.announcements.claimed_until IS 'Until then a process is telling the hub.';
GRANT SELECT, INSERT, UPDATE, DELETE ON render.announcements TO presstally_render;
