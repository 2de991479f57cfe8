-- name: current_generation
SELECT generation FROM stats.generations WHERE state = 'current'

-- name: begin_partitions
-- The first counter of a partition begins at the start of the log; later ones go on from the stored offset.
INSERT INTO stats.offsets (generation, topic, partition, next_offset, offsets_without_record, cluster, topic_id)
SELECT $1, $2, partition, beginning, beginning, $5, $6
FROM unnest($3::integer[], $4::bigint[]) AS b (partition, beginning)
ON CONFLICT (generation, topic, partition) DO UPDATE SET cluster = EXCLUDED.cluster, topic_id = EXCLUDED.topic_id
WHERE offsets.topic_id = ''

-- name: read_partitions
SELECT partition, epoch, next_offset, newest_arrived, window_records, window_dead_letters, offsets_without_record,
    cluster, topic_id, last_record
FROM stats.offsets WHERE generation = $1 AND topic = $2 AND partition = ANY ($3::integer[])

-- name: read_place
SELECT epoch, next_offset FROM stats.offsets WHERE generation = $1 AND topic = $2 AND partition = $3

-- name: counted_partitions
SELECT partition FROM stats.offsets
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND topic = $1
ORDER BY partition

-- name: accept_dead_letters
-- $2, $3: partitions and how far their records may be unreadable. Negative dead letters are that many accepted records.
-- The epoch increases: a counter that still has the old position is fenced, and one that waits continues.
UPDATE stats.offsets AS o
SET window_records = 0, window_dead_letters = next_offset - e.accepted_until, epoch = epoch + 1
FROM unnest($2::integer[], $3::bigint[]) AS e (partition, accepted_until)
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND topic = $1
    AND o.partition = e.partition AND next_offset < e.accepted_until
RETURNING o.partition, next_offset, e.accepted_until

-- name: apply_batch
SELECT stats.apply_batch(
    batch_generation => $1, batch_topic => $2, positions => $3, limits => $4, day_counts => $5, bucket_counts => $6,
    daily_visitors => $7, presence => $8, ledger_entries => $9, referrer_visits => $10, unreadable => $11,
    accepted_articles => $12, evicted => $13, evidence_rows => $14
)

-- name: read_evidence_from
SELECT evidence_from FROM stats.offsets WHERE generation = $1 AND topic = $2 AND partition = $3

-- name: save_snapshot
INSERT INTO stats.snapshots AS s (generation, topic, partition, "offset", state) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (generation, topic, partition) DO UPDATE SET "offset" = EXCLUDED."offset", state = EXCLUDED.state
WHERE s."offset" < EXCLUDED."offset"

-- name: read_snapshot
SELECT "offset", state FROM stats.snapshots
WHERE generation = $1 AND topic = $2 AND partition = $3 AND "offset" <= $4

-- name: read_evicted_state
SELECT evicted_at_offset, window_index, ids, activities FROM stats.evicted_state
WHERE generation = $1 AND topic = $2 AND partition = $3
ORDER BY evicted_at_offset

-- name: count_newest_articles
-- How many articles and pages of each site were accepted on the newest day, by `known_articles.limit_key`.
SELECT site || CASE WHEN starts_with(article, '/') THEN '/' ELSE '' END, day, count(*) FROM stats.known_articles
WHERE generation = $1 AND partition = $2
    AND day = (SELECT max(day) FROM stats.known_articles WHERE generation = $1 AND partition = $2)
GROUP BY 1, day

-- name: find_known_articles
SELECT site, article, accepted_at_offset
FROM unnest($3::text[], $4::text[]) AS wanted (site, article) JOIN stats.known_articles AS k USING (site, article)
WHERE k.generation = $1 AND k.partition = $2

-- name: skip_gap
-- The epoch increases: a counter that still has the old position is fenced.
WITH moved AS (
    UPDATE stats.offsets
    SET next_offset = $6, epoch = epoch + 1, offsets_without_record = offsets_without_record + $6 - $5,
        last_record = NULL
    WHERE generation = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND next_offset = $5
    RETURNING 1
)
INSERT INTO stats.gaps (generation, topic, partition, first_lost, next_available)
SELECT $1, $2, $3, $5, $6 FROM moved RETURNING id

-- name: continue_after_lost_records
-- The ledger keeps the entries of records that are gone: offsets_without_record becomes smaller, also negative.
UPDATE stats.offsets
SET next_offset = $6, epoch = epoch + 1, offsets_without_record = offsets_without_record + $6 - $5, last_record = NULL,
    pages_from = least(pages_from, $6), evidence_from = least(evidence_from, $6)
WHERE generation = $1 AND topic = $2 AND partition = $3 AND epoch = $4 AND next_offset = $5
RETURNING newest_arrived

-- name: move_snapshot_back
-- What the state knows was counted, and stays counted: a copy of a lost event that is sent again is a duplicate.
UPDATE stats.snapshots SET "offset" = $4 WHERE generation = $1 AND topic = $2 AND partition = $3 AND "offset" > $4

-- name: move_evicted_state_back
-- To offsets before all records, each another one: so they are looked up, and no later eviction meets them.
UPDATE stats.evicted_state AS e SET evicted_at_offset = moved.evicted_at_offset
FROM (
    SELECT evicted_at_offset AS was, least(0, min(evicted_at_offset) OVER ()) - row_number() OVER (ORDER BY
        evicted_at_offset) AS evicted_at_offset
    FROM stats.evicted_state WHERE generation = $1 AND topic = $2 AND partition = $3
) AS moved
WHERE generation = $1 AND topic = $2 AND partition = $3 AND e.evicted_at_offset = moved.was AND moved.was > $4

-- name: move_known_articles_back
-- The offsets of lost records become those of others: the ids that were accepted there stay known, from $3 on.
UPDATE stats.known_articles SET accepted_at_offset = $3, day = NULL
WHERE generation = $1 AND partition = $2 AND accepted_at_offset >= $3

-- name: record_lost_records
INSERT INTO stats.gaps (generation, topic, partition, first_lost, next_available, counted_until)
VALUES ($1, $2, $3, $4, $4, $5)

-- name: counted_until
-- What is counted of a former log arrived before the new one was found, whether that has a record yet or not.
SELECT coalesce(max(
    CASE WHEN counted_until = 0 AND first_lost = next_available THEN (extract(epoch FROM found_at) * 1000)::bigint
    ELSE counted_until END
), 0)
FROM stats.gaps WHERE generation = $1 AND topic = $2

-- name: read_differences
-- Differences; each must be 0. `ledger`: offsets that partitions have passed, compared with their ledger entries.
-- `totals`: the totals of sites ($1), compared with the sums of their days.
WITH g AS (
    SELECT generation FROM stats.generations WHERE state = 'current'
), entered AS (
    SELECT partition, sum(events) AS events FROM stats.ledger JOIN g USING (generation) GROUP BY partition
), partitions AS (
    SELECT abs(next_offset - offsets_without_record - coalesce(events, 0)) AS events
    FROM stats.offsets JOIN g USING (generation) LEFT JOIN entered USING (partition)
), sites AS (
    SELECT sum(views * sign) AS views, sum(visits * sign) AS visits, sum(visitors * sign) AS visitors
    FROM unnest($1::text[]) AS s (site) CROSS JOIN (VALUES ('total', 1), ('day', -1)) AS grains (grain, sign)
        JOIN g ON true JOIN stats.counts AS c USING (generation, site, grain)
    WHERE c.article = ''
    GROUP BY site, partition
)
SELECT (SELECT coalesce(sum(events), 0) FROM partitions)::bigint AS ledger,
    (SELECT coalesce(sum(abs(views) + abs(visits) + abs(visitors)), 0) FROM sites)::bigint AS totals

-- name: delete_expired
-- $1: days before it can get no more records: those would be too old. $2: 5m buckets before it are in no window; only
-- sites have them, and so their index finds them without the days of articles.
-- $3: presence buckets before it are no longer online; a counter writes the row again when it must.
-- $4: windows before it were evicted so long ago that no event in the log can refer to them. Evidence has the lifetime of
-- visitor IDs.
WITH days AS (DELETE FROM stats.visitor_days WHERE day < $1),
    evidence AS (DELETE FROM stats.evidence WHERE hour < $1),
    excluded AS (DELETE FROM stats.excluded_visitors WHERE day < $1),
    presence AS (DELETE FROM stats.online WHERE first_bucket + cardinality(visitors) < $3),
    evicted AS (DELETE FROM stats.evicted_state WHERE window_index < $4)
DELETE FROM stats.counts WHERE article = '' AND grain = '5m' AND bucket_start < $2

-- name: delete_expired_reads
DELETE FROM stats.shared_reads WHERE valid_until < now() - interval '10 seconds'

-- name: newest_counted
-- The newest arrival, but not after Postgres' clock: one record that is stamped far ahead must not expire anything.
SELECT least(coalesce(max(newest_arrived), 0), (extract(epoch FROM now()) * 1000)::bigint) FROM stats.offsets
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current')

-- name: read_dead_letters
SELECT topic, partition, "offset", reason, value, created_at FROM stats.dead_letters
ORDER BY topic, partition, "offset" LIMIT $1

-- name: delete_dead_letter
DELETE FROM stats.dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3

-- name: insert_adjustment
INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at, excluded_agent, excluded_from,
    excluded_to)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING

-- name: read_exclusions
SELECT id, site, excluded_agent, excluded_from, excluded_to, (extract(epoch FROM created_at) * 1000)::bigint AS at
FROM stats.adjustments WHERE num_nulls(excluded_agent, excluded_from, excluded_to) = 0 ORDER BY created_at, id

-- name: read_adjustment_ids
SELECT id FROM stats.adjustments

-- name: read_excluded
SELECT site, array_agg(DISTINCT visitor) AS visitors FROM stats.excluded_visitors WHERE generation = $1 GROUP BY site

-- name: apply_exclusion
INSERT INTO stats.applied_exclusions (generation, adjustment, is_excluded, visitors, arrived_before)
VALUES ($1, $2, $3, $4, $5)

-- name: exclude_visitors
INSERT INTO stats.excluded_visitors (generation, site, adjustment, day, visitor)
SELECT $1, $2, $3, $4, visitor FROM unnest($5::bigint[]) AS v (visitor)

-- name: list_exclusions
SELECT id, site, excluded_agent, excluded_from, excluded_to, who, why, is_excluded, visitors,
    coalesce(nullif(arrived_before, 0), (extract(epoch FROM created_at) * 1000)::bigint) AS arrived_before
FROM stats.adjustments LEFT JOIN stats.applied_exclusions AS e ON e.adjustment = id
    AND e.generation = (SELECT generation FROM stats.generations WHERE state = 'current')
WHERE num_nulls(excluded_agent, excluded_from, excluded_to) = 0 AND ($1::text IS NULL OR site = $1)
ORDER BY created_at, id

-- name: read_exclusion_visitors
SELECT is_excluded, visitors, arrived_before FROM stats.applied_exclusions
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND adjustment = $1

-- name: read_excluded_number
SELECT visitors FROM stats.applied_exclusions WHERE generation = $1 AND adjustment = $2

-- name: copy_applied_exclusion
-- Of a day that keeps its counts.
INSERT INTO stats.applied_exclusions (generation, adjustment, is_excluded, visitors, arrived_before)
SELECT $2, adjustment, is_excluded, visitors, arrived_before FROM stats.applied_exclusions WHERE generation = $1 AND adjustment = $3

-- name: copy_excluded_visitors
INSERT INTO stats.excluded_visitors (generation, site, adjustment, day, visitor)
SELECT $2, site, adjustment, day, visitor FROM stats.excluded_visitors WHERE generation = $1 AND adjustment = $3

-- name: read_counter
-- One counter (a site, or an article of it) in one query; the number of rows read does not grow with the traffic.
-- $3: first presence bucket that is still online. $4, $6: grain and bucket_start of today. $5, $7: of the week.
WITH g AS (
    SELECT generation FROM stats.generations WHERE state = 'current'
), counted AS (
    SELECT grain, bucket_start, views, visits, visitors FROM stats.counts JOIN g USING (generation)
    WHERE site = $1 AND article = $2 AND grain = 'total'
    UNION ALL
    SELECT 'today', bucket_start, views, visits, visitors FROM stats.counts JOIN g USING (generation)
    WHERE site = $1 AND article = $2 AND grain = $4 AND bucket_start >= $6
    UNION ALL
    SELECT 'week', bucket_start, views, visits, visitors FROM stats.counts JOIN g USING (generation)
    WHERE site = $1 AND article = $2 AND grain = $5 AND bucket_start >= $7
), summed AS (
    SELECT grain, sum(CASE $8 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END) AS number
    FROM counted GROUP BY grain
)
SELECT
    (
        SELECT coalesce(sum(seen.visitors), 0)
        FROM stats.online JOIN g USING (generation),
            unnest(online.visitors) WITH ORDINALITY AS seen (visitors, number)
        WHERE site = $1 AND article = $2 AND first_bucket + number - 1 >= $3
    )::bigint AS online,
    coalesce((SELECT number FROM summed WHERE grain = 'today'), 0)::bigint AS today,
    coalesce((SELECT number FROM summed WHERE grain = 'week'), 0)::bigint AS week,
    (coalesce((SELECT number FROM summed WHERE grain = 'total'), 0) + coalesce((
        SELECT sum(amount) FROM stats.adjustments WHERE site = $1 AND article = $2 AND measure = $8
    ), 0))::bigint AS total

-- name: counted_position
-- Each commit of counts moves an offset, and whatever else moves one has a new epoch.
SELECT generation || ':' || sum(epoch) || ':' || sum(next_offset) FROM stats.offsets
WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') GROUP BY generation

-- name: find_shared_read
-- One that expired has no seconds left. One of more than $2 ahead was read before the server's clock was set back.
SELECT value, extract(epoch FROM valid_until - now())::float8 AS valid_seconds FROM stats.shared_reads
WHERE key = $1 AND read_at < now() + $2

-- name: store_shared_read
-- Only after the previous one: another widget may return that one until it expires.
INSERT INTO stats.shared_reads AS s (key, read_at, valid_until, value) VALUES ($1, $3, $4, $5)
ON CONFLICT (key) DO UPDATE
SET read_at = EXCLUDED.read_at, valid_until = EXCLUDED.valid_until, value = EXCLUDED.value
WHERE s.valid_until <= EXCLUDED.read_at OR s.read_at >= EXCLUDED.read_at + $2
RETURNING true

-- name: begin_snapshot
-- The first statement of a transaction takes its snapshot; now() was before it, clock_timestamp() is after it.
SELECT now() AS begun_at, clock_timestamp() AS taken_by

-- name: leftover_generations
-- Those that are being built, and those that only rows are left of: of each the first row is looked up.
WITH RECURSIVE counted AS (
    (SELECT generation FROM stats.counts ORDER BY generation LIMIT 1)
    UNION ALL
    SELECT (SELECT c.generation FROM stats.counts AS c WHERE c.generation > counted.generation ORDER BY c.generation LIMIT 1)
    FROM counted WHERE generation IS NOT NULL
)
SELECT generation FROM stats.generations WHERE state = 'building'
UNION SELECT generation FROM counted WHERE generation NOT IN (SELECT generation FROM stats.generations)

-- name: begin_generation
INSERT INTO stats.generations (generation, state) SELECT max(generation) + 1, 'building' FROM stats.generations RETURNING generation

-- name: lock_offsets
SELECT partition, next_offset FROM stats.offsets WHERE generation = $1 AND topic = $2 ORDER BY partition FOR UPDATE

-- name: table_pages
SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::integer

-- name: copy_settled_counts
-- Rows in the pages $6 to $7 of the table. $3: sites that are counted again, $4: from which day on. Of other sites all is kept.
INSERT INTO stats.counts AS c (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT $2, site, article, grain, bucket_start, partition, views, visits, visitors
FROM stats.counts LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE counts.ctid >= $6::tid AND counts.ctid < $7::tid AND generation = $1 AND grain <> 'total' AND bucket_start < $5
    AND (cut.day IS NULL OR bucket_start < cut.day)
ON CONFLICT (generation, site, article, grain, bucket_start, partition) DO UPDATE
SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits, visitors = c.visitors + EXCLUDED.visitors

-- name: copy_settled_totals
-- A total is the sum of its days.
INSERT INTO stats.counts AS c (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT $2, site, article, 'total', 0, partition, sum(views), sum(visits), sum(visitors)
FROM stats.counts LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE generation = $1 AND grain = 'day' AND bucket_start < $5 AND (cut.day IS NULL OR bucket_start < cut.day)
GROUP BY site, article, partition
ON CONFLICT (generation, site, article, grain, bucket_start, partition) DO UPDATE
SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits, visitors = c.visitors + EXCLUDED.visitors

-- name: copy_kept_counts
-- From $5 on. Each site's rows and those of its articles have an index of their own, so that earlier days are not read.
WITH RECURSIVE sites AS (
    (SELECT site FROM stats.counts WHERE generation = $1 ORDER BY site LIMIT 1)
    UNION ALL
    SELECT (SELECT c.site FROM stats.counts AS c WHERE generation = $1 AND c.site > sites.site ORDER BY c.site LIMIT 1)
    FROM sites WHERE site IS NOT NULL
), kept AS (
    SELECT c.* FROM sites LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site), LATERAL (
        SELECT * FROM stats.counts AS c
        WHERE c.generation = $1 AND c.site = sites.site AND article = '' AND grain IN ('5m', 'hour', 'day')
            AND bucket_start >= $5 AND (cut.day IS NULL OR bucket_start < cut.day)
        UNION ALL
        SELECT * FROM stats.counts AS c
        WHERE c.generation = $1 AND c.site = sites.site AND article <> '' AND grain IN ('5m', 'hour', 'day')
            AND bucket_start >= $5 AND (cut.day IS NULL OR bucket_start < cut.day)
    ) AS c
), added AS (
    SELECT site, article, grain, bucket_start, partition, views, visits, visitors FROM kept
    UNION ALL
    SELECT site, article, 'total', 0, partition, sum(views), sum(visits), sum(visitors) FROM kept WHERE grain = 'day'
    GROUP BY site, article, partition
)
INSERT INTO stats.counts AS c (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
SELECT $2, added.* FROM added
ON CONFLICT (generation, site, article, grain, bucket_start, partition) DO UPDATE
SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits, visitors = c.visitors + EXCLUDED.visitors

-- name: copy_kept_visitor_days
-- Of days from $5 to before $6, as the following queries.
INSERT INTO stats.visitor_days (generation, site, day, visitor)
SELECT $2, site, visitor_days.day, visitor
FROM stats.visitor_days LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE generation = $1 AND visitor_days.day >= $5 AND visitor_days.day < $6 AND (cut.day IS NULL OR visitor_days.day < cut.day)
ON CONFLICT DO NOTHING

-- name: copy_kept_ledger
INSERT INTO stats.ledger AS l (generation, site, day, outcome, reason, partition, events)
SELECT $2, site, ledger.day, outcome, reason, partition, events
FROM stats.ledger LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE generation = $1 AND ledger.day >= $5 AND ledger.day < $6 AND (cut.day IS NULL OR ledger.day < cut.day)
ON CONFLICT (generation, site, day, outcome, reason, partition) DO UPDATE SET events = l.events + EXCLUDED.events

-- name: events_of_other_sites
-- By partition, of sites that are not in $2.
SELECT partition, site, sum(events)::bigint AS events
FROM stats.ledger
WHERE generation = $1 AND NOT site = ANY($2::text[])
GROUP BY partition, site

-- name: copy_kept_referrers
INSERT INTO stats.referrers AS r (generation, site, day, partition, host, visits)
SELECT $2, site, referrers.day, partition, host, visits
FROM stats.referrers LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE generation = $1 AND referrers.day >= $5 AND referrers.day < $6 AND (cut.day IS NULL OR referrers.day < cut.day)
ON CONFLICT (generation, site, day, partition, host) DO UPDATE SET visits = r.visits + EXCLUDED.visits

-- name: copy_kept_evidence
INSERT INTO stats.evidence AS e (generation, site, hour, agent, window_index, partition, views, arrivals, confirmed, pings,
    leaves, home_views, article_views, direct_views, networks)
SELECT $2, site, hour, agent, window_index, partition, views, arrivals, confirmed, pings, leaves, home_views,
    article_views, direct_views, networks
FROM stats.evidence LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE generation = $1 AND hour >= $5 AND hour < $6 AND (cut.day IS NULL OR hour < cut.day)

-- name: copy_decided_articles
-- $3, $4: partitions, and the offsets before which articles stay as they were decided. $5: sites that are counted again.
INSERT INTO stats.known_articles (generation, partition, site, article, accepted_at_offset, day)
SELECT $2, partition, site, article, accepted_at_offset, day
FROM stats.known_articles LEFT JOIN unnest($3::integer[], $4::bigint[]) AS cut (partition, decided_before) USING (partition)
WHERE generation = $1
    AND (day IS NULL OR accepted_at_offset < coalesce(decided_before, 0) OR site <> ALL ($5::text[]))

-- name: copy_known_articles
-- $3, $4: partitions, and where the new log begins: what was known before is known from there on.
INSERT INTO stats.known_articles (generation, partition, site, article, accepted_at_offset, day)
SELECT $2, partition, site, article, coalesce(beginning, -1), NULL
FROM stats.known_articles LEFT JOIN unnest($3::integer[], $4::bigint[]) AS log (partition, beginning) USING (partition)
WHERE generation = $1

-- name: copy_snapshots
-- What the state knows was counted, and stays counted: a copy of an event of the former log is a duplicate in the new one.
INSERT INTO stats.snapshots (generation, topic, partition, "offset", state)
SELECT $2, topic, partition, beginning, state
FROM stats.snapshots JOIN unnest($4::integer[], $5::bigint[]) AS log (partition, beginning) USING (partition)
WHERE generation = $1 AND topic = $3

-- name: copy_evicted_state
-- To offsets before all records of the new log.
INSERT INTO stats.evicted_state (generation, topic, partition, evicted_at_offset, window_index, ids, activities)
SELECT $2, topic, partition, -row_number() OVER (PARTITION BY partition ORDER BY evicted_at_offset DESC), window_index, ids,
    activities
FROM stats.evicted_state WHERE generation = $1 AND topic = $3

-- name: partitions_with_gaps
-- Partitions whose log does not begin where counting began, even if it begins at offset 0.
SELECT DISTINCT partition FROM stats.gaps WHERE generation = $1 AND topic = $2

-- name: record_new_log
INSERT INTO stats.gaps (generation, topic, partition, first_lost, next_available)
SELECT $1, $2, partition, beginning, beginning FROM unnest($3::integer[], $4::bigint[]) AS b (partition, beginning)

-- name: reset_offsets_without_record
-- A rebuild keeps the ledger entries of some days and counts others again: from now on offsets must match the ledger.
UPDATE stats.offsets AS o SET offsets_without_record = next_offset - (
    SELECT coalesce(sum(events), 0) FROM stats.ledger AS l WHERE l.generation = o.generation AND l.partition = o.partition
)
WHERE generation = $1

-- name: move_gaps
UPDATE stats.gaps SET generation = $2 WHERE generation = $1

-- name: delete_generation
DELETE FROM stats.generations WHERE generation = $1

-- name: make_current
UPDATE stats.generations SET state = 'current' WHERE generation = $1

-- name: delete_offsets
DELETE FROM stats.offsets WHERE generation = $1

-- name: counted_sites
WITH RECURSIVE sites AS (
    (SELECT site FROM stats.counts WHERE generation = $1 ORDER BY site LIMIT 1)
    UNION ALL
    SELECT (SELECT c.site FROM stats.counts AS c WHERE generation = $1 AND c.site > sites.site ORDER BY c.site LIMIT 1)
    FROM sites WHERE site IS NOT NULL
)
SELECT site FROM sites WHERE site IS NOT NULL

-- name: first_article_day
-- $2: sites.
SELECT min(first.bucket_start) FROM unnest($2::text[]) AS counted (site), LATERAL (
    SELECT bucket_start FROM stats.counts AS c
    WHERE generation = $1 AND c.site = counted.site AND article <> '' AND grain = 'day' ORDER BY bucket_start LIMIT 1
) AS first

-- name: summing_turn
-- One counter sums a generation at a time.
SELECT pg_try_advisory_xact_lock($1, $2)

-- name: read_summed_until
SELECT before, of_8_days, of_64_days FROM stats.summed_until WHERE generation = $1

-- name: begin_sums
INSERT INTO stats.summed_until (generation, before, of_8_days, of_64_days) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: sum_days
-- $2, $3: the span and its start. $4, $5: begin and end of its days. $6: sites. In the order of the index, as it is read.
INSERT INTO stats.article_sums AS s (generation, site, span, span_start, article, views, visits, visitors)
SELECT $1, site, $2, $3, article, sum(views), sum(visits), sum(visitors)
FROM unnest($6::text[]) AS counted (site) JOIN stats.counts USING (site)
WHERE generation = $1 AND article <> '' AND grain = 'day' AND bucket_start >= $4 AND bucket_start < $5
GROUP BY site, article
ORDER BY site, article
ON CONFLICT (generation, site, span, span_start, article) DO UPDATE
SET views = s.views + EXCLUDED.views, visits = s.visits + EXCLUDED.visits, visitors = s.visitors + EXCLUDED.visitors

-- name: sum_spans
-- As `sum_days`, of shorter spans.
INSERT INTO stats.article_sums (generation, site, span, span_start, article, views, visits, visitors)
SELECT $1, site, $2, $3, article, sum(views), sum(visits), sum(visitors)
FROM unnest($6::text[]) AS counted (site) JOIN stats.article_sums USING (site)
WHERE generation = $1 AND span = '8 days' AND span_start >= $4 AND span_start < $5
GROUP BY site, article
ORDER BY site, article

-- name: move_summed_until
-- From $2, $3, $4 to $5, $6, $7: nothing is summed twice, and nothing of a generation that is gone.
UPDATE stats.summed_until SET before = $5, of_8_days = $6, of_64_days = $7
WHERE generation = $1 AND before = $2 AND of_8_days = $3 AND of_64_days = $4
