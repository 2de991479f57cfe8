-- Identify the last counted record of each partition: an offset is valid in the log that it was counted in only.
ALTER TABLE stats.offsets ADD COLUMN last_record bigint;
COMMENT ON COLUMN stats.offsets.last_record IS 'Checksum of the record before next_offset: the log must still have it there. Null: unknown.';

ALTER TABLE stats.gaps ADD COLUMN counted_until bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN stats.gaps.counted_until IS 'Records that arrived until then (milliseconds since 1970 UTC) may be counted and gone from the log: a rebuild keeps the counts of their days. 0: none.';

ALTER TYPE stats.batch_position ADD ATTRIBUTE last_record bigint;

-- One call applies a batch of one partition: the offset moves only if it is where the caller read it, and
-- everything else follows in the same transaction. Returns false, and changes nothing, when it is elsewhere.
CREATE OR REPLACE FUNCTION stats.apply_batch(
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
        offsets_without_record = new_position.offsets_without_record,
        last_record = new_position.last_record
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
        -- Once a visitor and day: the caller may have forgotten that it reported it. The earliest view decides.
        SELECT DISTINCT ON (site, day, visitor) site, day, visitor, article, bucket_5m, bucket_hour FROM unnest(
            daily_visitors.site, daily_visitors.day, daily_visitors.visitor, daily_visitors.article,
            daily_visitors.bucket_5m, daily_visitors.bucket_hour
        ) AS s (site, day, visitor, article, bucket_5m, bucket_hour)
        ORDER BY site, day, visitor, bucket_5m, article
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
