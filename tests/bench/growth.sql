-- A history as the counter leaves it, for the growth benchmark. Numbers are rounded at random, so that small ones are right
-- on average, and everything adds up. Days begin at $start of a zone without summer time.

-- name: simulate_articles
INSERT INTO stats.articles (id, site, version, state, section, title)
SELECT md5('article ' || n)::uuid::text, $1, 1, 'published', 'tin-tuc', 'Bài viết số ' || n FROM generate_series(0, $2 - 1) AS n

-- name: simulate_links
INSERT INTO stats.links (article, version, path)
SELECT md5('article ' || n)::uuid::text, 1, '/bai-viet-' || n || '.html' FROM generate_series(0, $1 - 1) AS n

-- name: simulate_article_days
-- Days $4 to before $5 of $6, on $7 partitions, with $3 views on each. The article of rank r, the newest of $2 first, gets
-- views in proportion to (r + 9.5) ^ -1.5: half of them go to the 30 newest ones, and most articles have some every day.
WITH heads AS (
    SELECT greatest(1, ceil(($3::float8 / 0.649) ^ (2 / 3.0)) - 9)::bigint AS head
), days AS (
    SELECT day, partition, head, $2::bigint * day / $6 AS newest
    FROM generate_series($4::integer, $5::integer - 1) AS day, generate_series(0, $7::integer - 1) AS partition, heads
), drawn AS (
    SELECT day, partition, newest - rank AS number,
        floor($3::float8 / 0.649 * (rank + 9.5) ^ -1.5 + random())::bigint AS views
    FROM days, generate_series(0, head - 1) AS rank
    UNION ALL
    SELECT day, partition, newest - floor((head + 9.5) / (1e-4 + random()) ^ 2 - 9.5)::bigint, 1
    FROM days, generate_series(1, round($3::float8 * sqrt(9.5 / (head + 9.5)) + random() - 0.5)::bigint)
), summed AS (
    SELECT day, partition, (number % $2 + $2) % $2 AS number, sum(views)::bigint AS views
    FROM drawn WHERE views > 0 GROUP BY 1, 2, 3
)
INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT 1, $1, md5('article ' || number)::uuid::text, 'day', $8::bigint + 86400 * day, partition, views, visits,
    floor(visits * 0.7 + random())::bigint
FROM (SELECT *, floor(views * 0.6 + random())::bigint AS visits FROM summed) AS s
ORDER BY number

-- name: simulate_site_days
INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT 1, site, '', 'day', bucket_start, partition, sum(views), sum(visits), sum(visitors)
FROM stats.counts WHERE article <> '' GROUP BY site, bucket_start, partition

-- name: simulate_parts
-- Parts of grain $2 of the buckets of grain $1 from $3 on: $4 of each, of $5 seconds.
INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT 1, site, '', $2, bucket_start + part * $5, partition, views * (part + 1) / $4 - views * part / $4,
    visits * (part + 1) / $4 - visits * part / $4, visitors * (part + 1) / $4 - visitors * part / $4
FROM stats.counts, generate_series(0, $4::bigint - 1) AS part
WHERE article = '' AND grain = $1 AND bucket_start >= $3 AND (
    views * (part + 1) / $4 > views * part / $4 OR visits * (part + 1) / $4 > visits * part / $4
    OR visitors * (part + 1) / $4 > visitors * part / $4
)

-- name: simulate_totals
INSERT INTO stats.counts (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT 1, site, article, 'total', 0, partition, sum(views), sum(visits), sum(visitors)
FROM stats.counts WHERE grain = 'day' GROUP BY site, article, partition

-- name: simulate_known_articles
INSERT INTO stats.known_articles (generation, partition, site, article, accepted_at_offset)
SELECT 1, partition, site, article, -1 FROM stats.counts WHERE grain = 'total' AND article <> ''

-- name: simulate_referrers
INSERT INTO stats.referrers (generation, site, day, partition, host, visits)
SELECT 1, site, bucket_start, partition, 'trang-' || n || '.example', visits * (n + 1) / 20 - visits * n / 20
FROM stats.counts, generate_series(0, 19) AS n
WHERE article = '' AND grain = 'day' AND visits * (n + 1) / 20 > visits * n / 20

-- name: simulate_ledger
INSERT INTO stats.ledger (generation, site, day, outcome, reason, partition, events)
SELECT 1, site, bucket_start, outcome, reason, partition, views / share
FROM stats.counts, (VALUES ('counted', '', 1), ('bot', 'crawler', 5), ('duplicate', '', 100)) AS o (outcome, reason, share)
WHERE article = '' AND grain = 'day' AND views >= share

-- name: simulate_visitor_days
-- Of days from $1 on: a visitor ID for each visitor.
INSERT INTO stats.visitor_days (generation, site, day, visitor)
SELECT 1, site, bucket_start, ('x' || substr(md5(bucket_start || ' ' || n), 1, 16))::bit(64)::bigint
FROM (
    SELECT site, bucket_start, sum(visitors)::bigint AS visitors FROM stats.counts
    WHERE article = '' AND grain = 'day' AND bucket_start >= $1
    GROUP BY site, bucket_start
) AS days, generate_series(1, visitors) AS n

-- name: simulate_evidence
-- Of hours from $1 on, in two windows: at most 64 groups, and no more than views.
INSERT INTO stats.evidence (generation, site, hour, agent, window_index, partition, views, arrivals, confirmed, pings, leaves,
    home_views, article_views, direct_views, networks)
SELECT 1, site, bucket_start, agent * 40503, bucket_start / 1800 + half, partition, 1, 1, 1, 0, 1, 0, 1, 0, 1::bit(512)
FROM stats.counts, generate_series(0, 1) AS half, generate_series(1, 64) AS agent
WHERE article = '' AND grain = 'hour' AND bucket_start >= $1 AND agent * 2 + half <= views

-- name: simulate_offsets
-- The log is another one than that of the history: it begins at offset 0.
INSERT INTO stats.offsets (generation, topic, partition, next_offset, offsets_without_record)
SELECT 1, $1, partition, 0, -sum(events) FROM stats.ledger GROUP BY partition

-- name: simulate_new_log
INSERT INTO stats.gaps (generation, topic, partition, first_lost, next_available)
SELECT 1, $1, partition, 0, 0 FROM stats.offsets

-- name: history_views
SELECT coalesce(sum(views), 0)::bigint FROM stats.counts WHERE article = '' AND grain = 'total'

-- name: index_definitions
SELECT indexdef FROM pg_indexes WHERE schemaname = 'stats' AND tablename = 'counts'

-- name: table_sizes
SELECT relname, pg_total_relation_size(oid) AS bytes, greatest(reltuples, 0)::bigint AS rows FROM pg_class
WHERE relnamespace = 'stats'::regnamespace AND relkind = 'r'

-- name: take_turn
-- Waits as a counter does whose partition is being taken over.
SELECT FROM stats.offsets
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND partition = 0
FOR NO KEY UPDATE

-- name: counted_offsets
SELECT partition, next_offset FROM stats.offsets WHERE generation = 1
