-- Article ids that have counts: strangers can invent any number, and only so many become known on one day.
CREATE TABLE stats.known_articles (
    generation integer NOT NULL,
    partition integer NOT NULL,
    site text NOT NULL,
    article text NOT NULL,
    accepted_at_offset bigint NOT NULL,
    day bigint,
    PRIMARY KEY (generation, partition, site, article)
);
COMMENT ON TABLE stats.known_articles IS 'Article ids that have counts. Views of other ids count for the site alone; only so many become known on one day.';
COMMENT ON COLUMN stats.known_articles.accepted_at_offset IS 'Offset of the first view that counts for the article; that of the first record for which it is known if that view is not in the log.';
COMMENT ON COLUMN stats.known_articles.day IS 'UTC day (days since 1970) of that view. Null: known from a former log or version, and part of no day''s limit.';
CREATE INDEX known_articles_by_day ON stats.known_articles (generation, partition, day);
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.known_articles TO presstally_stats;

-- What was counted before stays known. Counters of the former version are fenced: one that commits at this moment is
-- waited for, and none can add counts of an article that is not known.
UPDATE stats.offsets SET epoch = epoch + 1;
INSERT INTO stats.known_articles (generation, partition, site, article, accepted_at_offset)
SELECT generation, partition, site, article, -1 FROM stats.counts WHERE article <> '' AND grain = 'total';

CREATE TYPE stats.batch_known_articles AS (
    site text[],
    article text[],
    accepted_at_offset bigint[],
    day bigint[]
);

DROP FUNCTION stats.apply_batch;

-- One call applies a batch of one partition: the offset moves only if it is where the caller read it, and
-- everything else follows in the same transaction. Returns false, and changes nothing, when it is elsewhere.
CREATE FUNCTION stats.apply_batch(
    batch_topic text, batch_partition integer, old_position stats.batch_position, new_position stats.batch_position,
    limits stats.batch_limits, day_counts stats.batch_day_counts, bucket_counts stats.batch_bucket_counts,
    daily_visitors stats.batch_daily_visitors, presence stats.batch_presence, ledger_entries stats.batch_ledger,
    referrer_visits stats.batch_referrers, unreadable stats.batch_dead_letters,
    accepted_articles stats.batch_known_articles, evicted stats.batch_evicted_state
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

    -- The first hosts_max hosts that views of a site's day on this partition name have rows of their own, in the log's
    -- order; visits from further ones share a row. Only the records before decide, so a rebuild decides the same. A visit
    -- that is taken back (below 0) is subtracted from the row that it was added to.
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
    ON CONFLICT (generation, site, day, partition, host) DO UPDATE SET visits = r.visits + EXCLUDED.visits
    WHERE EXCLUDED.visits <> 0;

    INSERT INTO dead_letters (topic, partition, "offset", reason, value)
    SELECT batch_topic, batch_partition, d."offset", d.reason, d.value
    FROM unnest(unreadable."offset", unreadable.reason, unreadable.value) AS d ("offset", reason, value);

    INSERT INTO known_articles (generation, partition, site, article, accepted_at_offset, day)
    SELECT old_position.generation, batch_partition, d.site, d.article, d.accepted_at_offset, d.day
    FROM unnest(
        accepted_articles.site, accepted_articles.article, accepted_articles.accepted_at_offset, accepted_articles.day
    ) AS d (site, article, accepted_at_offset, day);

    INSERT INTO evicted_state (generation, topic, partition, evicted_at_offset, window_index, ids, activities)
    SELECT old_position.generation, batch_topic, batch_partition, d.evicted_at_offset, d.window_index, d.ids, d.activities
    FROM unnest(evicted.evicted_at_offset, evicted.window_index, evicted.ids, evicted.activities)
        AS d (evicted_at_offset, window_index, ids, activities);
    IF cardinality(evicted.ids) > 0 THEN
        -- By number, not by time: a record that is stamped far ahead deletes nothing.
        DELETE FROM evicted_state AS e
        WHERE e.generation = old_position.generation AND e.topic = batch_topic AND e.partition = batch_partition
            AND e.evicted_at_offset <= (
                SELECT kept.evicted_at_offset FROM evicted_state AS kept
                WHERE kept.generation = old_position.generation AND kept.topic = batch_topic
                    AND kept.partition = batch_partition
                ORDER BY kept.evicted_at_offset DESC OFFSET limits.evicted_windows LIMIT 1
            );
    END IF;
    RETURN true;
END
$$;
