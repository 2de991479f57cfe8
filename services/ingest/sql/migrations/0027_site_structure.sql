-- Sections, tags, authors, menus and static pages belong to the newsroom. The sites' file only seeds them.
CREATE TABLE ingest.site_structures (
    site text PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    content jsonb NOT NULL,
    seed jsonb NOT NULL,
    modified_at timestamptz NOT NULL
);
COMMENT ON TABLE ingest.site_structures IS 'The structure of each site: read, changed and sent as a whole.';
COMMENT ON COLUMN ingest.site_structures.content IS 'As in the topic site-structure, with e-mail addresses that are not public.';
COMMENT ON COLUMN ingest.site_structures.seed IS 'The sections of the sites'' file that it began with.';

CREATE TABLE ingest.static_pages (
    id text PRIMARY KEY,
    site text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    slug text NOT NULL,
    content jsonb NOT NULL,
    live jsonb,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    modified_by text NOT NULL,
    UNIQUE (site, slug)
);
COMMENT ON TABLE ingest.static_pages IS 'Pages that are no articles.';
COMMENT ON COLUMN ingest.static_pages.content IS 'The working copy, which editors change.';
COMMENT ON COLUMN ingest.static_pages.live IS 'As last sent to the topic site-structure; null: never public.';

CREATE TABLE ingest.article_terms (
    article text NOT NULL REFERENCES ingest.articles (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('section', 'tag', 'author')),
    name text NOT NULL,
    site text NOT NULL,
    is_public boolean NOT NULL,
    PRIMARY KEY (article, kind, name)
);
COMMENT ON TABLE ingest.article_terms IS 'The sections, tags and authors that any copy of an article names, as it spells them. A trigger keeps it.';
COMMENT ON COLUMN ingest.article_terms.is_public IS 'The published copy names it.';
CREATE INDEX article_terms_name ON ingest.article_terms (site, kind, name) INCLUDE (is_public);

CREATE FUNCTION ingest.terms_of(content jsonb) RETURNS TABLE (kind text, name text)
LANGUAGE sql IMMUTABLE AS $$
    SELECT 'section', content ->> 'section' WHERE content ->> 'section' <> ''
    UNION
    SELECT 'section', jsonb_array_elements_text(coalesce(content -> 'also_in', '[]'))
    UNION
    SELECT 'tag', jsonb_array_elements_text(coalesce(content -> 'tags', '[]'))
    UNION
    SELECT 'author', jsonb_array_elements(coalesce(content -> 'authors', '[]')) ->> 'name'
$$;
COMMENT ON FUNCTION ingest.terms_of IS 'The sections, tags and authors of one copy of an article.';

CREATE FUNCTION ingest.save_article_terms() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    WITH named AS (
        SELECT kind, name, bool_or(is_public) AS is_public FROM (
            SELECT kind, name, false AS is_public FROM ingest.terms_of(NEW.content)
            UNION ALL
            SELECT kind, name, NEW.live ->> 'state' = 'published' FROM ingest.terms_of(NEW.live)
        ) copies
        WHERE name <> ''
        GROUP BY kind, name
    ), removed AS (
        DELETE FROM ingest.article_terms t
        WHERE t.article = NEW.id AND NOT EXISTS (SELECT FROM named n WHERE n.kind = t.kind AND n.name = t.name)
    )
    INSERT INTO ingest.article_terms AS t (article, kind, name, site, is_public)
    SELECT NEW.id, kind, name, NEW.site, is_public FROM named
    ON CONFLICT (article, kind, name) DO UPDATE SET is_public = EXCLUDED.is_public
    WHERE t.is_public <> EXCLUDED.is_public;
    RETURN NULL;
END
$$;
CREATE TRIGGER save_article_terms AFTER INSERT OR UPDATE OF content, live ON ingest.articles
FOR EACH ROW EXECUTE FUNCTION ingest.save_article_terms();
COMMENT ON TRIGGER save_article_terms ON ingest.articles IS 'So that sections, tags and authors are counted without reading articles.';

INSERT INTO ingest.article_terms (article, kind, name, site, is_public)
SELECT a.id, t.kind, t.name, a.site, bool_or(t.is_public)
FROM ingest.articles a, LATERAL (
    SELECT kind, name, false AS is_public FROM ingest.terms_of(a.content)
    UNION ALL
    SELECT kind, name, a.live ->> 'state' = 'published' FROM ingest.terms_of(a.live)
) t
WHERE t.name <> ''
GROUP BY a.id, t.kind, t.name, a.site;

GRANT SELECT, INSERT, UPDATE ON ingest.site_structures, ingest.static_pages TO presstally_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.article_terms TO presstally_ingest;
