-- Queries of the statistics page and of the exports. The number of rows read grows with the requested range.

-- name: series
-- $4, $5: begin and end. $6: starts of the buckets. A row belongs to the bucket in which it begins; empty ones have none.
SELECT width_bucket(bucket_start, $6::bigint[]) - 1 AS bucket, sum(views)::bigint AS views,
    sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
FROM stats.counts
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')
    AND site = $1 AND article = $2 AND grain = $3 AND bucket_start >= $4 AND bucket_start < $5
GROUP BY 1

-- name: section_series
-- $2: the section, or a slug that was given up for it. Articles have days only.
WITH present AS (
    SELECT coalesce((SELECT target FROM stats.section_aliases WHERE site = $1 AND slug = $2), $2) AS slug
)
SELECT width_bucket(bucket_start, $5::bigint[]) - 1 AS bucket, sum(views)::bigint AS views,
    sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
FROM stats.counts JOIN stats.articles AS a ON a.id = counts.article AND a.site = $1 AND a.section = ANY (ARRAY(
    SELECT slug FROM present
    UNION SELECT al.slug FROM stats.section_aliases AS al JOIN present ON al.site = $1 AND al.target = present.slug
))
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')
    AND counts.site = $1 AND article <> '' AND grain = 'day' AND bucket_start >= $3 AND bucket_start < $4
GROUP BY 1

-- name: comparison_sums
-- Sums over ranges; a range may consist of several spans. $2: number of the range of each span.
WITH g AS (
    SELECT generation FROM stats.generations WHERE state = 'current'
)
SELECT range_number, coalesce(sum(views), 0)::bigint AS views, coalesce(sum(visits), 0)::bigint AS visits,
    coalesce(sum(visitors), 0)::bigint AS visitors
FROM unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[]) AS s (range_number, grain, begin, finish)
CROSS JOIN g
LEFT JOIN stats.counts AS c
    ON c.generation = g.generation AND c.site = $1 AND c.article = '' AND c.grain = s.grain
        AND c.bucket_start >= begin AND c.bucket_start < finish
GROUP BY range_number
ORDER BY range_number

-- name: first_hour
-- When counting began: a range that was counted in part only is no basis for a comparison.
SELECT bucket_start FROM stats.counts
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')
    AND site = $1 AND article = '' AND grain = 'hour'
ORDER BY bucket_start LIMIT 1

-- name: summed_until
-- For the rest of the transaction a plan is made for its values: one for all ranges would be that of a short one.
SELECT before, of_8_days, of_64_days, set_config('plan_cache_mode', 'force_custom_plan', true)
FROM (SELECT generation FROM stats.generations WHERE state = 'current') AS g LEFT JOIN stats.summed_until USING (generation)

-- name: top_articles
-- $2, $3, $4: ranges of spans; see `article_spans`. $5: measure. $6: section, or null. $7: only public articles.
-- Ids that nobody published are in no list: everybody can send views of them. A site that publishes elsewhere has all.
-- Titles are looked up in the order of the list, until it is full, and not of every article that was read.
WITH of_section AS (
    SELECT id FROM stats.articles AS a LEFT JOIN stats.section_aliases AS al ON al.site = $1 AND al.slug = a.section
    WHERE a.site = $1 AND $6::text IS NOT NULL AND coalesce(al.target, section)
        = coalesce((SELECT target FROM stats.section_aliases WHERE site = $1 AND slug = $6), $6)
), counted AS (
    SELECT article, sum(views)::bigint AS views, sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
    FROM stats.article_counts($1, $2, $3, $4)
    WHERE NOT starts_with(article, '/') AND ($6 IS NULL OR article IN (SELECT id FROM of_section))
    GROUP BY article
), ranked AS MATERIALIZED (
    SELECT *, CASE $5 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END AS number FROM counted
    ORDER BY number DESC, article
)
SELECT ranked.article, title, coalesce(target, section) AS section, state, path, views, visits, visitors
FROM ranked
LEFT JOIN LATERAL (SELECT * FROM stats.articles WHERE id = ranked.article AND site = $1 OFFSET 0) AS a ON true
LEFT JOIN LATERAL (SELECT target FROM stats.section_aliases WHERE site = $1 AND slug = section OFFSET 0) AS al ON true
LEFT JOIN LATERAL (SELECT path FROM stats.links WHERE links.article = ranked.article OFFSET 0) AS l ON true
WHERE number > 0 AND (id IS NOT NULL OR NOT EXISTS (SELECT FROM stats.articles WHERE site = $1))
    AND (NOT $7 OR (title IS NOT NULL AND path IS NOT NULL))
LIMIT $8

-- name: top_pages
-- $2, $3, $4: ranges of spans; see `article_spans`. $5: measure. The paths are what anybody has sent.
WITH counted AS (
    SELECT article AS page, sum(views)::bigint AS views, sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
    FROM stats.article_counts($1, $2, $3, $4)
    WHERE starts_with(article, '/')
    GROUP BY article
)
SELECT page, views, visits, visitors
FROM counted
WHERE CASE $5 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END > 0
ORDER BY CASE $5 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END DESC, page
LIMIT $6

-- name: pages_online_now
-- $2: first presence bucket that is still online.
WITH g AS (
    SELECT generation FROM stats.generations WHERE state = 'current'
), here AS (
    SELECT article AS page,
        sum((SELECT sum(n) FROM unnest(visitors[greatest(1, $2 - first_bucket + 1) : ]) AS n))::bigint AS online
    FROM stats.online JOIN g USING (generation)
    WHERE site = $1 AND starts_with(article, '/') AND first_bucket + cardinality(visitors) > $2
    GROUP BY article
)
SELECT page, online FROM here WHERE online > 0 ORDER BY online DESC, page LIMIT $3

-- name: online_now
-- $2: first presence bucket that is still online.
WITH g AS (
    SELECT generation FROM stats.generations WHERE state = 'current'
), here AS (
    SELECT article,
        sum((SELECT sum(n) FROM unnest(visitors[greatest(1, $2 - first_bucket + 1) : ]) AS n))::bigint AS online
    FROM stats.online JOIN g USING (generation)
    WHERE site = $1 AND article <> '' AND NOT starts_with(article, '/') AND first_bucket + cardinality(visitors) > $2
    GROUP BY article
)
SELECT article, title, coalesce(al.target, section) AS section, state, path, online
FROM here
LEFT JOIN stats.articles AS a ON a.id = here.article AND a.site = $1
LEFT JOIN stats.section_aliases AS al ON al.site = $1 AND al.slug = a.section
LEFT JOIN stats.links AS l USING (article)
WHERE online > 0 AND (a.id IS NOT NULL OR NOT EXISTS (SELECT FROM stats.articles WHERE site = $1))
    AND ($3::text IS NULL OR coalesce(al.target, section)
        = coalesce((SELECT target FROM stats.section_aliases WHERE site = $1 AND slug = $3), $3)) AND (NOT $4 OR (title IS NOT NULL AND path IS NOT NULL))
ORDER BY online DESC, article
LIMIT $5

-- name: sections
-- $2, $3, $4: ranges of spans; see `article_spans`.
WITH counted AS (
    SELECT article, sum(views) AS views, sum(visits) AS visits, sum(visitors) AS visitors
    FROM stats.article_counts($1, $2, $3, $4)
    WHERE NOT starts_with(article, '/')
    GROUP BY article
)
SELECT coalesce(al.target, section, '') AS section, count(*)::bigint AS articles, sum(views)::bigint AS views,
    sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
FROM counted LEFT JOIN stats.articles AS a ON a.id = counted.article AND a.site = $1
LEFT JOIN stats.section_aliases AS al ON al.site = $1 AND al.slug = a.section
WHERE a.id IS NOT NULL OR NOT EXISTS (SELECT FROM stats.articles WHERE site = $1)
GROUP BY 1
ORDER BY 3 DESC, 1

-- name: ledger_totals
SELECT outcome, reason, sum(events)::bigint AS events
FROM stats.ledger
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')
    AND site = $1 AND day >= $2 AND day < $3
GROUP BY outcome, reason
ORDER BY events DESC, outcome, reason

-- name: referrer_totals
-- $4: hosts with a row of their own, the largest ones; anybody can invent 200 a day on each partition.
WITH counted AS (
    SELECT host, sum(visits)::bigint AS visits,
        row_number() OVER (ORDER BY host IN ('', '(other)') DESC, sum(visits) DESC, host) AS place
    FROM stats.referrers
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')
        AND site = $1 AND day >= $2 AND day < $3
    GROUP BY host
    HAVING sum(visits) <> 0
)
SELECT CASE WHEN place <= $4 + 2 THEN host ELSE '(other)' END AS host, sum(visits)::bigint AS visits
FROM counted
GROUP BY 1
ORDER BY visits DESC, host

-- name: adjustment_totals
SELECT measure, sum(amount)::bigint AS amount FROM stats.adjustments WHERE site = $1 AND article = '' GROUP BY measure

-- name: save_article
-- An older version never replaces a newer one.
INSERT INTO stats.articles AS a (id, site, version, state, section, title) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE
SET site = EXCLUDED.site, version = EXCLUDED.version, state = EXCLUDED.state, section = EXCLUDED.section,
    title = EXCLUDED.title
WHERE a.version < EXCLUDED.version

-- name: mark_article_killed
UPDATE stats.articles SET state = 'killed', title = NULL WHERE id = $1

-- name: save_link
INSERT INTO stats.links AS l (article, version, path) VALUES ($1, $2, $3)
ON CONFLICT (article) DO UPDATE SET version = EXCLUDED.version, path = EXCLUDED.path
WHERE l.version <= EXCLUDED.version

-- name: add_refused_origin
-- $5: named origins of a day; further ones have the empty name.
INSERT INTO stats.refused_origins AS r (site, day, origin, views)
SELECT $1, $2, CASE
    WHEN EXISTS (SELECT FROM stats.refused_origins WHERE site = $1 AND day = $2 AND origin = $3)
        OR (SELECT count(*) FROM stats.refused_origins WHERE site = $1 AND day = $2) < $5 THEN $3
    ELSE ''
END, $4
ON CONFLICT (site, day, origin) DO UPDATE SET views = r.views + EXCLUDED.views

-- name: delete_old_refused_origins
DELETE FROM stats.refused_origins WHERE site = $1 AND day < $2

-- name: refused_origins
-- $2: first day. The rest, which has no name, is the last.
SELECT origin, sum(views)::bigint AS views FROM stats.refused_origins
WHERE site = $1 AND day >= $2
GROUP BY origin
ORDER BY origin = '', views DESC, origin

-- name: save_structure
-- An older version changes nothing: no row is returned.
INSERT INTO stats.site_structures AS s (site, version, content) VALUES ($1, $2, $3::jsonb)
ON CONFLICT (site) DO UPDATE SET version = EXCLUDED.version, content = EXCLUDED.content
WHERE s.version < EXCLUDED.version
RETURNING site

-- name: delete_section_aliases
DELETE FROM stats.section_aliases WHERE site = $1

-- name: save_section_aliases
INSERT INTO stats.section_aliases (site, slug, target) SELECT $1, slug, target
FROM unnest($2::text[], $3::text[]) AS given (slug, target)

-- name: structure_versions
SELECT site, version FROM stats.site_structures

-- name: structures
SELECT content FROM stats.site_structures WHERE site = ANY ($1)

-- name: exclusions
-- Those that the shown numbers know, newest first; also those that were reversed. $2, $3: begin and end of a range.
SELECT excluded_from, excluded_to, extract(epoch FROM created_at)::bigint AS at, visitors, is_excluded, why
FROM stats.adjustments JOIN stats.applied_exclusions AS e ON e.adjustment = id
    AND e.generation = (SELECT generation FROM stats.generations WHERE state = 'current')
WHERE site = $1 AND excluded_to > $2 AND excluded_from < $3 ORDER BY created_at DESC, id LIMIT $4

-- name: evidence
-- $2, $3: begin and end of a local day. By hour and group, and for the whole day (hour is null) by group. Groups with fewer
-- than $4 silent visitor IDs are summed as one, that of OTHERS. confirmed_after: confirmed in the hour after it.
WITH sums AS (
    SELECT hour, agent, sum(views)::bigint AS views, sum(arrivals)::bigint AS arrivals, sum(confirmed)::bigint AS confirmed,
        bit_count(bit_or(networks))::integer AS network_bits
    FROM stats.evidence
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')
        AND site = $1 AND hour >= $2 AND hour < $3
    GROUP BY GROUPING SETS ((hour, agent), (agent))
), hours AS (
    SELECT *, CASE WHEN lead(hour) OVER later <= hour + 3600 THEN lead(confirmed) OVER later ELSE 0 END AS confirmed_after
    FROM sums
    WINDOW later AS (PARTITION BY agent ORDER BY hour)
)
SELECT hour, agent, views, arrivals, confirmed, network_bits, confirmed_after FROM hours
WHERE agent <> -1 AND arrivals - confirmed >= $4
UNION ALL
SELECT hour, -1, sum(views)::bigint, sum(arrivals)::bigint, sum(confirmed)::bigint, 0, 0 FROM hours
WHERE agent = -1 OR arrivals - confirmed < $4
GROUP BY hour
