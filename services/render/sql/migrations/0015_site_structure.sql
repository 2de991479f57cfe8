-- What newsrooms edit besides articles: sections, tags, authors, menus and static pages.
DO $do$
DECLARE
    schema_name text;
BEGIN
    FOREACH schema_name IN ARRAY ARRAY['render', 'render_2', 'render_3'] LOOP
        PERFORM set_config('search_path', schema_name || ', public', true);

        CREATE TABLE structures (
            site text PRIMARY KEY,
            version bigint NOT NULL,
            content jsonb NOT NULL
        );
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
    END LOOP;
    PERFORM set_config('search_path', '"$user", public', true);
END
$do$;
