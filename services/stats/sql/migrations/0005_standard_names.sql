-- Standard names for columns and grains, and one argument for each table in `stats.apply_batch`. All rows stay.
-- A counter of the former version cannot write to this schema; it stops, and nothing is counted twice or lost.
DROP FUNCTION stats.apply_batch;

ALTER TABLE stats.past_ids RENAME TO evicted_ids;
ALTER TABLE stats.evicted_ids RENAME CONSTRAINT past_ids_pkey TO evicted_ids_pkey;
ALTER TABLE stats.evicted_ids RENAME COLUMN closed_at TO evicted_at_offset;
ALTER TABLE stats.evicted_ids RENAME COLUMN slot TO window_index;

ALTER TABLE stats.generations RENAME COLUMN gen TO generation;
ALTER TABLE stats.offsets RENAME COLUMN gen TO generation;
ALTER TABLE stats.counts RENAME COLUMN gen TO generation;
ALTER TABLE stats.online RENAME COLUMN gen TO generation;
ALTER TABLE stats.visitor_days RENAME COLUMN gen TO generation;
ALTER TABLE stats.ledger RENAME COLUMN gen TO generation;
ALTER TABLE stats.snapshots RENAME COLUMN gen TO generation;
ALTER TABLE stats.evicted_ids RENAME COLUMN gen TO generation;
ALTER TABLE stats.gaps RENAME COLUMN gen TO generation;
ALTER TABLE stats.referrers RENAME COLUMN gen TO generation;
ALTER TABLE stats.offsets RENAME COLUMN part TO partition;
ALTER TABLE stats.counts RENAME COLUMN part TO partition;
ALTER TABLE stats.online RENAME COLUMN part TO partition;
ALTER TABLE stats.ledger RENAME COLUMN part TO partition;
ALTER TABLE stats.dead_letters RENAME COLUMN part TO partition;
ALTER TABLE stats.snapshots RENAME COLUMN part TO partition;
ALTER TABLE stats.evicted_ids RENAME COLUMN part TO partition;
ALTER TABLE stats.gaps RENAME COLUMN part TO partition;
ALTER TABLE stats.referrers RENAME COLUMN part TO partition;

ALTER TABLE stats.offsets RENAME COLUMN window_dead TO window_dead_letters;
ALTER TABLE stats.offsets RENAME COLUMN unledgered TO offsets_without_record;
ALTER TABLE stats.counts RENAME COLUMN start TO bucket_start;
ALTER TABLE stats.online RENAME COLUMN first_step TO first_bucket;
ALTER TABLE stats.online RENAME COLUMN readers TO visitors;
ALTER TABLE stats.dead_letters RENAME COLUMN at TO created_at;
ALTER TABLE stats.adjustments RENAME COLUMN at TO created_at;
ALTER TABLE stats.snapshots RENAME COLUMN memory TO state;
ALTER TABLE stats.gaps RENAME COLUMN next_there TO next_available;

ALTER TABLE stats.counts DROP CONSTRAINT counts_grain_check;
UPDATE stats.counts SET grain = '5m' WHERE grain = 'step';
ALTER TABLE stats.counts ADD CONSTRAINT counts_grain_check CHECK (grain IN ('5m', 'hour', 'day', 'total'));

-- Since Postgres 18 NOT NULL constraints have names, which keep the former column's.
DO $$
DECLARE
    former record;
BEGIN
    FOR former IN
        SELECT c.conrelid::regclass AS relation, c.conname AS name, r.relname || '_' || a.attname || '_not_null' AS new_name
        FROM pg_constraint AS c
        JOIN pg_class AS r ON r.oid = c.conrelid
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'n' AND c.connamespace = 'stats'::regnamespace
    LOOP
        IF former.name <> former.new_name THEN
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', former.relation, former.name, former.new_name);
        END IF;
    END LOOP;
END
$$;

COMMENT ON TABLE stats.generations IS 'Sets of counts. Queries read the current one; a rebuild fills the next one.';
COMMENT ON COLUMN stats.offsets.epoch IS 'Increases when next_offset is moved other than by counting: over a gap, or by a rebuild.';
COMMENT ON COLUMN stats.offsets.cluster IS 'The Kafka cluster of these offsets; empty until a counter has read it.';
COMMENT ON COLUMN stats.offsets.topic_id IS 'The id of the topic: a topic of the same name with another id is another topic.';
COMMENT ON COLUMN stats.offsets.window_dead_letters IS 'Dead letters among the last window_records records: too many stop the counter.';
COMMENT ON COLUMN stats.offsets.offsets_without_record IS 'Offsets before next_offset without a ledger entry: from before counting began, deleted before they were counted, or the end of a transaction. All others are in the ledger.';
COMMENT ON COLUMN stats.counts.bucket_start IS 'Seconds since 1970 UTC; 0 for the total.';
COMMENT ON TABLE stats.online IS 'Visitors by when they were last seen, in buckets of 5 seconds from first_bucket (seconds since 1970 UTC, divided by 5). Old buckets stop counting by themselves.';
COMMENT ON TABLE stats.visitor_days IS 'The visitor IDs of each local day: they make daily visitors distinct.';
COMMENT ON TABLE stats.ledger IS 'Outcome of every record read, by local day of its arrival.';
COMMENT ON TABLE stats.dead_letters IS 'Waiting for delivery to the dead-letter topic; deleted once Kafka has them.';
COMMENT ON TABLE stats.snapshots IS 'State of a partition after all records before the offset. A cache: it can be rebuilt from the log.';
COMMENT ON TABLE stats.evicted_ids IS 'Event ids that a partition''s state dropped at an offset: they identify a late event that was counted before an outage.';
COMMENT ON TABLE stats.gaps IS 'Records that Kafka deleted before they were counted. Each row raises an alert.';
COMMENT ON TABLE stats.referrers IS 'Referrer hosts of visits, by local day. An empty host: direct or unknown.';
COMMENT ON TABLE stats.articles IS 'Titles and sections from the topic articles. The title of a killed article is null.';
COMMENT ON TABLE stats.links IS 'Path under which the portal serves an article, from the topic pages-live; null once it was withdrawn.';
COMMENT ON INDEX stats.counts_of_articles IS 'For the top articles: the rows of a day without those of all other days. Counts are not in it, so that adding to a count does not change it.';

-- The arguments of `stats.apply_batch`: one type for each table, with an array for each column. A caller sets fields by
-- name, so that no two columns can be swapped. Arrays of one value have equal lengths; element n of each makes row n.
CREATE TYPE stats.batch_position AS (
    generation integer,
    epoch bigint,
    next_offset bigint,
    newest_arrived bigint,
    window_records integer,
    window_dead_letters integer,
    offsets_without_record bigint
);
COMMENT ON TYPE stats.batch_position IS 'How far a partition is counted: its row of stats.offsets.';

CREATE TYPE stats.batch_limits AS (
    hosts_max integer,
    other_hosts text,
    oldest_window_index bigint
);
COMMENT ON TYPE stats.batch_limits IS 'Bounds of referrers and evicted_ids: rows of a day, the name of the rest, and the oldest window that is kept.';

CREATE TYPE stats.batch_day_counts AS (
    site text[],
    article text[],
    day bigint[],
    views bigint[],
    visits bigint[]
);

CREATE TYPE stats.batch_bucket_counts AS (
    site text[],
    grain text[],
    bucket_start bigint[],
    views bigint[],
    visits bigint[]
);

CREATE TYPE stats.batch_daily_visitors AS (
    site text[],
    day bigint[],
    visitor bigint[],
    article text[],
    bucket_5m bigint[],
    bucket_hour bigint[]
);

CREATE TYPE stats.batch_presence AS (
    site text[],
    article text[],
    first_bucket bigint[],
    visitors integer[],
    visitors_begin integer[],
    visitors_end integer[]
);
COMMENT ON TYPE stats.batch_presence IS 'visitors has those of all rows one after the other; a row''s are from visitors_begin to visitors_end, counted from 1.';

CREATE TYPE stats.batch_ledger AS (
    site text[],
    day bigint[],
    outcome text[],
    reason text[],
    events bigint[]
);

CREATE TYPE stats.batch_referrers AS (
    site text[],
    day bigint[],
    host text[],
    visits bigint[]
);

CREATE TYPE stats.batch_dead_letters AS (
    "offset" bigint[],
    reason text[],
    value bytea[]
);

CREATE TYPE stats.batch_evicted_ids AS (
    evicted_at_offset bigint[],
    window_index bigint[],
    ids bytea[]
);

-- One call applies a batch of one partition: the offset moves only if it is where the caller read it, and
-- everything else follows in the same transaction. Returns false, and changes nothing, when it is elsewhere.
CREATE FUNCTION stats.apply_batch(
    batch_topic text, batch_partition integer, old_position stats.batch_position, new_position stats.batch_position,
    limits stats.batch_limits, day_counts stats.batch_day_counts, bucket_counts stats.batch_bucket_counts,
    daily_visitors stats.batch_daily_visitors, presence stats.batch_presence, ledger_entries stats.batch_ledger,
    referrer_visits stats.batch_referrers, unreadable stats.batch_dead_letters, evicted stats.batch_evicted_ids
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = stats, pg_temp
AS $$
BEGIN
    UPDATE offsets
    SET next_offset = new_position.next_offset,
        newest_arrived = new_position.newest_arrived,
        window_records = new_position.window_records,
        window_dead_letters = new_position.window_dead_letters,
        offsets_without_record = new_position.offsets_without_record
    WHERE generation = old_position.generation AND topic = batch_topic AND partition = batch_partition
        AND epoch = old_position.epoch AND next_offset = old_position.next_offset;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO counts AS c (generation, site, article, grain, bucket_start, partition, views, visits)
    SELECT old_position.generation, d.site, d.article, d.grain, d.bucket_start, batch_partition, d.views, d.visits
    FROM (
        SELECT site, article, 'day' AS grain, day AS bucket_start, views, visits
        FROM unnest(day_counts.site, day_counts.article, day_counts.day, day_counts.views, day_counts.visits)
            AS u (site, article, day, views, visits)
        UNION ALL
        SELECT site, article, 'total', 0, sum(views), sum(visits)
        FROM unnest(day_counts.site, day_counts.article, day_counts.views, day_counts.visits)
            AS u (site, article, views, visits)
        GROUP BY site, article
        UNION ALL
        SELECT site, '', grain, bucket_start, views, visits
        FROM unnest(
            bucket_counts.site, bucket_counts.grain, bucket_counts.bucket_start, bucket_counts.views,
            bucket_counts.visits
        ) AS u (site, grain, bucket_start, views, visits)
    ) AS d
    ON CONFLICT (generation, site, article, grain, bucket_start, partition) DO UPDATE
    SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits;

    WITH seen AS (
        SELECT * FROM unnest(
            daily_visitors.site, daily_visitors.day, daily_visitors.visitor, daily_visitors.article,
            daily_visitors.bucket_5m, daily_visitors.bucket_hour
        ) AS s (site, day, visitor, article, bucket_5m, bucket_hour)
    ), new AS (
        INSERT INTO visitor_days (generation, site, day, visitor)
        SELECT old_position.generation, site, day, visitor FROM seen
        ON CONFLICT DO NOTHING
        RETURNING site, day, visitor
    )
    INSERT INTO counts AS c (generation, site, article, grain, bucket_start, partition, visitors)
    SELECT old_position.generation, seen.site, b.article, b.grain, b.bucket_start, batch_partition, count(*)
    FROM new JOIN seen USING (site, day, visitor)
    CROSS JOIN LATERAL (
        VALUES ('', '5m', seen.bucket_5m), ('', 'hour', seen.bucket_hour), ('', 'day', day), ('', 'total', 0),
            (nullif(seen.article, ''), 'day', day), (nullif(seen.article, ''), 'total', 0)
    ) AS b (article, grain, bucket_start)
    WHERE b.article IS NOT NULL
    GROUP BY seen.site, b.article, b.grain, b.bucket_start
    ON CONFLICT (generation, site, article, grain, bucket_start, partition) DO UPDATE
    SET visitors = c.visitors + EXCLUDED.visitors;

    INSERT INTO online AS o (generation, site, article, partition, first_bucket, visitors)
    SELECT old_position.generation, d.site, d.article, batch_partition, d.first_bucket,
        coalesce(presence.visitors[d.visitors_begin : d.visitors_end], '{}')
    FROM unnest(
        presence.site, presence.article, presence.first_bucket, presence.visitors_begin, presence.visitors_end
    ) AS d (site, article, first_bucket, visitors_begin, visitors_end)
    ON CONFLICT (generation, site, article, partition) DO UPDATE
    SET first_bucket = EXCLUDED.first_bucket, visitors = EXCLUDED.visitors;

    INSERT INTO ledger AS l (generation, site, day, outcome, reason, partition, events)
    SELECT old_position.generation, d.site, d.day, d.outcome, d.reason, batch_partition, d.events
    FROM unnest(
        ledger_entries.site, ledger_entries.day, ledger_entries.outcome, ledger_entries.reason, ledger_entries.events
    ) AS d (site, day, outcome, reason, events)
    ON CONFLICT (generation, site, day, outcome, reason, partition) DO UPDATE SET events = l.events + EXCLUDED.events;

    -- The first hosts_max hosts of a site's day on this partition have rows of their own, in the log's order; visits
    -- from further ones share a row. Only what was counted before decides, so a rebuild decides the same.
    WITH added AS (
        SELECT d.*, EXISTS (
            SELECT FROM referrers AS r
            WHERE r.generation = old_position.generation AND r.site = d.site AND r.day = d.day
                AND r.partition = batch_partition AND r.host = d.host
        ) OR d.host IN ('', limits.other_hosts) AS has_row
        FROM unnest(referrer_visits.site, referrer_visits.day, referrer_visits.host, referrer_visits.visits)
            WITH ORDINALITY AS d (site, day, host, visits, position)
    ), rows_before AS (
        SELECT d.site, d.day, (
            SELECT count(*) FROM referrers AS r
            WHERE r.generation = old_position.generation AND r.site = d.site AND r.day = d.day
                AND r.partition = batch_partition AND r.host NOT IN ('', limits.other_hosts)
        ) AS hosts
        FROM (SELECT DISTINCT site, day FROM added WHERE NOT has_row) AS d
    ), numbered AS (
        SELECT added.*, hosts + row_number() OVER (PARTITION BY site, day, has_row ORDER BY added.position) AS number
        FROM added LEFT JOIN rows_before USING (site, day)
    )
    INSERT INTO referrers AS r (generation, site, day, partition, host, visits)
    SELECT old_position.generation, site, day, batch_partition,
        CASE WHEN has_row OR number <= limits.hosts_max THEN host ELSE limits.other_hosts END, sum(visits)
    FROM numbered
    GROUP BY 2, 3, 5
    ON CONFLICT (generation, site, day, partition, host) DO UPDATE SET visits = r.visits + EXCLUDED.visits;

    INSERT INTO dead_letters (topic, partition, "offset", reason, value)
    SELECT batch_topic, batch_partition, d."offset", d.reason, d.value
    FROM unnest(unreadable."offset", unreadable.reason, unreadable.value) AS d ("offset", reason, value);

    INSERT INTO evicted_ids (generation, topic, partition, evicted_at_offset, window_index, ids)
    SELECT old_position.generation, batch_topic, batch_partition, d.evicted_at_offset, d.window_index, d.ids
    FROM unnest(evicted.evicted_at_offset, evicted.window_index, evicted.ids)
        AS d (evicted_at_offset, window_index, ids);
    IF cardinality(evicted.ids) > 0 THEN
        DELETE FROM evicted_ids AS e
        WHERE e.generation = old_position.generation AND e.topic = batch_topic AND e.partition = batch_partition
            AND e.window_index < limits.oldest_window_index;
    END IF;
    RETURN true;
END
$$;
