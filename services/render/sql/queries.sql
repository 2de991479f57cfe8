-- name: save_article
-- An older version changes nothing, and neither does the same one: no row comes back.
INSERT INTO render.articles AS a (id, site, number, section, version, state, path, listed_at, modified_at,
                                  public_from, public_until, front_until, content, derived)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14)
ON CONFLICT (id) DO UPDATE
SET site = EXCLUDED.site, section = EXCLUDED.section, version = EXCLUDED.version, state = EXCLUDED.state,
    path = EXCLUDED.path, listed_at = EXCLUDED.listed_at, modified_at = EXCLUDED.modified_at,
    public_from = EXCLUDED.public_from, public_until = EXCLUDED.public_until, front_until = EXCLUDED.front_until,
    content = EXCLUDED.content, derived = EXCLUDED.derived
WHERE a.version < EXCLUDED.version OR (a.version = EXCLUDED.version AND a.derived <> EXCLUDED.derived)
RETURNING version

-- name: standing
-- What readers get of an article now, and the site on which it stood.
SELECT a.version, a.site, a.path, p.id IS NOT NULL AS is_public
FROM render.articles a LEFT JOIN render.public_articles p USING (id)
WHERE a.id = $1

-- name: site_of
SELECT site FROM render.articles WHERE id = $1 FOR UPDATE

-- name: forget_article
DELETE FROM render.articles WHERE id = $1 RETURNING site, version

-- name: drop_listings
DELETE FROM render.listings WHERE article = $1

-- name: drop_old_addresses
DELETE FROM render.old_addresses WHERE article = $1

-- name: drop_search
DELETE FROM render.search WHERE article = $1

-- name: drop_boundaries
DELETE FROM render.boundaries WHERE article = $1

-- name: save_listings
INSERT INTO render.listings (article, site, listed_at, number, list, name)
SELECT $1, $2, $3, $4, list, name FROM unnest($5::text[], $6::text[]) AS given (list, name)

-- name: save_old_addresses
INSERT INTO render.old_addresses (article, site, address) SELECT $1, $2, unnest($3::text[])

-- name: save_boundaries
INSERT INTO render.boundaries (article, site, at) SELECT $1, $2, unnest($3::timestamptz[])

-- name: save_search
INSERT INTO render.search (article, site, listed_at, section, title, title_words, words, pairs, marked_words)
VALUES ($1, $2, $3, $4, $5, to_tsvector('simple', $6),
    setweight(to_tsvector('simple', $6), 'A') || setweight(to_tsvector('simple', $7), 'B')
        || to_tsvector('simple', $8),
    array_to_tsvector($9::text[]), to_tsvector('simple', $10))

-- name: raise_generation
INSERT INTO render.sites AS s (site, generation, changed_at) VALUES ($1, 1, now())
ON CONFLICT (site) DO UPDATE SET generation = s.generation + 1, changed_at = greatest(s.changed_at, now())

-- name: all_ids
SELECT id FROM render.articles

-- name: forget_rules
UPDATE render.articles SET derived = 0

-- name: derived_otherwise
-- Articles whose rows were made by other rules than today's.
SELECT content FROM render.articles WHERE derived <> $1 ORDER BY id LIMIT 200

-- name: look
-- What tells whether a page is still right: it changes with each write, and when a time comes.
SELECT coalesce((SELECT generation FROM render.sites WHERE site = $1), 0) AS generation,
    greatest((SELECT changed_at FROM render.sites WHERE site = $1),
             (SELECT max(at) FROM render.boundaries WHERE site = $1 AND at <= now())) AS changed_at

-- name: article_of_number
SELECT a.path, a.state, a.content, a.public_until, p.id IS NOT NULL AS is_public
FROM render.articles a LEFT JOIN render.public_articles p USING (id)
WHERE a.site = $1 AND a.number = $2

-- name: article_of_old_address
SELECT a.path, a.state, p.id IS NOT NULL AS is_public
FROM render.old_addresses o
JOIN render.articles a ON a.id = o.article
LEFT JOIN render.public_articles p USING (id)
WHERE o.site = $1 AND o.address = ANY ($2)
ORDER BY p.id IS NULL, array_position($2, o.address), a.number
LIMIT 1

-- name: newest
SELECT content, public_until FROM render.public_articles
WHERE site = $1
ORDER BY listed_at DESC, number DESC
LIMIT $2

-- name: front
SELECT content, public_until FROM render.public_articles
WHERE site = $1 AND front_until > now()
ORDER BY (content ->> 'pinned_until')::timestamptz > now() DESC NULLS LAST, (content ->> 'priority')::integer,
    listed_at DESC, number DESC
LIMIT $2

-- name: listed
SELECT a.content, a.public_until
FROM render.listings l JOIN render.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2
ORDER BY l.listed_at DESC, l.number DESC
LIMIT $3 OFFSET $4

-- name: newer
SELECT a.content, a.public_until
FROM render.listings l JOIN render.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2 AND (l.listed_at, l.number) > ($3, $4)
ORDER BY l.listed_at, l.number
LIMIT 1

-- name: older
SELECT a.content, a.public_until
FROM render.listings l JOIN render.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2 AND (l.listed_at, l.number) < ($3, $4)
ORDER BY l.listed_at DESC, l.number DESC
LIMIT $5

-- name: related
-- Older ones that share most tags: what is published later changes no older article's page.
SELECT a.content, a.public_until
FROM (
    SELECT near.article, count(*) AS shared, max(near.listed_at) AS listed_at, max(near.number) AS number
    FROM unnest($2::text[]) AS tags (list), LATERAL (
        SELECT l.article, l.listed_at, l.number FROM render.listings l
        WHERE l.site = $1 AND l.list = tags.list AND (l.listed_at, l.number) < ($3, $4)
        ORDER BY l.listed_at DESC, l.number DESC
        LIMIT 50
    ) near
    GROUP BY near.article
) found JOIN render.public_articles a ON a.id = found.article
ORDER BY found.shared DESC, found.listed_at DESC, found.number DESC
LIMIT $5

-- name: translations
-- The public ones of an article and of what translates it.
SELECT content, public_until FROM render.public_articles
WHERE site = $1
    AND (id = $2 OR id IN (SELECT article FROM render.listings WHERE site = $1 AND list = 'translation/' || $2))
ORDER BY number

-- name: months
SELECT substr(l.list, 7, 4)::integer AS year, substr(l.list, 12, 2)::integer AS month, count(*)::integer AS articles
FROM render.listings l JOIN render.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list LIKE 'month/%'
GROUP BY l.list
ORDER BY l.list DESC

-- name: tags
SELECT (array_agg(l.name ORDER BY l.listed_at DESC, l.number DESC))[1] AS name, count(*)::integer AS articles
FROM render.listings l JOIN render.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list LIKE 'tag/%'
GROUP BY l.list
ORDER BY count(*) DESC, l.list
LIMIT $2

-- name: list_name
SELECT l.name FROM render.listings l JOIN render.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2
ORDER BY l.listed_at DESC, l.number DESC
LIMIT 1

-- name: sitemap_parts
SELECT ((number - 1) / $2)::integer AS part, max(modified_at) AS changed_at
FROM render.public_articles
WHERE site = $1
GROUP BY 1
ORDER BY 1

-- name: sitemap_part
SELECT path, modified_at, content #>> '{lead_image,image,url}' AS picture FROM render.public_articles
WHERE site = $1 AND number > $2 AND number <= $3
    AND (content -> 'seo' ->> 'noindex') IS DISTINCT FROM 'true'
    AND (content -> 'seo' ->> 'canonical') IS NULL
ORDER BY number

-- name: news
SELECT content, public_until FROM render.public_articles
WHERE site = $1 AND listed_at > now() - $2::interval AND listed_at <= now()
    AND (content ->> 'published_at') IS NOT NULL
    AND (content -> 'seo' ->> 'noindex') IS DISTINCT FROM 'true'
ORDER BY listed_at DESC, number DESC
LIMIT $3

-- name: search
-- The newest of those with the words in their title and of those with them anywhere, the fittest first.
WITH candidates AS (
    (SELECT s.article FROM render.search s JOIN render.public_articles a ON a.id = s.article
    WHERE s.site = $1 AND s.title_words @@ $2::text::tsquery
        AND ($5 = '' OR s.section = $5) AND s.listed_at >= $6 AND s.listed_at < $7
    ORDER BY s.listed_at DESC LIMIT $8)
    UNION
    (SELECT s.article FROM render.search s JOIN render.public_articles a ON a.id = s.article
    WHERE s.site = $1 AND s.words @@ $2::text::tsquery AND ($11::text IS NULL OR s.pairs @@ $11::text::tsquery)
        AND ($5 = '' OR s.section = $5) AND s.listed_at >= $6 AND s.listed_at < $7
    ORDER BY s.listed_at DESC LIMIT $8)
), ranked AS (
    SELECT s.article, s.listed_at,
        coalesce(s.marked_words @@ $4::text::tsquery, false) AS is_exact,
        (s.title_words @@ $2::text::tsquery)::integer * 4 + (s.words @@ $3::text::tsquery)::integer * 2
            + ts_rank(s.words, $2::text::tsquery) AS fitness
    FROM candidates JOIN render.search s USING (article)
)
SELECT a.content, a.public_until, count(*) OVER () AS found
FROM ranked r JOIN render.articles a ON a.id = r.article
ORDER BY is_exact DESC, fitness DESC, r.listed_at DESC, a.number DESC
LIMIT $9 OFFSET $10

-- name: search_by_date
SELECT a.content, a.public_until
FROM render.search s JOIN render.public_articles a ON a.id = s.article
WHERE s.site = $1 AND s.words @@ $2::text::tsquery AND ($8::text IS NULL OR s.pairs @@ $8::text::tsquery)
    AND ($3 = '' OR s.section = $3) AND s.listed_at >= $4 AND s.listed_at < $5
ORDER BY s.listed_at DESC, a.number DESC
LIMIT $6 OFFSET $7

-- name: prepare_search
-- How frequent the words are decides how they are best looked for: no plan fits all. Until the transaction's end.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('pg_trgm.word_similarity_threshold', '0.4', true)

-- name: search_nearest
SELECT a.content, a.public_until
FROM render.search s JOIN render.public_articles a ON a.id = s.article
WHERE s.site = $1 AND $2 <% s.title
ORDER BY word_similarity($2, s.title) DESC, s.listed_at DESC, a.number DESC
LIMIT $3
