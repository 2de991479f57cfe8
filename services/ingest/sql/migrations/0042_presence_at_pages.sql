-- Presence at static pages, beside that at articles: a row is valid for 10 seconds and is deleted after a minute.
ALTER TABLE ingest.presence DROP CONSTRAINT presence_article_fkey;
COMMENT ON TABLE ingest.presence IS 'Who has an article or a static page open. A row is valid for 10 seconds; a crash of Postgres empties it.';
COMMENT ON COLUMN ingest.presence.article IS 'ID of the article or of the static page.';
