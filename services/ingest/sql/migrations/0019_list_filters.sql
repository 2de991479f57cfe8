-- Lists filter by section, tag, author, external ID and, in the audit log, by person: without an index, a value that
-- few or no articles have reads every article.
CREATE INDEX articles_section ON ingest.articles ((content ->> 'section'), number DESC);
CREATE INDEX articles_tags ON ingest.articles USING gin ((content -> 'tags'));
CREATE INDEX articles_authors ON ingest.articles USING gin ((content -> 'authors') jsonb_path_ops);
CREATE INDEX articles_external_id ON ingest.articles (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX articles_live_section ON ingest.articles ((live ->> 'section'), number DESC) WHERE live IS NOT NULL;
CREATE INDEX articles_live_tags ON ingest.articles USING gin ((live -> 'tags'));
CREATE INDEX articles_live_authors ON ingest.articles USING gin ((live -> 'authors') jsonb_path_ops);
CREATE INDEX revisions_who ON ingest.revisions (who, id DESC);
-- How many articles are public: without it, the planner expects few, and reads all that have a common tag.
CREATE STATISTICS ingest.articles_live_state ON (live ->> 'state') FROM ingest.articles;
ANALYZE ingest.articles;
