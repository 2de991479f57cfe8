-- Statements of the structure of sites: services/ingest/structure/.

-- name: structure_versions
SELECT site, version FROM ingest.site_structures

-- name: structures
SELECT content FROM ingest.site_structures WHERE site = ANY ($1)

-- name: structure
SELECT version, content, seed FROM ingest.site_structures WHERE site = $1

-- name: structure_for_update
SELECT version, content, seed FROM ingest.site_structures WHERE site = $1 FOR UPDATE

-- name: insert_structure
-- Of several replicas that seed a site, one does.
INSERT INTO ingest.site_structures (site, version, content, seed, modified_at) VALUES ($1, $2, $3::jsonb, $4::jsonb, $5)
ON CONFLICT DO NOTHING
RETURNING site

-- name: update_structure
UPDATE ingest.site_structures SET version = $2, content = $3::jsonb, modified_at = $4 WHERE site = $1 AND version = $5
RETURNING site

-- name: take_over_structure
-- From the topic: only a newer one.
INSERT INTO ingest.site_structures AS s (site, version, content, seed, modified_at)
VALUES ($1, $2, $3::jsonb, '[]', $4)
ON CONFLICT (site) DO UPDATE
SET version = EXCLUDED.version, content = EXCLUDED.content, modified_at = EXCLUDED.modified_at
WHERE s.version < EXCLUDED.version
RETURNING site

-- name: structure_contents
SELECT site, version, content FROM ingest.site_structures

-- name: database_milliseconds
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint

-- name: term_counts
-- $3: names; null: all. How many articles name each, and how many of these are public with it.
SELECT name, count(*) AS articles, count(*) FILTER (WHERE is_public) AS public_articles
FROM ingest.article_terms
WHERE site = $1 AND kind = $2 AND ($3::text[] IS NULL OR name = ANY ($3))
GROUP BY name

-- name: count_articles_of_terms
SELECT count(DISTINCT article) AS articles FROM ingest.article_terms WHERE site = $1 AND kind = $2 AND name = ANY ($3)

-- name: static_page
SELECT id, site, version, slug, content, live, created_at, modified_at, modified_by FROM ingest.static_pages
WHERE id = $1 AND NOT content @> '{"is_deleted": true}'

-- name: static_page_for_update
SELECT id, site, version, slug, content, live, created_at, modified_at, modified_by FROM ingest.static_pages
WHERE id = $1 AND NOT content @> '{"is_deleted": true}' FOR UPDATE

-- name: static_pages
SELECT id, site, version, slug, content, live, created_at, modified_at, modified_by FROM ingest.static_pages
WHERE site = $1 AND NOT content @> '{"is_deleted": true}'
ORDER BY content ->> 'title', id

-- name: lock_static_pages
SELECT pg_advisory_xact_lock(hashtextextended($1, hashtextextended('ingest.static_pages', 0)))

-- name: static_page_of_slug
-- Another page than $3 that has the slug in its working copy, or that readers find there.
SELECT id FROM ingest.static_pages
WHERE site = $1 AND id <> $3 AND (slug = $2 OR (live ->> 'slug' = $2 AND live ->> 'state' = 'published'))
LIMIT 1

-- name: page_uses_of_media
-- Static pages of which the working or the public copy refers to one of some images and files.
SELECT wanted.site, wanted.media, p.id, p.content ->> 'title' AS title,
    coalesce(p.live ->> 'state' = 'published' AND ingest.media_of(p.live) ? wanted.media, false) AS is_live
FROM unnest($1::text[], $2::text[]) AS wanted (site, media)
JOIN ingest.static_pages p ON p.site = wanted.site
    AND (ingest.media_of(p.content) ? wanted.media
        OR (p.live ->> 'state' = 'published' AND ingest.media_of(p.live) ? wanted.media))
ORDER BY title, p.id

-- name: count_static_pages
SELECT count(*) FROM ingest.static_pages WHERE site = $1 AND NOT content @> '{"is_deleted": true}'

-- name: insert_static_page
INSERT INTO ingest.static_pages (id, site, version, slug, content, live, created_at, modified_at, modified_by)
VALUES ($1, $2, $3, $4, $5::jsonb, NULL, $6, $6, $7)

-- name: update_static_page
UPDATE ingest.static_pages
SET version = $2, slug = $3, content = $4::jsonb, live = $5::jsonb, modified_at = $6, modified_by = $7
WHERE id = $1 AND version = $8
RETURNING id

-- name: delete_static_page
-- What stays, without its text, tells the topic and a rebuild that its addresses are gone. Its slug is free.
UPDATE ingest.static_pages
SET version = $2, slug = id, content = $3::jsonb, live = $4::jsonb, modified_at = $5, modified_by = $6
WHERE id = $1 AND version = $7
RETURNING id

-- name: end_previews_of_page
UPDATE ingest.previews SET revoked_at = clock_timestamp() WHERE page = $1 AND revoked_at IS NULL

-- name: take_over_static_page
-- From the topic: only a newer one. A slug that another page has meanwhile is no error: the id takes its place. So it
-- does for a page that was deleted.
INSERT INTO ingest.static_pages AS p (id, site, version, slug, content, live, created_at, modified_at, modified_by)
VALUES (
    $1, $2, $3,
    CASE WHEN $5::jsonb @> '{"is_deleted": true}'
        OR EXISTS (SELECT FROM ingest.static_pages o WHERE o.site = $2 AND o.slug = $4 AND o.id <> $1) THEN $1 ELSE $4 END,
    $5::jsonb, $5::jsonb, $6, $6, $7
)
ON CONFLICT (id) DO UPDATE
SET version = EXCLUDED.version, slug = EXCLUDED.slug, content = EXCLUDED.content, live = EXCLUDED.live,
    modified_at = EXCLUDED.modified_at, modified_by = EXCLUDED.modified_by
WHERE coalesce((p.live ->> 'version')::bigint, 0) < EXCLUDED.version AND p.version < EXCLUDED.version
RETURNING id

-- name: live_static_pages
SELECT id, live FROM ingest.static_pages WHERE live IS NOT NULL ORDER BY id

-- name: move_section_grants
-- Rights in the section $2 of a site become rights in $3.
WITH former AS (
    DELETE FROM ingest.person_grants WHERE site = $1 AND section = $2 RETURNING person, scope
)
INSERT INTO ingest.person_grants (person, scope, site, section) SELECT person, scope, $1, $3 FROM former
ON CONFLICT DO NOTHING

-- name: term_counts_by_slug
-- $3, $4: names, and the slug of each. An article with two names of a slug counts once.
SELECT g.slug, count(DISTINCT t.article) AS articles,
    count(DISTINCT t.article) FILTER (WHERE t.is_public) AS public_articles
FROM unnest($3::text[], $4::text[]) AS g (name, slug)
JOIN ingest.article_terms t ON t.site = $1 AND t.kind = $2 AND t.name = g.name
GROUP BY g.slug

-- name: front_page_articles
-- Articles of a site by their ids, without their bodies.
SELECT a.id, a.content || '{"body": []}' AS content, a.live || '{"body": []}' AS live, a.author, a.author_token,
       a.schedule_error, a.scheduled || '{"body": []}' AS scheduled, '{}' AS live_changes, NULL AS refusal,
       false AS is_discarded
FROM ingest.articles a WHERE a.site = $1 AND a.id = ANY ($2) AND a.discarded_at IS NULL

-- name: front_page_candidates
-- Of a site: the newest public articles ($3: how many), those that are pinned or featured, and those due until $2.
SELECT a.id, a.content || '{"body": []}' AS content, a.live || '{"body": []}' AS live, a.author, a.author_token,
       a.schedule_error, a.scheduled || '{"body": []}' AS scheduled, '{}' AS live_changes, NULL AS refusal,
       false AS is_discarded
FROM ingest.articles a
WHERE a.site = $1 AND a.discarded_at IS NULL AND a.id IN (
    (SELECT n.id FROM ingest.articles n
    WHERE n.site = $1 AND n.live ->> 'state' = 'published'
    ORDER BY coalesce(n.content ->> 'published_at', '') DESC, n.number DESC LIMIT $3)
    UNION ALL
    (SELECT p.id FROM ingest.articles p
    WHERE p.site = $1 AND (p.live ->> 'pinned_until' IS NOT NULL OR p.live ->> 'featured_until' IS NOT NULL)
    ORDER BY greatest(p.live ->> 'pinned_until', p.live ->> 'featured_until') DESC LIMIT $3)
    UNION ALL
    (SELECT d.id FROM ingest.articles d WHERE d.site = $1 AND d.scheduled_for <= $2 ORDER BY d.scheduled_for DESC LIMIT $3)
)
