-- name: lock_site
-- Lists are made of all articles: two builders must not make a site's lists at the same moment.
SELECT pg_advisory_xact_lock(hashtextextended('render ' || $1, 0))

-- name: rendered_article
SELECT version, section FROM render.articles WHERE id = $1

-- name: save_article
INSERT INTO render.articles (id, site, number, section, version, state, is_public, path, listed_at, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb)
ON CONFLICT (id) DO UPDATE
SET site = EXCLUDED.site, section = EXCLUDED.section, version = EXCLUDED.version, state = EXCLUDED.state,
    is_public = EXCLUDED.is_public, path = EXCLUDED.path, listed_at = EXCLUDED.listed_at, content = EXCLUDED.content

-- name: forget_article
DELETE FROM render.articles WHERE id = $1 RETURNING site, section, version

-- name: newest
SELECT content FROM render.articles
WHERE site = $1 AND is_public AND ($2::text IS NULL OR section = $2)
ORDER BY listed_at DESC, id
LIMIT $3

-- name: public_articles
SELECT content FROM render.articles WHERE site = $1 AND is_public ORDER BY number

-- name: save_page
-- The same bytes are not written again, so a replay leaves the table as it is.
INSERT INTO render.pages (site, path, article, html, etag) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (site, path) DO UPDATE SET article = EXCLUDED.article, html = EXCLUDED.html, etag = EXCLUDED.etag
WHERE pages.etag <> EXCLUDED.etag

-- name: drop_pages_of
-- $2: the path that stays, or null.
DELETE FROM render.pages WHERE article = $1 AND path IS DISTINCT FROM $2

-- name: theme
SELECT version FROM render.themes WHERE site = $1

-- name: save_theme
INSERT INTO render.themes (site, version) VALUES ($1, $2)
ON CONFLICT (site) DO UPDATE SET version = EXCLUDED.version

-- name: page
SELECT html, etag FROM render.pages WHERE site = $1 AND path = $2

-- name: article_of_number
SELECT path, state, is_public FROM render.articles WHERE site = $1 AND number = $2
