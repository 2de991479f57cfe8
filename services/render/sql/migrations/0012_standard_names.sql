-- Standard names: featured_until, projection_version, visibility_changes, generations.schema_name, sites.version.
-- Data stay as they are. A process of the former version cannot read the renamed columns.
DO $do$
DECLARE
    schema_name text;
BEGIN
    FOREACH schema_name IN ARRAY ARRAY['render', 'render_2', 'render_3'] LOOP
        PERFORM set_config('search_path', schema_name || ', public', true);

        ALTER TABLE articles RENAME COLUMN front_until TO featured_until;
        ALTER TABLE articles RENAME COLUMN derived TO projection_version;
        ALTER INDEX articles_front RENAME TO articles_featured;
        ALTER INDEX articles_derived RENAME TO articles_projection_version;
        ALTER VIEW public_articles RENAME COLUMN front_until TO featured_until;
        ALTER VIEW public_articles RENAME COLUMN derived TO projection_version;
        COMMENT ON COLUMN articles.listed_at IS 'Sort key of lists: when it was first public, here or elsewhere.';
        COMMENT ON COLUMN articles.public_from IS 'Null: never public.';
        COMMENT ON COLUMN articles.featured_until IS 'Until then it comes before newer ones on the home page.';
        COMMENT ON COLUMN articles.projection_version IS 'Version of the projections that made the rows below.';
        COMMENT ON VIEW public_articles IS 'The articles that are public now: every page reads it.';

        COMMENT ON TABLE old_addresses IS
            'Former URLs of articles, on this site or its predecessor: path and query.';
        COMMENT ON TABLE search IS
            'The words of public articles: folded (no diacritics, lower case), and as written.';
        COMMENT ON COLUMN search.pairs IS
            'Pairs of neighbouring folded words: most Vietnamese words have two syllables.';

        ALTER TABLE boundaries RENAME TO visibility_changes;
        ALTER TABLE visibility_changes RENAME CONSTRAINT boundaries_pkey TO visibility_changes_pkey;
        ALTER TABLE visibility_changes RENAME CONSTRAINT boundaries_article_fkey TO visibility_changes_article_fkey;
        ALTER INDEX boundaries_at RENAME TO visibility_changes_at;
        COMMENT ON TABLE visibility_changes IS
            'When pages change although nothing is written: an embargo or a publication period ends.';
    END LOOP;
    PERFORM set_config('search_path', '"$user", public', true);
END
$do$;

ALTER TABLE render.sites RENAME COLUMN generation TO version;
COMMENT ON TABLE render.sites IS 'The version rises with each change of a site''s articles, in the same transaction.';

ALTER TABLE render.generations RENAME COLUMN place TO schema_name;
COMMENT ON TABLE render.generations IS 'The schemas of the generations: the live one, the former one, and a spare one in which the next is built.';
COMMENT ON COLUMN render.generations.number IS 'Rises with each swap: pages that were rendered from another generation are rendered again.';
COMMENT ON COLUMN render.generations.orphans IS 'Of the former one: its articles that are not in its successor, because the topic did not contain them.';

DROP FUNCTION render.analyze_generation(text);
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

-- Postgres 18 names NOT NULL constraints after their table and column; older versions have none.
DO $do$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT c.conname, c.conrelid::regclass AS table_name, format('%s_%s_not_null', t.relname, a.attname) AS new_name
        FROM pg_constraint c
        JOIN pg_class t ON t.oid = c.conrelid
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'n' AND c.connamespace::regnamespace::text IN ('render', 'render_2', 'render_3')
            AND c.conname LIKE '%\_not\_null' AND c.conname <> format('%s_%s_not_null', t.relname, a.attname)
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', found.table_name, found.conname, found.new_name);
    END LOOP;
END
$do$;
