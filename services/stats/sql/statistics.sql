-- Queries of the statistics page and of the exports. What is read grows with the span that is asked for.

-- name: series
-- $4, $5: begin and end. $6: starts of the buckets. A row belongs to the bucket in which it begins; empty ones are not told.
SELECT width_bucket(start, $6::bigint[]) - 1 AS place, sum(views)::bigint AS views, sum(visits)::bigint AS visits,
    sum(visitors)::bigint AS visitors
FROM stats.counts
WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current')
    AND site = $1 AND article = $2 AND grain = $3 AND start >= $4 AND start < $5
GROUP BY 1

-- name: section_series
-- $2: the section. Articles have days only.
SELECT width_bucket(start, $5::bigint[]) - 1 AS place, sum(views)::bigint AS views, sum(visits)::bigint AS visits,
    sum(visitors)::bigint AS visitors
FROM stats.counts JOIN stats.articles AS a ON a.id = counts.article AND a.site = $1 AND a.section = $2
WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current')
    AND counts.site = $1 AND article <> '' AND grain = 'day' AND start >= $3 AND start < $4
GROUP BY 1

-- name: stretches
-- Sums over stretches of time: a stretch may be put together of several spans. $2: number of the stretch of each span.
WITH g AS (
    SELECT gen FROM stats.generations WHERE state = 'current'
)
SELECT stretch, coalesce(sum(views), 0)::bigint AS views, coalesce(sum(visits), 0)::bigint AS visits,
    coalesce(sum(visitors), 0)::bigint AS visitors
FROM unnest($2::integer[], $3::text[], $4::bigint[], $5::bigint[]) AS s (stretch, grain, begin, finish)
CROSS JOIN g
LEFT JOIN stats.counts AS c
    ON c.gen = g.gen AND c.site = $1 AND c.article = '' AND c.grain = s.grain AND c.start >= begin AND c.start < finish
GROUP BY stretch
ORDER BY stretch

-- name: first_hour
-- When counting began: a stretch that was not counted whole is nothing to compare with.
SELECT start FROM stats.counts
WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current') AND site = $1 AND article = '' AND grain = 'hour'
ORDER BY start LIMIT 1

-- name: most_read
-- $2: day, or total. $3, $4: first start and end. $5: measure. $6: section, or null. $7: only what readers may see.
WITH g AS (
    SELECT gen FROM stats.generations WHERE state = 'current'
), counted AS (
    SELECT article, sum(views)::bigint AS views, sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
    FROM stats.counts JOIN g USING (gen)
    WHERE site = $1 AND article <> '' AND grain = $2 AND start >= $3 AND start < $4
    GROUP BY article
)
SELECT article, title, section, state, path, views, visits, visitors
FROM counted
LEFT JOIN stats.articles AS a ON a.id = counted.article AND a.site = $1
LEFT JOIN stats.links AS l USING (article)
WHERE ($6::text IS NULL OR section = $6) AND (NOT $7 OR (title IS NOT NULL AND path IS NOT NULL))
    AND CASE $5 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END > 0
ORDER BY CASE $5 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END DESC, article
LIMIT $8

-- name: online_now
-- $2: first 5-second step that is still online.
WITH g AS (
    SELECT gen FROM stats.generations WHERE state = 'current'
), here AS (
    SELECT article, sum((SELECT sum(n) FROM unnest(readers[greatest(1, $2 - first_step + 1) : ]) AS n))::bigint AS online
    FROM stats.online JOIN g USING (gen)
    WHERE site = $1 AND article <> '' AND first_step + cardinality(readers) > $2
    GROUP BY article
)
SELECT article, title, section, state, path, online
FROM here
LEFT JOIN stats.articles AS a ON a.id = here.article AND a.site = $1
LEFT JOIN stats.links AS l USING (article)
WHERE online > 0 AND ($3::text IS NULL OR section = $3) AND (NOT $4 OR (title IS NOT NULL AND path IS NOT NULL))
ORDER BY online DESC, article
LIMIT $5

-- name: sections
WITH g AS (
    SELECT gen FROM stats.generations WHERE state = 'current'
)
SELECT coalesce(section, '') AS section, count(DISTINCT article)::bigint AS articles, sum(views)::bigint AS views,
    sum(visits)::bigint AS visits, sum(visitors)::bigint AS visitors
FROM stats.counts JOIN g USING (gen) LEFT JOIN stats.articles AS a ON a.id = counts.article AND a.site = $1
WHERE counts.site = $1 AND article <> '' AND grain = $2 AND start >= $3 AND start < $4
GROUP BY 1
ORDER BY 3 DESC, 1

-- name: ledger_of
SELECT outcome, reason, sum(events)::bigint AS events
FROM stats.ledger
WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current') AND site = $1 AND day >= $2 AND day < $3
GROUP BY outcome, reason
ORDER BY events DESC, outcome, reason

-- name: referrers_of
SELECT host, sum(visits)::bigint AS visits
FROM stats.referrers
WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current') AND site = $1 AND day >= $2 AND day < $3
GROUP BY host
ORDER BY visits DESC, host

-- name: adjusted
SELECT measure, sum(amount)::bigint AS amount FROM stats.adjustments WHERE site = $1 AND article = '' GROUP BY measure

-- name: counted_until
SELECT coalesce(max(newest_arrived), 0) FROM stats.offsets
WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current')

-- name: save_article
-- An older version never replaces a newer one.
INSERT INTO stats.articles AS a (id, site, version, state, section, title) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE
SET site = EXCLUDED.site, version = EXCLUDED.version, state = EXCLUDED.state, section = EXCLUDED.section,
    title = EXCLUDED.title
WHERE a.version < EXCLUDED.version

-- name: forget_article
UPDATE stats.articles SET state = 'killed', title = NULL WHERE id = $1

-- name: save_link
INSERT INTO stats.links AS l (article, version, path) VALUES ($1, $2, $3)
ON CONFLICT (article) DO UPDATE SET version = EXCLUDED.version, path = EXCLUDED.path
WHERE l.version <= EXCLUDED.version
