-- Titles are searched by their words without diacritics, in an index.
CREATE FUNCTION ingest.title_words(title text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_remove(regexp_split_to_array(
        regexp_replace(lower(normalize(translate(coalesce(title, ''), 'đĐ', 'dd'), NFD)), '[\u0300-\u036f]', '', 'g'),
        '[^[:alnum:]]+'), ''))
$$;
COMMENT ON FUNCTION ingest.title_words IS 'The words of a title, in lower case and without diacritics.';
ALTER TABLE ingest.articles
    ADD COLUMN title_words tsvector GENERATED ALWAYS AS (ingest.title_words(title)) STORED,
    ADD COLUMN live_title_words tsvector GENERATED ALWAYS AS (ingest.title_words(live ->> 'title')) STORED;
CREATE INDEX articles_title_words ON ingest.articles USING gin (title_words);
CREATE INDEX articles_live_title_words ON ingest.articles USING gin (live_title_words);
