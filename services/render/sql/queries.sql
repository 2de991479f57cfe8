-- "generation." stands for the schema of a generation: render, render_2 or render_3 (see schema.sql).

-- name: save_article
-- An older version changes nothing, and neither does the same one: no row comes back.
INSERT INTO generation.articles AS a (id, site, number, section, version, state, path, listed_at, modified_at,
                                  public_from, public_until, front_until, content, derived)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14)
ON CONFLICT (id) DO UPDATE
SET site = EXCLUDED.site, section = EXCLUDED.section, version = EXCLUDED.version, state = EXCLUDED.state,
    path = EXCLUDED.path, listed_at = EXCLUDED.listed_at, modified_at = EXCLUDED.modified_at,
    public_from = EXCLUDED.public_from, public_until = EXCLUDED.public_until, front_until = EXCLUDED.front_until,
    content = EXCLUDED.content, derived = EXCLUDED.derived
WHERE a.version < EXCLUDED.version OR (a.version = EXCLUDED.version AND a.derived <> EXCLUDED.derived)
RETURNING id

-- name: standing
-- What readers get of an article now.
SELECT a.version, a.site, a.path, p.id IS NOT NULL AS is_public
FROM generation.articles a LEFT JOIN generation.public_articles p USING (id)
WHERE a.id = $1

-- name: site_of
SELECT site FROM generation.articles WHERE id = $1 FOR UPDATE

-- name: forget_articles
DELETE FROM generation.articles WHERE id = ANY ($1) RETURNING site, version

-- name: drop_listings
DELETE FROM generation.listings WHERE article = ANY ($1)

-- name: drop_old_addresses
DELETE FROM generation.old_addresses WHERE article = ANY ($1)

-- name: drop_search
DELETE FROM generation.search WHERE article = ANY ($1)

-- name: drop_boundaries
DELETE FROM generation.boundaries WHERE article = ANY ($1)

-- name: save_listings
INSERT INTO generation.listings (article, site, listed_at, number, list, name)
SELECT $1, $2, $3, $4, list, name FROM unnest($5::text[], $6::text[]) AS given (list, name)

-- name: save_old_addresses
INSERT INTO generation.old_addresses (article, site, address) SELECT $1, $2, unnest($3::text[])

-- name: save_boundaries
INSERT INTO generation.boundaries (article, site, at) SELECT $1, $2, unnest($3::timestamptz[])

-- name: save_search
INSERT INTO generation.search (article, site, listed_at, section, title, title_words, words, pairs, marked_words)
VALUES ($1, $2, $3, $4, $5, to_tsvector('simple', $6),
    setweight(to_tsvector('simple', $6), 'A') || setweight(to_tsvector('simple', $7), 'B')
        || to_tsvector('simple', $8),
    array_to_tsvector($9::text[]), to_tsvector('simple', $10))

-- name: raise_generation
INSERT INTO render.sites AS s (site, generation, changed_at) VALUES ($1, 1, now())
ON CONFLICT (site) DO UPDATE SET generation = s.generation + 1, changed_at = greatest(s.changed_at, now())

-- name: derived_otherwise
-- Articles whose rows were made by other rules than today's, some at a time.
SELECT id, content FROM generation.articles WHERE derived <> $1 AND id > $2 ORDER BY id LIMIT 100

-- name: look
-- What tells whether a page is still right: it changes with each write, and when a time comes. And which generation
-- readers get: if it is not the one that was asked, ask that one.
SELECT (SELECT place FROM render.generations WHERE state = 'live') AS place,
    (SELECT number FROM render.generations WHERE state = 'live') AS number,
    coalesce((SELECT generation FROM render.sites WHERE site = $1), 0) AS generation,
    greatest((SELECT changed_at FROM render.sites WHERE site = $1),
             (SELECT max(at) FROM generation.boundaries WHERE site = $1 AND at <= now())) AS changed_at

-- name: looks
-- The same of all sites that ever had an article.
SELECT (SELECT place FROM render.generations WHERE state = 'live') AS place, s.site, s.generation,
    greatest(s.changed_at,
             (SELECT max(b.at) FROM generation.boundaries b WHERE b.site = s.site AND b.at <= now())) AS changed_at
FROM render.sites s

-- name: withdrawn
-- Those of the given articles that readers may not see now.
SELECT given.id FROM unnest($1::text[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM generation.public_articles p WHERE p.id = given.id)

-- name: articles_of_numbers
SELECT a.id, a.number, a.path, a.state, a.content, a.public_until, p.id IS NOT NULL AS is_public
FROM generation.articles a LEFT JOIN generation.public_articles p USING (id)
WHERE a.site = $1 AND a.number = ANY ($2)

-- name: article_of_old_address
SELECT a.path, a.state, p.id IS NOT NULL AS is_public
FROM generation.old_addresses o
JOIN generation.articles a ON a.id = o.article
LEFT JOIN generation.public_articles p USING (id)
WHERE o.site = $1 AND o.address = ANY ($2)
ORDER BY p.id IS NULL, array_position($2, o.address), a.number
LIMIT 1

-- name: newest
SELECT content, public_until FROM generation.public_articles
WHERE site = $1
ORDER BY listed_at DESC, number DESC
LIMIT $2

-- name: front
SELECT content, public_until FROM generation.public_articles
WHERE site = $1 AND front_until > now()
ORDER BY (content ->> 'pinned_until')::timestamptz > now() DESC NULLS LAST, (content ->> 'priority')::integer,
    listed_at DESC, number DESC
LIMIT $2

-- name: listed
-- $5: with their contents. Who reads many pages reads each content once.
SELECT a.id, CASE WHEN $5 THEN a.content END AS content, a.public_until
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2
ORDER BY l.listed_at DESC, l.number DESC
LIMIT $3 OFFSET $4

-- name: around
-- What stands around each of the given articles: the next newer of its section, the next older ones, and older ones
-- that share most tags (what is published later changes no older article's page), and what says the same in another
-- language. The last of a kind first to last by (shared, listed_at, number); $8 as above.
SELECT given.n::integer AS n, near.kind, near.shared, near.listed_at, near.number,
    a.id, CASE WHEN $8 THEN a.content END AS content, a.public_until
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[])
        WITH ORDINALITY AS given (section, at, number, tags, original, n),
    LATERAL (
        (SELECT 'newer' AS kind, 0 AS shared, l.article, l.listed_at, l.number
        FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
        WHERE l.site = $1 AND l.list = given.section AND (l.listed_at, l.number) > (given.at, given.number)
        ORDER BY l.listed_at, l.number
        LIMIT 1)
        UNION ALL
        (SELECT 'older', 0, l.article, l.listed_at, l.number
        FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
        WHERE l.site = $1 AND l.list = given.section AND (l.listed_at, l.number) < (given.at, given.number)
        ORDER BY l.listed_at DESC, l.number DESC
        LIMIT $7 + 1)
        UNION ALL
        (SELECT 'related', found.shared, found.article, found.listed_at, found.number
        FROM (
            SELECT tagged.article, count(*)::integer AS shared,
                max(tagged.listed_at) AS listed_at, max(tagged.number) AS number
            FROM unnest(string_to_array(given.tags, ' ')) AS tags (list), LATERAL (
                SELECT l.article, l.listed_at, l.number FROM generation.listings l
                WHERE l.site = $1 AND l.list = tags.list AND (l.listed_at, l.number) < (given.at, given.number)
                ORDER BY l.listed_at DESC, l.number DESC
                LIMIT 50
            ) tagged
            GROUP BY tagged.article
        ) found JOIN generation.public_articles a ON a.id = found.article
        ORDER BY found.shared DESC, found.listed_at DESC, found.number DESC
        LIMIT $7)
        UNION ALL
        (SELECT 'translation', 0, a.id, a.listed_at, a.number
        FROM generation.public_articles a
        WHERE a.site = $1 AND a.id = given.original)
        UNION ALL
        (SELECT 'translation', 0, l.article, l.listed_at, l.number
        FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
        WHERE l.site = $1 AND l.list = 'translation/' || given.original)
    ) near
    JOIN generation.articles a ON a.id = near.article

-- name: contents
SELECT id, content FROM generation.articles WHERE id = ANY ($1)

-- name: whole_articles
-- Every public article of a site, so that neighbours stand together.
SELECT number, path FROM generation.public_articles
WHERE site = $1
ORDER BY section, listed_at DESC, number DESC

-- name: whole_lists
SELECT l.list, count(*)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1
GROUP BY l.list
ORDER BY l.list

-- name: whole_old_addresses
-- Former addresses, each with the article that it leads to: as article_of_old_address chooses it.
SELECT DISTINCT ON (o.address) o.address, a.path, a.state, p.id IS NOT NULL AS is_public
FROM generation.old_addresses o
JOIN generation.articles a ON a.id = o.article
LEFT JOIN generation.public_articles p USING (id)
WHERE o.site = $1
ORDER BY o.address, p.id IS NULL, a.number

-- name: whole_gone
-- Addresses of articles that are not for readers any more.
SELECT a.path, a.state FROM generation.articles a LEFT JOIN generation.public_articles p USING (id)
WHERE a.site = $1 AND p.id IS NULL
ORDER BY a.number

-- name: months
SELECT substr(l.list, 7, 4)::integer AS year, substr(l.list, 12, 2)::integer AS month, count(*)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list LIKE 'month/%'
GROUP BY l.list
ORDER BY l.list DESC

-- name: tags
SELECT (array_agg(l.name ORDER BY l.listed_at DESC, l.number DESC))[1] AS name, count(*)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list LIKE 'tag/%'
GROUP BY l.list
ORDER BY count(*) DESC, l.list
LIMIT $2

-- name: list_name
SELECT l.name FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2
ORDER BY l.listed_at DESC, l.number DESC
LIMIT 1

-- name: sitemap_parts
SELECT ((number - 1) / $2)::integer AS part, max(modified_at) AS changed_at
FROM generation.public_articles
WHERE site = $1
GROUP BY 1
ORDER BY 1

-- name: sitemap_part
SELECT path, modified_at, content #>> '{lead_image,image,url}' AS picture FROM generation.public_articles
WHERE site = $1 AND number > $2 AND number <= $3
    AND (content -> 'seo' ->> 'noindex') IS DISTINCT FROM 'true'
    AND (content -> 'seo' ->> 'canonical') IS NULL
ORDER BY number

-- name: news
SELECT content, public_until FROM generation.public_articles
WHERE site = $1 AND listed_at > now() - $2::interval AND listed_at <= now()
    AND (content ->> 'published_at') IS NOT NULL
    AND (content -> 'seo' ->> 'noindex') IS DISTINCT FROM 'true'
ORDER BY listed_at DESC, number DESC
LIMIT $3

-- name: search
-- The newest of those with the words in their title and of those with them anywhere, the fittest first.
-- $2 and $3 are what indexes find: words and pairs of words, null if there are none; $4 is the whole query, and $14
-- tells whether it says no more than these; $5 all words together; $6 words with marks; $7 section, $8 since, $9 until;
-- $10 most to be ranked. Few that fit ($11) are found by an index and put in order. Of more, the newest are found by
-- looking through all from the newest on: the function behind the operator @@ keeps the planner from the index.
WITH fitting AS MATERIALIZED (
    SELECT s.article, s.listed_at FROM generation.search s
    WHERE s.site = $1
        AND ($2::text IS NULL OR s.words @@ $2::text::tsquery) AND ($3::text IS NULL OR s.pairs @@ $3::text::tsquery)
        AND ($7 = '' OR s.section = $7) AND s.listed_at >= $8 AND s.listed_at < $9
), few AS MATERIALIZED (
    SELECT * FROM fitting LIMIT $11 + 1
), are_few AS MATERIALIZED (
    SELECT count(*) <= $11 AS yes FROM few
), candidates AS (
    (SELECT s.article FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
    WHERE s.site = $1 AND s.title_words @@ $4::text::tsquery AND ($14 OR s.words @@ $4::text::tsquery)
        AND ($7 = '' OR s.section = $7) AND s.listed_at >= $8 AND s.listed_at < $9
    ORDER BY s.listed_at DESC LIMIT $10)
    UNION
    (SELECT s.article FROM (SELECT * FROM few WHERE (SELECT yes FROM are_few) ORDER BY listed_at DESC) newest
    JOIN generation.public_articles a ON a.id = newest.article JOIN generation.search s ON s.article = newest.article
    WHERE $14 OR s.words @@ $4::text::tsquery
    ORDER BY newest.listed_at DESC LIMIT $10)
    UNION
    (SELECT s.article FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
    WHERE NOT (SELECT yes FROM are_few) AND s.site = $1 AND ts_match_vq(s.words, $4::text::tsquery)
        AND ($7 = '' OR s.section = $7) AND s.listed_at >= $8 AND s.listed_at < $9
    ORDER BY s.listed_at DESC LIMIT $10)
), ranked AS (
    SELECT s.article, s.listed_at,
        coalesce(s.marked_words @@ $6::text::tsquery, false) AS is_exact,
        (s.title_words @@ $4::text::tsquery)::integer * 4 + (body.words @@ $5::text::tsquery)::integer * 2
            + ts_rank(body.words, $4::text::tsquery) AS fitness
    FROM candidates JOIN generation.search s USING (article),
        LATERAL (SELECT s.words || '' AS words OFFSET 0) body  -- unpacked once, and not for each question
)
SELECT a.content, a.public_until, count(*) OVER () AS found
FROM ranked r JOIN generation.articles a ON a.id = r.article
ORDER BY is_exact DESC, fitness DESC, r.listed_at DESC, a.number DESC
LIMIT $12 OFFSET $13

-- name: search_by_date
SELECT a.content, a.public_until
FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
WHERE s.site = $1
    AND ($2::text IS NULL OR s.words @@ $2::text::tsquery) AND ($3::text IS NULL OR s.pairs @@ $3::text::tsquery)
    AND ($10 OR s.words @@ $4::text::tsquery)
    AND ($5 = '' OR s.section = $5) AND s.listed_at >= $6 AND s.listed_at < $7
ORDER BY s.listed_at DESC, a.number DESC
LIMIT $8 OFFSET $9

-- name: prepare_search
-- Until the transaction's end: how frequent the words are decides how they are best looked for, so that no plan fits
-- all; and to read a row's words is far dearer than Postgres thinks, so that only an index may be asked for them.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('enable_seqscan', 'off', true),
    set_config('max_parallel_workers_per_gather', '0', true),
    set_config('jit', 'off', true)

-- name: set_likeness
SELECT set_config('pg_trgm.word_similarity_threshold', $1, true)

-- name: search_nearest
WITH near AS MATERIALIZED (
    SELECT s.article, s.listed_at, word_similarity($2, s.title) AS likeness
    FROM generation.search s
    WHERE s.site = $1 AND $2 <% s.title
    ORDER BY likeness DESC, s.listed_at DESC
    LIMIT 20 * $3
)
SELECT a.content, a.public_until
FROM near n JOIN generation.public_articles a ON a.id = n.article
ORDER BY n.likeness DESC, n.listed_at DESC, a.number DESC
LIMIT $3

-- name: generations
SELECT place, state, number, made_at, orphans FROM render.generations ORDER BY place

-- name: hold_swaps_off
-- Whoever writes to the live generation holds this until the end of the transaction; a swap waits for all of them.
SELECT pg_advisory_xact_lock_shared(6776174)

-- name: hold_writers_off
SELECT pg_advisory_xact_lock(6776174)

-- name: end_soon_if_frozen
-- Builders wait for a swap: one that was frozen must not hold them.
SELECT set_config('idle_in_transaction_session_timeout', '5s', true)

-- name: live_place
SELECT place FROM render.generations WHERE state = 'live'

-- name: ids
SELECT id FROM generation.articles

-- name: empty
TRUNCATE generation.articles, generation.listings, generation.old_addresses, generation.search, generation.boundaries

-- name: analyze
SELECT render.analyze_generation($1)

-- name: retire_former
UPDATE render.generations SET state = 'spare', orphans = '{}' WHERE state = 'former'

-- name: make_former
UPDATE render.generations SET state = 'former', orphans = $1 WHERE state = 'live'

-- name: make_live
UPDATE render.generations
SET state = 'live', orphans = '{}', made_at = now(), number = 1 + (SELECT max(number) FROM render.generations)
WHERE place = $1

-- name: raise_all_generations
INSERT INTO render.sites AS s (site, generation, changed_at)
SELECT site, 1, now() FROM (SELECT site FROM render.sites UNION SELECT site FROM generation.articles) every
ON CONFLICT (site) DO UPDATE SET generation = s.generation + 1, changed_at = greatest(s.changed_at, now())

-- name: text_has
SELECT EXISTS (
    SELECT FROM generation.articles
    WHERE site = $1 AND path = $2 AND position($3 IN replace(content::text, '&amp;', '&')) > 0
)
