-- What an image shows, for the articles that use it, and the search of the libraries.
CREATE FUNCTION ingest.words_of(text text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(string_agg(left(word, 60) || ':' || position, ' ') FILTER (WHERE word NOT IN ('', 'ªª')), '')::tsvector
    FROM regexp_split_to_table(ingest.folded(text), '[^[:alnum:]]+') WITH ORDINALITY AS split (word, position)
$$;
COMMENT ON FUNCTION ingest.words_of IS 'The words of a text, without diacritics, at their places; ªª is between pieces of which no phrase goes across.';

ALTER TABLE ingest.media
    ADD COLUMN alt text NOT NULL DEFAULT '',
    ADD COLUMN caption text NOT NULL DEFAULT '',
    ADD COLUMN credit text NOT NULL DEFAULT '',
    ADD COLUMN words tsvector GENERATED ALWAYS AS (
        ingest.words_of(file_name || ' ªª ' || alt || ' ªª ' || caption || ' ªª ' || credit)
    ) STORED;
COMMENT ON COLUMN ingest.media.alt IS 'What it shows, for the articles that will use it; caption and credit likewise.';
COMMENT ON COLUMN ingest.media.words IS 'The words of file name, alt, caption and credit, for the search of lists.';
CREATE INDEX media_words ON ingest.media USING gin (words);

ALTER TABLE ingest.files ADD COLUMN words tsvector GENERATED ALWAYS AS (ingest.words_of(name)) STORED;
COMMENT ON COLUMN ingest.files.words IS 'The words of its name, for the search of lists.';
CREATE INDEX files_words ON ingest.files USING gin (words);
