-- The articles that their own fields place on the front page, for its order at a time.
CREATE INDEX articles_placed ON ingest.articles (site)
WHERE live ->> 'pinned_until' IS NOT NULL OR live ->> 'featured_until' IS NOT NULL;
