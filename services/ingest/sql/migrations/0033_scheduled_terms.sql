-- The scheduled copy of an article names sections, tags and authors, too; a discarded draft names none.
CREATE OR REPLACE FUNCTION ingest.save_article_terms() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    WITH named AS (
        SELECT kind, name, bool_or(is_public) AS is_public FROM (
            SELECT kind, name, false AS is_public FROM ingest.terms_of(NEW.content)
            UNION ALL
            SELECT kind, name, false FROM ingest.terms_of(NEW.scheduled)
            UNION ALL
            SELECT kind, name, coalesce(NEW.live ->> 'state' = 'published', false) FROM ingest.terms_of(NEW.live)
        ) copies
        WHERE name <> '' AND NEW.discarded_at IS NULL
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
DROP TRIGGER save_article_terms ON ingest.articles;
CREATE TRIGGER save_article_terms AFTER UPDATE OF content, live, scheduled, discarded_at ON ingest.articles
FOR EACH ROW EXECUTE FUNCTION ingest.save_article_terms();
COMMENT ON TRIGGER save_article_terms ON ingest.articles IS 'So that sections, tags and authors are counted without reading articles.';

CREATE FUNCTION ingest.add_article_terms() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO ingest.article_terms (article, kind, name, site, is_public)
    SELECT a.id, t.kind, t.name, a.site, bool_or(t.is_public)
    FROM added a, LATERAL (
        SELECT kind, name, false AS is_public FROM ingest.terms_of(a.content)
        UNION ALL
        SELECT kind, name, false FROM ingest.terms_of(a.scheduled)
        UNION ALL
        SELECT kind, name, coalesce(a.live ->> 'state' = 'published', false) FROM ingest.terms_of(a.live)
    ) t
    WHERE t.name <> '' AND a.discarded_at IS NULL
    GROUP BY a.id, t.kind, t.name, a.site;
    RETURN NULL;
END
$$;
CREATE TRIGGER add_article_terms AFTER INSERT ON ingest.articles REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION ingest.add_article_terms();
COMMENT ON TRIGGER add_article_terms ON ingest.articles IS 'The same for new articles, all of a statement at once.';

INSERT INTO ingest.article_terms (article, kind, name, site, is_public)
SELECT a.id, t.kind, t.name, a.site, false FROM ingest.articles a, LATERAL ingest.terms_of(a.scheduled) t
WHERE a.scheduled IS NOT NULL AND t.name <> ''
ON CONFLICT DO NOTHING;
DELETE FROM ingest.article_terms t USING ingest.articles a WHERE a.id = t.article AND a.discarded_at IS NOT NULL;
