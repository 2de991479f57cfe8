-- Views without an article count for their page, in the columns of articles. Those that are counted already stay counted
-- for the site alone, until a rebuild.
ALTER TABLE stats.offsets ADD COLUMN pages_from bigint NOT NULL DEFAULT 0;
UPDATE stats.offsets SET pages_from = next_offset, epoch = epoch + 1;
COMMENT ON COLUMN stats.offsets.pages_from IS 'Views without an article count for their page from this offset on: earlier ones were counted by a version without pages.';
COMMENT ON COLUMN stats.counts.article IS 'Article id, or the page of views without one, which begins with a slash; empty for the whole site.';
COMMENT ON TABLE stats.known_articles IS 'Article ids and pages that have counts. Views of other ones count for the site alone; only so many become known on one day.';

CREATE INDEX counts_of_pages ON stats.counts (generation, site, grain, bucket_start) WHERE starts_with(article, '/');
