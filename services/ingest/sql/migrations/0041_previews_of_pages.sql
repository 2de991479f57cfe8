-- Preview links of static pages, beside those of articles.
ALTER TABLE ingest.previews
    ALTER COLUMN article DROP NOT NULL,
    ADD COLUMN page text REFERENCES ingest.static_pages (id) ON DELETE CASCADE,
    ADD CHECK (num_nonnulls(article, page) = 1);
COMMENT ON TABLE ingest.previews IS 'Links that show a version of an article, or a static page, in the theme of its site. Deleted 30 days after they expired.';
COMMENT ON COLUMN ingest.previews.page IS 'The static page that it shows, in place of an article.';
CREATE INDEX previews_page ON ingest.previews (page, created_at DESC);
