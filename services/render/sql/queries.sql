-- "generation." is replaced by the schema of a generation: render, render_2 or render_3 (see schema.sql).

-- name: save_article
-- An older version changes nothing, and neither does the same one: no row is returned.
INSERT INTO generation.articles AS a (id, site, number, section, version, state, path, listed_at, modified_at,
                                  public_from, public_until, featured_until, content, projection_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14)
ON CONFLICT (id) DO UPDATE
SET site = EXCLUDED.site, section = EXCLUDED.section, version = EXCLUDED.version, state = EXCLUDED.state,
    path = EXCLUDED.path, listed_at = EXCLUDED.listed_at, modified_at = EXCLUDED.modified_at,
    public_from = EXCLUDED.public_from, public_until = EXCLUDED.public_until, featured_until = EXCLUDED.featured_until,
    content = EXCLUDED.content, projection_version = EXCLUDED.projection_version
WHERE a.version < EXCLUDED.version OR (a.version = EXCLUDED.version AND a.projection_version <> EXCLUDED.projection_version)
RETURNING id

-- name: published_state
-- The stored version of an article, and whether it is public now.
SELECT a.version, a.site, a.path, p.id IS NOT NULL AS is_public
FROM generation.articles a LEFT JOIN generation.public_articles p USING (id)
WHERE a.id = $1

-- name: site_of
SELECT site FROM generation.articles WHERE id = $1 FOR UPDATE

-- name: delete_articles
DELETE FROM generation.articles WHERE id = ANY ($1) RETURNING site, version

-- name: delete_listings
DELETE FROM generation.listings WHERE article = ANY ($1)

-- name: delete_old_addresses
DELETE FROM generation.old_addresses WHERE article = ANY ($1)

-- name: delete_search
DELETE FROM generation.search WHERE article = ANY ($1)

-- name: delete_visibility_changes
DELETE FROM generation.visibility_changes WHERE article = ANY ($1)

-- name: save_listings
INSERT INTO generation.listings (article, site, listed_at, number, list, name)
SELECT $1, $2, at, $4, list, name FROM unnest($3::timestamptz[], $5::text[], $6::text[]) AS given (at, list, name)

-- name: save_old_addresses
INSERT INTO generation.old_addresses (article, site, address) SELECT $1, $2, unnest($3::text[])

-- name: save_visibility_changes
INSERT INTO generation.visibility_changes (article, site, at) SELECT $1, $2, unnest($3::timestamptz[])

-- name: save_search
INSERT INTO generation.search (article, site, listed_at, section, title, title_words, words, pairs, marked_words)
VALUES ($1, $2, $3, $4, $5, $6::text::tsvector, $7::text::tsvector, array_to_tsvector($8::text[]), $9::text::tsvector)

-- name: bump_site_version
INSERT INTO render.sites AS s (site, version, changed_at) VALUES ($1, 1, now())
ON CONFLICT (site) DO UPDATE SET version = s.version + 1, changed_at = greatest(s.changed_at, now())

-- name: outdated_rows
-- Articles whose rows were made by another version of the projections, some at a time.
SELECT id, content FROM generation.articles WHERE projection_version <> $1 AND id > $2 ORDER BY id LIMIT 100

-- name: site_version
-- The site's version: it changes with each write, and when an article's visibility changes by time. And the schema that
-- is live: if it is not the one that was asked, ask that one.
SELECT now() AS at, (SELECT schema_name FROM render.generations WHERE state = 'live') AS schema_name,
    (SELECT number FROM render.generations WHERE state = 'live') AS number,
    coalesce((SELECT version FROM render.sites WHERE site = $1), 0) AS version,
    coalesce((SELECT version FROM generation.structures WHERE site = $1), 0) AS structure_version,
    -- Pages have versions of their own, and come in any order: their sum rises with each, the highest one need not.
    coalesce((SELECT sum(version)::bigint FROM generation.static_pages WHERE site = $1), 0) AS pages_version,
    greatest((SELECT changed_at FROM render.sites WHERE site = $1),
             (SELECT max(at) FROM generation.visibility_changes WHERE site = $1 AND at <= now()),
             (SELECT max(at) FROM generation.structures t, unnest(t.changes_at) AS at WHERE t.site = $1 AND at <= now()))
        AS changed_at

-- name: site_versions
-- The same for all sites that ever had an article. And for how many seconds a version may be relied on, if the query
-- before this one found no writer: not if it is young, nor beyond the next change by time. See render.end_leases.
SELECT (SELECT schema_name FROM render.generations WHERE state = 'live') AS schema_name, s.site, s.version,
    greatest(s.changed_at,
             (SELECT max(b.at) FROM generation.visibility_changes b WHERE b.site = s.site AND b.at <= now()),
             (SELECT max(at) FROM generation.structures t, unnest(t.changes_at) AS at WHERE t.site = s.site AND at <= now()))
        AS changed_at,
    CASE WHEN s.changed_at > now() - interval '2 seconds' THEN 0 ELSE least(0.05, extract(epoch FROM least(
             (SELECT min(b.at) FROM generation.visibility_changes b WHERE b.site = s.site AND b.at > now()),
             (SELECT min(at) FROM generation.structures t, unnest(t.changes_at) AS at WHERE t.site = s.site AND at > now()))
        - now()))::float8 END AS lease_seconds,
    NOT (SELECT pg_try_advisory_xact_lock(6776175)) AS are_writing
FROM render.sites s

-- name: hidden_articles
-- Those of the given articles that are not public now.
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

-- name: structure
SELECT content FROM generation.structures WHERE site = $1

-- name: structures
SELECT site, content FROM generation.structures WHERE site = ANY ($1)

-- name: all_structures
-- With the static pages, each as it came in its message.
SELECT content FROM generation.structures UNION ALL SELECT content FROM generation.static_pages

-- name: structures_for_share
-- Until the transaction's end the structure cannot change: the words of an article agree with it.
SELECT site, content FROM generation.structures WHERE site = ANY ($1) FOR SHARE

-- name: lock_first_structure
-- A site without a structure has no row to lock: without this an article that is saved at the same time misses its words.
SELECT pg_advisory_xact_lock(hashtextextended($1, hashtextextended('render.structures', 0)))

-- name: lock_first_structure_shared
SELECT pg_advisory_xact_lock_shared(hashtextextended($1, hashtextextended('render.structures', 0)))

-- name: structure_for_update
SELECT content FROM generation.structures WHERE site = $1 FOR UPDATE

-- name: save_structure
-- An older version changes nothing: no row is returned.
INSERT INTO generation.structures AS s (site, version, content, changes_at) VALUES ($1, $2, $3::jsonb, $4)
ON CONFLICT (site) DO UPDATE
SET version = EXCLUDED.version, content = EXCLUDED.content, changes_at = EXCLUDED.changes_at
WHERE s.version < EXCLUDED.version
RETURNING site

-- name: save_static_page
INSERT INTO generation.static_pages AS p (id, site, version, state, slug, content) VALUES ($1, $2, $3, $4, $5, $6::jsonb)
ON CONFLICT (id, site) DO UPDATE
SET version = EXCLUDED.version, state = EXCLUDED.state, slug = EXCLUDED.slug, content = EXCLUDED.content
WHERE p.version < EXCLUDED.version
RETURNING id

-- name: static_page_links
SELECT id, slug, content ->> 'title' AS title, coalesce(content ->> 'kind', 'page') AS kind,
    coalesce(content ->> 'language', '') AS language
FROM generation.static_pages
WHERE site = $1 AND state = 'published'
ORDER BY title, id

-- name: static_page
-- By its slug, or by a former one; a present slug wins.
SELECT slug, content FROM generation.static_pages
WHERE site = $1 AND state = 'published' AND (slug = $2 OR content -> 'old_slugs' ? $2)
ORDER BY slug <> $2, version DESC
LIMIT 1

-- name: deleted_page
-- A page that was deleted after it was public at this address.
SELECT id FROM generation.static_pages
WHERE site = $1 AND content @> '{"is_deleted": true}' AND (slug = $2 OR content -> 'old_slugs' ? $2)
LIMIT 1

-- name: deleted_page_slugs
SELECT DISTINCT gone.slug FROM generation.static_pages p,
    jsonb_array_elements_text(coalesce(p.content -> 'old_slugs', '[]') || to_jsonb(p.slug)) AS gone (slug)
WHERE p.site = $1 AND p.content @> '{"is_deleted": true}'
ORDER BY gone.slug

-- name: static_page_former_slugs
SELECT former.slug AS former_slug, p.slug FROM generation.static_pages p,
    jsonb_array_elements_text(coalesce(p.content -> 'old_slugs', '[]')) AS former (slug)
WHERE p.site = $1 AND p.state = 'published' AND NOT EXISTS (
    SELECT FROM generation.static_pages o WHERE o.site = $1 AND o.state = 'published' AND o.slug = former.slug
)
ORDER BY p.version

-- name: mark_outdated
-- Articles of the given lists: their words follow a renamed tag or author.
UPDATE generation.articles SET projection_version = 0
WHERE projection_version <> 0
    AND id IN (SELECT article FROM generation.listings WHERE site = $1 AND list = ANY ($2))

-- name: newest
SELECT content, public_until FROM generation.public_articles
WHERE site = $1
ORDER BY listed_at DESC, number DESC
LIMIT $2

-- name: placed
-- The public articles of slots of the front page, in their order. $2, $3: their articles, and until when. The end of a
-- slot makes another version of the site; the article may be seen after it while there is no database.
SELECT a.content, a.public_until
FROM unnest($2::text[], $3::timestamptz[]) WITH ORDINALITY AS slot (article, until, n)
JOIN generation.public_articles a ON a.id = slot.article
WHERE a.site = $1 AND slot.until > now()
ORDER BY slot.n

-- name: public_articles_by_id
SELECT id, content, public_until FROM generation.public_articles WHERE site = $1 AND id = ANY ($2::text[]) ORDER BY number

-- name: is_before
SELECT $1::timestamptz > now()

-- name: featured
SELECT content, public_until FROM generation.public_articles
WHERE site = $1 AND featured_until > now()
ORDER BY (content ->> 'pinned_until')::timestamptz > now() DESC NULLS LAST, (content ->> 'priority')::integer,
    listed_at DESC, number DESC
LIMIT $2

-- name: listed
-- $5: with their contents. A caller that reads many pages reads each content once.
SELECT a.id, CASE WHEN $5 THEN a.content END AS content, a.public_until
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2
ORDER BY l.listed_at DESC, l.number DESC
LIMIT $3 OFFSET $4

-- name: lists_from
-- Lists one after the other, from $2 on, for a caller that reads all of them; the names that list_name returns.
SELECT l.list, l.name, a.id, a.public_until
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list >= $2
ORDER BY l.list, l.listed_at DESC, l.number DESC
LIMIT $3

-- name: listed_in_any
-- The same of several lists, of which an article may be in more than one.
SELECT a.id, CASE WHEN $5 THEN a.content END AS content, a.public_until
FROM (
    SELECT DISTINCT one.article, one.listed_at, one.number
    FROM unnest($2::text[]) AS wanted (list), LATERAL (
        SELECT l.article, l.listed_at, l.number
        FROM generation.listings l JOIN generation.public_articles p ON p.id = l.article
        WHERE l.site = $1 AND l.list = wanted.list
        ORDER BY l.listed_at DESC, l.number DESC
        LIMIT $3::bigint + $4::bigint
    ) one
    ORDER BY one.listed_at DESC, one.number DESC
    LIMIT $3 OFFSET $4
) found JOIN generation.articles a ON a.id = found.article
ORDER BY found.listed_at DESC, found.number DESC

-- name: count_listed
SELECT count(DISTINCT l.article)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = ANY ($2)

-- name: related_articles
-- The related articles of each of the given articles: the next newer one of its section, the next older ones, the older
-- ones that share most tags (so that a later article changes no older page), and its translations. $2: the lists of the
-- section; $5: pairs LIST=TAG of each list of each tag. The caller orders each
-- kind by (shared, listed_at, number), descending; $8: with their contents.
SELECT given.n::integer AS n, near.kind, near.shared, near.listed_at, near.number,
    a.id, CASE WHEN $8 THEN a.content END AS content, a.public_until
FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[])
        WITH ORDINALITY AS given (section, at, number, tags, original, n),
    LATERAL (
        (SELECT 'newer' AS kind, 0 AS shared, next.article, next.listed_at, next.number
        FROM unnest(string_to_array(given.section, ' ')) AS sections (list), LATERAL (
            SELECT l.article, l.listed_at, l.number
            FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
            WHERE l.site = $1 AND l.list = sections.list AND (l.listed_at, l.number) > (given.at, given.number)
            ORDER BY l.listed_at, l.number
            LIMIT 1
        ) next
        ORDER BY next.listed_at, next.number
        LIMIT 1)
        UNION ALL
        (SELECT DISTINCT 'older', 0, earlier.article, earlier.listed_at, earlier.number
        FROM unnest(string_to_array(given.section, ' ')) AS sections (list), LATERAL (
            SELECT l.article, l.listed_at, l.number
            FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
            WHERE l.site = $1 AND l.list = sections.list AND (l.listed_at, l.number) < (given.at, given.number)
            ORDER BY l.listed_at DESC, l.number DESC
            LIMIT $7 + 1
        ) earlier
        ORDER BY earlier.listed_at DESC, earlier.number DESC
        LIMIT $7 + 1)
        UNION ALL
        (SELECT 'related', found.shared, found.article, found.listed_at, found.number
        FROM (
            SELECT tagged.article, count(DISTINCT split_part(tags.pair, '=', 2))::integer AS shared,
                max(tagged.listed_at) AS listed_at, max(tagged.number) AS number
            FROM unnest(string_to_array(given.tags, ' ')) AS tags (pair), LATERAL (
                SELECT l.article, l.listed_at, l.number FROM generation.listings l
                WHERE l.site = $1 AND l.list = split_part(tags.pair, '=', 1) AND (l.listed_at, l.number) < (given.at, given.number)
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

-- name: article_contents
SELECT id, content FROM generation.articles WHERE id = ANY ($1)

-- name: all_articles
-- Every public article of a site, so that neighbours follow one another.
SELECT number, path FROM generation.public_articles
WHERE site = $1
ORDER BY section, listed_at DESC, number DESC

-- name: all_lists
SELECT l.list, count(*)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1
GROUP BY l.list
ORDER BY l.list

-- name: all_old_addresses
-- Old URLs, each with its article, chosen as article_of_old_address does.
SELECT DISTINCT ON (o.address) o.address, a.path, a.state, p.id IS NOT NULL AS is_public
FROM generation.old_addresses o
JOIN generation.articles a ON a.id = o.article
LEFT JOIN generation.public_articles p USING (id)
WHERE o.site = $1
ORDER BY o.address, p.id IS NULL, a.number

-- name: all_hidden
-- Paths of articles that are not public any more.
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
SELECT l.list, (array_agg(l.name ORDER BY l.listed_at DESC, l.number DESC))[1] AS name, count(*)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list LIKE 'tag/%'
GROUP BY l.list
ORDER BY count(*) DESC, l.list
LIMIT $2

-- name: tags_of_aliases
-- The same with tags that were merged: $3, $4: each former list and the one that it stands for.
SELECT coalesce(m.target, l.list) AS list, (array_agg(l.name ORDER BY l.listed_at DESC, l.number DESC))[1] AS name,
    count(DISTINCT l.article)::integer AS articles
FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
LEFT JOIN unnest($3::text[], $4::text[]) AS m (list, target) ON m.list = l.list
WHERE l.site = $1 AND l.list LIKE 'tag/%'
GROUP BY 1
ORDER BY 3 DESC, 1
LIMIT $2

-- name: list_name
SELECT l.name FROM generation.listings l JOIN generation.public_articles a ON a.id = l.article
WHERE l.site = $1 AND l.list = $2
ORDER BY l.listed_at DESC, l.number DESC
LIMIT 1

-- name: sitemap_parts
-- Those in which search engines may show an article: others have no page.
SELECT part, changed_at
FROM (
    SELECT ((number - 1) / $2)::integer AS part, max(modified_at) AS changed_at
    FROM generation.public_articles
    WHERE site = $1
    GROUP BY 1
) parts
WHERE EXISTS (
    SELECT FROM generation.public_articles
    WHERE site = $1 AND number > part * $2::bigint AND number <= (part + 1) * $2::bigint
        AND (content -> 'seo' ->> 'noindex') IS DISTINCT FROM 'true'
        AND (content -> 'seo' ->> 'canonical') IS NULL
)
ORDER BY part

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
    AND (content ->> 'date_precision') IS DISTINCT FROM 'unknown'
    AND (content -> 'seo' ->> 'noindex') IS DISTINCT FROM 'true'
    AND (content -> 'seo' ->> 'canonical') IS NULL
ORDER BY listed_at DESC, number DESC
LIMIT $3

-- name: search
-- The articles of which the query is the title, the newest with all words in their title, the newest with the words as
-- typed or next to each other, and the newest with them anywhere: the best match first.
-- $2 and $3 are for indexes: words and pairs of words, null if there are none; $4 is the whole query, and $5 says
-- whether $2 and $3 are equivalent to it; $6 must not match, of the words as written; $7 sections, $8 since, $9 until.
-- $10 is the whole title, $11 all words as typed, $12 all pairs; of the last two, up to $15 matches are sorted.
-- $13 limits the ranking. If at most $14 match, an index finds them and they are sorted; of titles, at most $15. If more
-- match, a scan from the newest on finds the newest: the function behind the operator @@ keeps the planner from the index
-- of words there, and `site || ''` and `listed_at + '0'` from the index of dates elsewhere.
-- $16 and $17 rank words without diacritics and as typed: all words, all in the title, a phrase in the title, a phrase
-- anywhere, all in title or lead; $18 is their number.
WITH fitting AS MATERIALIZED (
    SELECT s.article, s.listed_at FROM generation.search s
    WHERE s.site || '' = $1
        AND ($2::text IS NULL OR s.words @@ $2::text::tsquery) AND ($3::text IS NULL OR s.pairs @@ $3::text::tsquery)
        AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at + '0' >= $8 AND s.listed_at + '0' < $9
), few AS MATERIALIZED (
    SELECT * FROM fitting LIMIT $14 + 1
), are_few AS MATERIALIZED (
    SELECT count(*) <= $14 AS yes FROM few
), are_many AS MATERIALIZED (
    SELECT count(*) > $13 AS yes FROM few
), all_as_typed AS MATERIALIZED (
    SELECT s.article, s.listed_at FROM generation.search s
    WHERE $11::text IS NOT NULL AND (SELECT yes FROM are_many) AND s.site || '' = $1 AND s.pairs @@ $11::text::tsquery
), as_typed AS MATERIALIZED (
    SELECT * FROM all_as_typed LIMIT $15 + 1
), all_adjacent AS MATERIALIZED (
    SELECT s.article, s.listed_at FROM generation.search s
    WHERE $12::text IS NOT NULL AND (SELECT yes FROM are_many) AND s.site || '' = $1 AND s.pairs @@ $12::text::tsquery
), adjacent AS MATERIALIZED (
    SELECT * FROM all_adjacent LIMIT $15 + 1
), all_in_title AS MATERIALIZED (
    SELECT s.article, s.listed_at FROM generation.search s
    WHERE s.site || '' = $1 AND s.title_words @@ $4::text::tsquery
        AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at + '0' >= $8 AND s.listed_at + '0' < $9
), in_title AS MATERIALIZED (
    SELECT * FROM all_in_title LIMIT $15 + 1
), found AS (
    (SELECT s.article FROM generation.search s WHERE s.site || '' = $1 AND s.pairs @@ $10::text::tsquery LIMIT $13)
    UNION
    (SELECT a.id FROM (SELECT * FROM in_title WHERE (SELECT count(*) <= $15 FROM in_title) ORDER BY listed_at DESC) newest
    JOIN generation.public_articles a ON a.id = newest.article
    ORDER BY newest.listed_at DESC LIMIT $13 / 2)
    UNION
    (SELECT s.article FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
    WHERE (SELECT count(*) > $15 FROM in_title) AND s.site = $1 AND ts_match_vq(s.title_words, $4::text::tsquery)
        AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at >= $8 AND s.listed_at < $9
    ORDER BY s.listed_at DESC LIMIT $13 / 2)
    UNION
    (SELECT article FROM as_typed WHERE (SELECT count(*) <= $15 FROM as_typed) ORDER BY listed_at DESC LIMIT $13 / 2)
    UNION
    (SELECT article FROM adjacent WHERE (SELECT count(*) <= $15 FROM adjacent) ORDER BY listed_at DESC LIMIT $13 / 2)
    UNION
    (SELECT s.article FROM (SELECT * FROM few WHERE (SELECT yes FROM are_few) ORDER BY listed_at DESC) newest
    JOIN generation.public_articles a ON a.id = newest.article JOIN generation.search s ON s.article = newest.article
    WHERE ($5 OR s.words @@ $4::text::tsquery)
        AND ($6::text IS NULL OR NOT s.marked_words @@ $6::text::tsquery)
    ORDER BY newest.listed_at DESC LIMIT $13)
    UNION
    (SELECT s.article FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
    WHERE NOT (SELECT yes FROM are_few) AND s.site = $1 AND ts_match_vq(s.words, $4::text::tsquery)
        AND ($6::text IS NULL OR NOT s.marked_words @@ $6::text::tsquery)
        AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at >= $8 AND s.listed_at < $9
    ORDER BY s.listed_at DESC LIMIT $13)
), ranked AS (
    SELECT a.content, a.public_until, a.number, s.listed_at, s.title = $21 AS is_title, ranking.is_exact, ranking.fitness
    FROM found JOIN generation.public_articles a ON a.id = found.article,
        LATERAL (
            -- each row is looked up and unpacked once
            SELECT listed_at, section, title, length(title_words) AS length, words || '' AS words,
                marked_words || '' AS marked_words
            FROM generation.search WHERE article = found.article OFFSET 0
        ) s,
        LATERAL (
            SELECT sum(form.weight * (
                (form.vector @@ form.queries[2])::integer * (4 + $18::real / greatest(s.length, 1))
                + (form.vector @@ form.queries[3])::integer * 3
                + (form.vector @@ form.queries[4])::integer * 2
                + (form.vector @@ form.queries[5])::integer
                + ts_rank_cd('{0.1, 0.3, 0.5, 1}', form.vector, form.queries[1], 32)
            )) AS fitness, bool_or(form.weight = 2 AND form.vector @@ form.queries[1]) AS is_exact
            FROM (VALUES (s.words, $16::text[]::tsquery[], 1), (s.marked_words, $17::text[]::tsquery[], 2))
                AS form (vector, queries, weight)
            WHERE form.queries IS NOT NULL
        ) ranking
    WHERE (s.words @@ $4::text::tsquery OR s.title = $21)
        AND ($6::text IS NULL OR NOT s.marked_words @@ $6::text::tsquery)
        AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at >= $8 AND s.listed_at < $9
)
SELECT content, public_until, count(*) OVER () AS found
FROM ranked
ORDER BY is_title DESC, is_exact DESC, fitness DESC, listed_at DESC, number DESC
LIMIT $19 OFFSET $20

-- name: search_rows
-- What the search of a static export is made of, the oldest first, some at a time: after $2 and $3.
SELECT a.id, a.number, s.listed_at, s.title,
    tsvector_to_array(ts_filter(s.marked_words, '{a}')) AS in_title,
    tsvector_to_array(ts_filter(s.marked_words, '{b}')) AS in_lead,
    tsvector_to_array(ts_filter(s.marked_words, '{c}')) AS in_tags,
    tsvector_to_array(s.marked_words) AS marked, tsvector_to_array(s.pairs) AS terms
FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
WHERE s.site = $1 AND (s.listed_at, a.number) > ($2, $3)
ORDER BY s.listed_at, a.number
LIMIT $4

-- name: search_by_date
-- $2 to $9 as in search; $10 limit, $11 offset.
SELECT a.content, a.public_until
FROM generation.search s JOIN generation.public_articles a ON a.id = s.article
WHERE s.site = $1
    AND ($2::text IS NULL OR s.words @@ $2::text::tsquery) AND ($3::text IS NULL OR s.pairs @@ $3::text::tsquery)
    AND ($5 OR s.words @@ $4::text::tsquery) AND ($6::text IS NULL OR NOT s.marked_words @@ $6::text::tsquery)
    AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at >= $8 AND s.listed_at < $9
ORDER BY s.listed_at DESC, a.number DESC
LIMIT $10 OFFSET $11

-- name: prepare_search
-- Until the transaction's end: the best plan depends on how frequent the words are, so no generic plan fits all; and
-- reading a row's words costs far more than Postgres estimates, so only indexes may be used for them.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('enable_seqscan', 'off', true),
    set_config('max_parallel_workers_per_gather', '0', true),
    set_config('jit', 'off', true)

-- name: set_similarity_threshold
SELECT set_config('pg_trgm.word_similarity_threshold', $1, true)

-- name: search_nearest
-- When nothing matches: the articles with most of the words and pairs of words, the rarer a pair the better, and those
-- with a similar title. $2 is the query's text, $3 its words, $4 its pairs as queries, $5 must not match the words as
-- written, $6 nor those without diacritics; $7 sections, $8 since, $9 until; a pair helps to find if at most $10
-- articles have it; $11 limit. Up to $12 titles that are similar are compared, and as many of the newest: a frequent word
-- alone makes most titles of a portal similar.
WITH holding AS MATERIALIZED (
    SELECT pair.number, one.article
    FROM unnest($4::text[]::tsquery[]) WITH ORDINALITY AS pair (query, number), LATERAL (
        SELECT s.article FROM generation.search s WHERE s.site || '' = $1 AND s.pairs @@ pair.query LIMIT $10 + 1
    ) one
), pairs AS MATERIALIZED (
    SELECT number, 1 / ln(1.7 + count(*)) AS weight FROM holding GROUP BY number HAVING count(*) <= $10
), with_pairs AS MATERIALIZED (
    SELECT article, sum(weight) / (SELECT sum(weight) FROM pairs) AS fitness
    FROM holding JOIN pairs USING (number)
    GROUP BY article
    ORDER BY fitness DESC
    LIMIT 20 * $11
), similar_titles AS MATERIALIZED (
    SELECT s.article, s.listed_at, s.title FROM generation.search s WHERE s.site || '' = $1 AND $2 <% s.title LIMIT $12
), newest AS MATERIALIZED (
    SELECT s.article, s.listed_at, s.title FROM generation.search s
    WHERE (SELECT count(*) = $12 FROM similar_titles) AND s.site = $1 ORDER BY s.listed_at DESC LIMIT $12
), found AS (
    (SELECT article FROM with_pairs)
    UNION
    (SELECT article FROM (SELECT * FROM similar_titles UNION SELECT * FROM newest WHERE $2 <% title) one
    ORDER BY word_similarity($2, title) DESC, listed_at DESC LIMIT 20 * $11)
), ranked AS (
    SELECT a.content, a.public_until, a.number, s.listed_at, word_similarity($2, s.title) AS similarity,
        (SELECT count(*) FROM unnest($3::text[]::tsquery[]) AS word WHERE s.words @@ word) / cardinality($3::text[])::real
            AS share,
        coalesce((SELECT fitness FROM with_pairs p WHERE p.article = found.article), 0) AS fitness
    FROM found JOIN generation.public_articles a ON a.id = found.article,
        LATERAL (
            SELECT listed_at, section, title, words || '' AS words, marked_words
            FROM generation.search WHERE article = found.article OFFSET 0
        ) s
    WHERE ($5::text IS NULL OR NOT s.marked_words @@ $5::text::tsquery)
        AND ($6::text IS NULL OR NOT s.words @@ $6::text::tsquery)
        AND (cardinality($7::text[]) = 0 OR s.section = ANY ($7::text[])) AND s.listed_at >= $8 AND s.listed_at < $9
)
SELECT content, public_until
FROM ranked
WHERE share >= 0.5 OR similarity >= 0.4
ORDER BY share + fitness + similarity DESC, listed_at DESC, number DESC
LIMIT $11

-- name: generations
SELECT schema_name, state, number, made_at, orphans FROM render.generations ORDER BY schema_name

-- name: lock_swap_shared
-- A writer to the live generation keeps this lock until the end of its transaction; a swap waits for all of them.
SELECT pg_advisory_xact_lock_shared(6776174)

-- name: lock_swap_exclusive
SELECT pg_advisory_xact_lock(6776174)

-- name: set_idle_timeout
-- Builders wait for a swap: a frozen one must not block them.
SELECT set_config('idle_in_transaction_session_timeout', '5s', true)

-- name: live_schema
SELECT schema_name FROM render.generations WHERE state = 'live'

-- name: article_ids
SELECT id FROM generation.articles

-- name: truncate
TRUNCATE generation.articles, generation.listings, generation.old_addresses, generation.search,
    generation.visibility_changes, generation.structures, generation.static_pages

-- name: analyze
SELECT render.analyze_generation($1)

-- name: retire_former
UPDATE render.generations SET state = 'spare', orphans = '{}' WHERE state = 'former'

-- name: make_former
UPDATE render.generations SET state = 'former', orphans = $1 WHERE state = 'live'

-- name: make_live
UPDATE render.generations
SET state = 'live', orphans = '{}', made_at = now(), number = 1 + (SELECT max(number) FROM render.generations)
WHERE schema_name = $1

-- name: bump_all_site_versions
INSERT INTO render.sites AS s (site, version, changed_at)
SELECT site, 1, now() FROM (SELECT site FROM render.sites UNION SELECT site FROM generation.articles) every
ON CONFLICT (site) DO UPDATE SET version = s.version + 1, changed_at = greatest(s.changed_at, now())

-- name: text_contains
-- Whether an editor wrote the link $3 that is on the page $2: into its text, or into a banner or the front page.
SELECT EXISTS (
    SELECT FROM generation.articles
    WHERE site = $1 AND path = $2 AND position($3 IN replace(content::text, '&amp;', '&')) > 0
) OR EXISTS (
    SELECT FROM generation.static_pages
    WHERE site = $1 AND '/trang/' || slug || '.html' = $2 AND position($3 IN replace(content::text, '&amp;', '&')) > 0
) OR EXISTS (
    SELECT FROM generation.structures
    WHERE site = $1 AND position(to_json($3::text)::text IN content::text) > 0
)

-- name: offered_file
-- The blocks of public articles and static pages that offer a file: one for each URL, that of the newest article.
SELECT DISTINCT ON (block ->> 'url') block ->> 'url' AS url, block ->> 'name' AS name,
    coalesce(block ->> 'media_type', '') AS media_type
FROM (
    SELECT content, listed_at, number FROM generation.public_articles
    WHERE site = $1 AND render.files_of(content) ? $2
    UNION ALL
    SELECT content, '-infinity', 0 FROM generation.static_pages
    WHERE site = $1 AND state = 'published' AND render.files_of(content) ? $2
) offering
CROSS JOIN LATERAL jsonb_path_query(content, '$.body[*] ? (@.type == "file" && @.media == $id)',
                                    jsonb_build_object('id', $2::text)) AS block
ORDER BY block ->> 'url', listed_at DESC, number DESC

-- name: offered_files
-- Those of the given files that a public article or static page offers.
SELECT given.id FROM unnest($2::text[]) AS given (id)
WHERE EXISTS (SELECT FROM generation.public_articles WHERE site = $1 AND render.files_of(content) ? given.id)
    OR EXISTS (
        SELECT FROM generation.static_pages
        WHERE site = $1 AND state = 'published' AND render.files_of(content) ? given.id
    )

-- name: snapshot_time
SELECT now()

-- name: note_feeds
-- A reading that is older than the stored one changes nothing. $2: hubs, $3: topics, $4: checksums; $5: of the reading.
INSERT INTO render.announcements AS a (site, hub, topic, checksum, seen_at, waiting_since)
SELECT $1, hub, topic, checksum, $5, now() FROM unnest($2::text[], $3::text[], $4::bytea[]) AS feed (hub, topic, checksum)
ON CONFLICT (site, hub, topic) DO UPDATE
SET checksum = EXCLUDED.checksum, seen_at = EXCLUDED.seen_at,
    waiting_since = CASE WHEN a.announced IS DISTINCT FROM EXCLUDED.checksum THEN coalesce(a.waiting_since, now()) END
WHERE a.checksum <> EXCLUDED.checksum AND a.seen_at < EXCLUDED.seen_at

-- name: forget_feeds
-- Feeds that the site has no more, and hubs that it names no more.
DELETE FROM render.announcements a
WHERE a.site = $1
    AND NOT EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS feed (hub, topic) WHERE (feed.hub, feed.topic) = (a.hub, a.topic))

-- name: waiting_announcements
-- For each hub that was not told of a change: since how many seconds, and whether an attempt is due.
SELECT site, hub, max(extract(epoch FROM now() - waiting_since))::float AS seconds,
    bool_or(next_attempt_at <= now() AND (claimed_until IS NULL OR claimed_until <= now())) AS is_due
FROM render.announcements
WHERE waiting_since IS NOT NULL AND site = ANY ($1)
GROUP BY site, hub

-- name: claim_announcements
UPDATE render.announcements
SET claimed_until = now() + $4::interval
WHERE (site, hub, topic) IN (
    SELECT site, hub, topic FROM render.announcements
    WHERE site = $1 AND hub = $2 AND waiting_since IS NOT NULL AND next_attempt_at <= now()
        AND (claimed_until IS NULL OR claimed_until <= now())
    ORDER BY next_attempt_at, waiting_since, topic
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING topic, checksum, attempts

-- name: release_announcements
UPDATE render.announcements SET claimed_until = NULL WHERE site = $1 AND hub = $2 AND topic = ANY ($3)

-- name: announced
-- The feed may have changed again since it was claimed: then it waits on.
UPDATE render.announcements
SET announced = $4, attempts = 0, next_attempt_at = now(), claimed_until = NULL, last_result = $5,
    waiting_since = CASE WHEN checksum <> $4 THEN coalesce(waiting_since, now()) END
WHERE site = $1 AND hub = $2 AND topic = $3

-- name: retry_announcement
-- $7: the hub is unavailable, so its other feeds wait with this one.
UPDATE render.announcements
SET attempts = greatest($4, CASE WHEN topic <> $3 THEN attempts END),
    next_attempt_at = greatest(now() + $5::interval, CASE WHEN topic <> $3 THEN next_attempt_at END),
    claimed_until = CASE WHEN topic <> $3 THEN claimed_until END,
    last_result = CASE WHEN topic = $3 THEN $6 ELSE last_result END
WHERE site = $1 AND hub = $2 AND (topic = $3 OR $7 AND waiting_since IS NOT NULL)
