-- Lists of articles are sorted by more than their number, counted by state, and searched in titles, texts and tags.
CREATE FUNCTION ingest.folded(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(
        regexp_replace(lower(normalize(translate(coalesce(words, ''), 'đĐı', 'ddi'), NFD)), '[\u0300-\u036f]', '', 'g'),
        'ß', 'ss')
$$;
COMMENT ON FUNCTION ingest.folded IS 'A text in lower case and without diacritics, whatever its Unicode normal form is.';

-- ªª is between two pieces of text, so that no phrase is found across them.
CREATE FUNCTION ingest.article_words(article jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH pieces (place, piece) AS (
        SELECT 1, article ->> 'title'
        UNION ALL SELECT 2, article ->> 'kicker'
        UNION ALL SELECT 3, article ->> 'subtitle'
        UNION ALL SELECT 4, article ->> 'lead'
        UNION ALL SELECT 5, one #>> '{}' FROM jsonb_path_query(article, 'lax $.tags[*]') AS one
        UNION ALL
        SELECT 6, regexp_replace(regexp_replace(one #>> '{}', '<br[^>]*>|&#?\w+;', ' ', 'g'), '<[^>]*>', '', 'g')
        FROM jsonb_path_query(article, 'strict $.body.** ? (@.type() == "object" && exists(@.html)).html', silent => true) AS one
        UNION ALL
        SELECT 7, regexp_replace(regexp_replace(one #>> '{}', '<br[^>]*>|&#?\w+;', ' ', 'g'), '<[^>]*>', '', 'g')
        FROM jsonb_path_query(article, 'lax $.body[*].paragraphs[*]') AS one
        UNION ALL
        SELECT 8, one #>> '{}'
        FROM jsonb_path_query(article, 'strict $.** ? (@.type() == "object" && exists(@.caption)).caption', silent => true) AS one
        UNION ALL
        SELECT 9, one #>> '{}' FROM jsonb_path_query(article, 'lax $.body[*] ? (@.type == "file").name') AS one
    )
    SELECT coalesce(string_agg(left(word, 60) || ':' || position, ' ') FILTER (WHERE word NOT IN ('', 'ªª')), '')::tsvector
    FROM regexp_split_to_table(
        (SELECT ingest.folded(left(string_agg(piece, ' ªª ' ORDER BY place), 60000)) FROM pieces WHERE piece <> ''),
        '[^[:alnum:]]+'
    ) WITH ORDINALITY AS split (word, position)
$$;
COMMENT ON FUNCTION ingest.article_words IS 'The words of the first 60,000 characters of title, lead, tags and text of an article, without diacritics, at their places.';

CREATE TABLE ingest.article_words (
    article text PRIMARY KEY REFERENCES ingest.articles (id),
    words tsvector NOT NULL
);
COMMENT ON TABLE ingest.article_words IS 'The words of working versions, for the search of lists; a trigger keeps them.';
CREATE INDEX article_words_words ON ingest.article_words USING gin (words);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.article_words TO presstally_ingest;

CREATE FUNCTION ingest.keep_article_words() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    field text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        FOREACH field IN ARRAY ARRAY['title', 'kicker', 'subtitle', 'lead', 'tags', 'lead_image', 'body', NULL] LOOP
            IF field IS NULL THEN
                RETURN NULL;
            END IF;
            EXIT WHEN OLD.content -> field IS DISTINCT FROM NEW.content -> field;
        END LOOP;
    END IF;
    INSERT INTO ingest.article_words VALUES (NEW.id, ingest.article_words(NEW.content))
    ON CONFLICT (article) DO UPDATE SET words = EXCLUDED.words;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_article_words AFTER INSERT OR UPDATE OF content ON ingest.articles
FOR EACH ROW EXECUTE FUNCTION ingest.keep_article_words();
COMMENT ON TRIGGER keep_article_words ON ingest.articles IS 'So that no change of a text misses the search.';
-- The site is the last column: a list of one site reads no rows of others.
CREATE INDEX articles_by_state ON ingest.articles (state, number, site);
CREATE INDEX articles_by_modified ON ingest.articles (modified_at, number, site);
CREATE INDEX articles_by_created ON ingest.articles (created_at, number, site);
CREATE INDEX articles_by_due ON ingest.articles (
    coalesce(publish_due_at, '9999-12-31T00:00:00Z'::timestamptz), number, site
);
CREATE INDEX articles_by_published ON ingest.articles (coalesce(content ->> 'published_at', ''), number, site);
CREATE INDEX articles_by_title ON ingest.articles (left(ingest.folded(title), 60), number, site);
-- Who wrote articles: the index alone answers which are somebody's own.
CREATE INDEX revisions_writers ON ingest.revisions (who, article)
WHERE action IN ('create', 'edit', 'restore', 'import');
CREATE INDEX revisions_writer_ids ON ingest.revisions (token, article)
WHERE action IN ('create', 'edit', 'restore', 'import');
