-- name: current_gen
SELECT gen FROM stats.generations WHERE state = 'current'

-- name: begin_partitions
-- The first counter of a partition starts at the log's beginning; later ones find where it stands.
INSERT INTO stats.offsets (gen, topic, part, next_offset, unledgered, cluster, topic_id)
SELECT $1, $2, part, beginning, beginning, $5, $6 FROM unnest($3::integer[], $4::bigint[]) AS b (part, beginning)
ON CONFLICT (gen, topic, part) DO UPDATE SET cluster = EXCLUDED.cluster, topic_id = EXCLUDED.topic_id
WHERE offsets.topic_id = ''

-- name: read_partitions
SELECT part, epoch, next_offset, newest_arrived, window_records, window_dead, unledgered, cluster, topic_id
FROM stats.offsets WHERE gen = $1 AND topic = $2 AND part = ANY ($3::integer[])

-- name: apply_batch
SELECT stats.apply_batch(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
    $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::text[], $17::text[], $18::bigint[], $19::bigint[], $20::bigint[],
    $21::text[], $22::bigint[], $23::bigint[], $24::text[], $25::bigint[], $26::bigint[],
    $27::text[], $28::text[], $29::bigint[], $30::integer[], $31::integer[], $32::integer[],
    $33::text[], $34::bigint[], $35::text[], $36::text[], $37::bigint[],
    $38::text[], $39::bigint[], $40::text[], $41::bigint[], $42, $43,
    $44::bigint[], $45::text[], $46::bytea[],
    $47::bigint[], $48::bigint[], $49::bytea[], $50
)

-- name: save_snapshot
INSERT INTO stats.snapshots AS s (gen, topic, part, "offset", memory) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (gen, topic, part) DO UPDATE SET "offset" = EXCLUDED."offset", memory = EXCLUDED.memory
WHERE s."offset" < EXCLUDED."offset"

-- name: read_snapshot
SELECT "offset", memory FROM stats.snapshots WHERE gen = $1 AND topic = $2 AND part = $3 AND "offset" <= $4

-- name: read_past_ids
SELECT closed_at, slot, ids FROM stats.past_ids WHERE gen = $1 AND topic = $2 AND part = $3 ORDER BY closed_at

-- name: pass_gap
-- The epoch rises: whoever still holds the old position is fenced.
WITH moved AS (
    UPDATE stats.offsets SET next_offset = $6, epoch = epoch + 1, unledgered = unledgered + $6 - $5
    WHERE gen = $1 AND topic = $2 AND part = $3 AND epoch = $4 AND next_offset = $5
    RETURNING 1
)
INSERT INTO stats.gaps (gen, topic, part, first_lost, next_there) SELECT $1, $2, $3, $5, $6 FROM moved RETURNING id

-- name: read_differences
-- What must be nothing. `ledger`: offsets that partitions have passed, against the ledger's entries for them.
-- `totals`: the totals of sites ($1), against the sums of their days.
WITH g AS (
    SELECT gen FROM stats.generations WHERE state = 'current'
), entered AS (
    SELECT part, sum(events) AS events FROM stats.ledger JOIN g USING (gen) GROUP BY part
), partitions AS (
    SELECT abs(next_offset - unledgered - coalesce(events, 0)) AS events
    FROM stats.offsets JOIN g USING (gen) LEFT JOIN entered USING (part)
), sites AS (
    SELECT sum(views * sign) AS views, sum(visits * sign) AS visits, sum(visitors * sign) AS visitors
    FROM unnest($1::text[]) AS s (site) CROSS JOIN (VALUES ('total', 1), ('day', -1)) AS grains (grain, sign)
        JOIN g ON true JOIN stats.counts AS c USING (gen, site, grain)
    WHERE c.article = ''
    GROUP BY site, part
)
SELECT (SELECT coalesce(sum(events), 0) FROM partitions)::bigint AS ledger,
    (SELECT coalesce(sum(abs(views) + abs(visits) + abs(visitors)), 0) FROM sites)::bigint AS totals

-- name: prune
-- $1: days before it are decided for good: a record of theirs would be too old. $2: steps before it are shown nowhere.
-- $3: 5-second steps before it are past. Whoever was online then is not; a counter writes the row again when it must.
WITH days AS (DELETE FROM stats.visitor_days WHERE day < $1),
    people AS (DELETE FROM stats.online WHERE first_step + cardinality(readers) < $3)
DELETE FROM stats.counts WHERE grain = 'step' AND start < $2

-- name: newest_arrived
SELECT coalesce(max(newest_arrived), 0) FROM stats.offsets WHERE gen = (SELECT gen FROM stats.generations WHERE state = 'current')

-- name: read_dead_letters
SELECT topic, part, "offset", reason, value, at FROM stats.dead_letters ORDER BY topic, part, "offset" LIMIT $1

-- name: delete_dead_letter
DELETE FROM stats.dead_letters WHERE topic = $1 AND part = $2 AND "offset" = $3

-- name: enter_adjustment
INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING

-- name: read_counter
-- One counter (a site, or an article of it) in one look; the rows read do not grow with the traffic.
-- $3: first 5-second step that is still online. $4, $6: grain and start of today. $5, $7: of the week.
WITH g AS (
    SELECT gen FROM stats.generations WHERE state = 'current'
), counted AS (
    SELECT grain, start, views, visits, visitors FROM stats.counts JOIN g USING (gen)
    WHERE site = $1 AND article = $2 AND grain = 'total'
    UNION ALL
    SELECT 'today', start, views, visits, visitors FROM stats.counts JOIN g USING (gen)
    WHERE site = $1 AND article = $2 AND grain = $4 AND start >= $6
    UNION ALL
    SELECT 'week', start, views, visits, visitors FROM stats.counts JOIN g USING (gen)
    WHERE site = $1 AND article = $2 AND grain = $5 AND start >= $7
), summed AS (
    SELECT grain, sum(CASE $8 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END) AS number
    FROM counted GROUP BY grain
)
SELECT
    (
        SELECT coalesce(sum(seen.people), 0)
        FROM stats.online JOIN g USING (gen),
            unnest(online.readers) WITH ORDINALITY AS seen (people, step)
        WHERE site = $1 AND article = $2 AND first_step + step - 1 >= $3
    )::bigint AS online,
    coalesce((SELECT number FROM summed WHERE grain = 'today'), 0)::bigint AS today,
    coalesce((SELECT number FROM summed WHERE grain = 'week'), 0)::bigint AS week,
    (coalesce((SELECT number FROM summed WHERE grain = 'total'), 0) + coalesce((
        SELECT sum(amount) FROM stats.adjustments WHERE site = $1 AND article = $2 AND measure = $8
    ), 0))::bigint AS total

-- name: building_gens
SELECT gen FROM stats.generations WHERE state = 'building'

-- name: begin_gen
INSERT INTO stats.generations (gen, state) SELECT max(gen) + 1, 'building' FROM stats.generations RETURNING gen

-- name: lock_offsets
SELECT part, next_offset FROM stats.offsets WHERE gen = $1 AND topic = $2 ORDER BY part FOR UPDATE

-- name: keep_counts
-- $3: sites that are counted again, $4: from which day on, $5: from which hour on. Other sites are kept whole.
INSERT INTO stats.counts AS c (gen, site, article, grain, start, part, views, visits, visitors)
SELECT $2, site, article, grain, start, part, views, visits, visitors
FROM stats.counts LEFT JOIN unnest($3::text[], $4::bigint[], $5::bigint[]) AS cut (site, day, hour) USING (site)
WHERE gen = $1 AND grain <> 'total'
    AND (cut.day IS NULL OR start < CASE grain WHEN 'day' THEN cut.day ELSE cut.hour END)
ON CONFLICT (gen, site, article, grain, start, part) DO UPDATE
SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits, visitors = c.visitors + EXCLUDED.visitors

-- name: keep_totals
-- A total is the sum of its days.
INSERT INTO stats.counts AS c (gen, site, article, grain, start, part, views, visits, visitors)
SELECT $2, site, article, 'total', 0, part, sum(views), sum(visits), sum(visitors)
FROM stats.counts LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE gen = $1 AND grain = 'day' AND (cut.day IS NULL OR start < cut.day)
GROUP BY site, article, part
ON CONFLICT (gen, site, article, grain, start, part) DO UPDATE
SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits, visitors = c.visitors + EXCLUDED.visitors

-- name: keep_visitor_days
INSERT INTO stats.visitor_days (gen, site, day, visitor)
SELECT $2, site, visitor_days.day, visitor
FROM stats.visitor_days LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE gen = $1 AND (cut.day IS NULL OR visitor_days.day < cut.day)
ON CONFLICT DO NOTHING

-- name: keep_ledger
INSERT INTO stats.ledger AS l (gen, site, day, outcome, reason, part, events)
SELECT $2, site, ledger.day, outcome, reason, part, events
FROM stats.ledger LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE gen = $1 AND (cut.day IS NULL OR ledger.day < cut.day)
ON CONFLICT (gen, site, day, outcome, reason, part) DO UPDATE SET events = l.events + EXCLUDED.events

-- name: keep_referrers
INSERT INTO stats.referrers AS r (gen, site, day, part, host, visits)
SELECT $2, site, referrers.day, part, host, visits
FROM stats.referrers LEFT JOIN unnest($3::text[], $4::bigint[]) AS cut (site, day) USING (site)
WHERE gen = $1 AND (cut.day IS NULL OR referrers.day < cut.day)
ON CONFLICT (gen, site, day, part, host) DO UPDATE SET visits = r.visits + EXCLUDED.visits

-- name: broken_parts
-- Partitions whose log does not begin where the counts began, though it may begin at offset 0.
SELECT DISTINCT part FROM stats.gaps WHERE gen = $1 AND topic = $2

-- name: note_new_log
INSERT INTO stats.gaps (gen, topic, part, first_lost, next_there)
SELECT $1, $2, part, beginning, beginning FROM unnest($3::integer[], $4::bigint[]) AS b (part, beginning)

-- name: settle_ledger
-- A rebuild keeps the entries of some days and counts others again: what is read from now on must fit the ledger.
UPDATE stats.offsets AS o SET unledgered = next_offset - (
    SELECT coalesce(sum(events), 0) FROM stats.ledger AS l WHERE l.gen = o.gen AND l.part = o.part
)
WHERE gen = $1

-- name: keep_gaps
UPDATE stats.gaps SET gen = $2 WHERE gen = $1

-- name: delete_gen
DELETE FROM stats.generations WHERE gen = $1

-- name: make_current
UPDATE stats.generations SET state = 'current' WHERE gen = $1

-- name: delete_offsets
DELETE FROM stats.offsets WHERE gen = $1
