-- name: begin_partitions
-- The first counter of a partition starts at the log's beginning; later ones find where it stands.
INSERT INTO stats.offsets (topic, part, next_offset, replay_from)
SELECT $1, part, beginning, beginning FROM unnest($2::integer[], $3::bigint[]) AS b (part, beginning)
ON CONFLICT DO NOTHING

-- name: read_partitions
SELECT part, epoch, next_offset, replay_from FROM stats.offsets WHERE topic = $1 AND part = ANY ($2::integer[])

-- name: apply_batch
SELECT stats.apply_batch(
    $1, $2, $3, $4, $5, $6,
    $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[],
    $13::text[], $14::text[], $15::bigint[], $16::bigint[],
    $17::text[], $18::bigint[], $19::text[], $20::text[], $21::bigint[], $22::bigint[],
    $23::text[], $24::bigint[], $25::text[], $26::text[], $27::bigint[],
    $28::bigint[], $29::text[], $30::bytea[]
)

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
WITH counted AS (
    SELECT grain, start, views, visits, visitors FROM stats.counts
    WHERE site = $1 AND article = $2 AND grain = 'total'
    UNION ALL
    SELECT 'today', start, views, visits, visitors FROM stats.counts
    WHERE site = $1 AND article = $2 AND grain = $4 AND start >= $6
    UNION ALL
    SELECT 'week', start, views, visits, visitors FROM stats.counts
    WHERE site = $1 AND article = $2 AND grain = $5 AND start >= $7
), summed AS (
    SELECT grain, sum(CASE $8 WHEN 'views' THEN views WHEN 'visits' THEN visits ELSE visitors END) AS number
    FROM counted GROUP BY grain
)
SELECT
    (SELECT coalesce(sum(visitors), 0) FROM stats.online WHERE site = $1 AND article = $2 AND step >= $3)::bigint
        AS online,
    coalesce((SELECT number FROM summed WHERE grain = 'today'), 0)::bigint AS today,
    coalesce((SELECT number FROM summed WHERE grain = 'week'), 0)::bigint AS week,
    (coalesce((SELECT number FROM summed WHERE grain = 'total'), 0) + coalesce((
        SELECT sum(amount) FROM stats.adjustments WHERE site = $1 AND article = $2 AND measure = $8
    ), 0))::bigint AS total
