-- Views, visits and visitors of a batch change each row of counts once.
CREATE OR REPLACE FUNCTION stats.apply_batch(
    batch_generation integer, batch_topic text, positions stats.batch_positions, limits stats.batch_limits,
    day_counts stats.batch_day_counts, bucket_counts stats.batch_bucket_counts,
    daily_visitors stats.batch_daily_visitors, presence stats.batch_presence, ledger_entries stats.batch_ledger,
    referrer_visits stats.batch_referrers, unreadable stats.batch_dead_letters,
    accepted_articles stats.batch_known_articles, evicted stats.batch_evicted_state,
    evidence_rows stats.batch_evidence
) RETURNS integer[]
LANGUAGE plpgsql
SET search_path = stats, pg_temp
AS $$
DECLARE
    only_partition CONSTANT integer := positions.partition[1];
    applied integer[];
BEGIN
    IF cardinality(positions.partition) > 1 THEN
        -- In order: of two callers with the same partitions, one waits for the other.
        PERFORM FROM offsets
        WHERE generation = batch_generation AND topic = batch_topic AND partition = ANY (positions.partition)
        ORDER BY partition
        FOR NO KEY UPDATE;
    END IF;
    WITH moved AS (
        UPDATE offsets AS o
        SET next_offset = new.next_offset,
            newest_arrived = new.newest_arrived,
            window_records = new.window_records,
            window_dead_letters = new.window_dead_letters,
            offsets_without_record = new.offsets_without_record,
            last_record = new.last_record
        FROM unnest(
            positions.partition, positions.epoch, positions.counted_from, positions.next_offset,
            positions.newest_arrived, positions.window_records, positions.window_dead_letters,
            positions.offsets_without_record, positions.last_record
        ) AS new (
            partition, epoch, counted_from, next_offset, newest_arrived, window_records, window_dead_letters,
            offsets_without_record, last_record
        )
        WHERE o.generation = batch_generation AND o.topic = batch_topic AND o.partition = new.partition
            AND o.epoch = new.epoch AND o.next_offset = new.counted_from
        RETURNING o.partition
    )
    SELECT coalesce(array_agg(partition), '{}') INTO applied FROM moved;
    IF applied = '{}' THEN
        RETURN applied;
    END IF;

    WITH seen AS (
        -- Once a visitor and day: the caller may have forgotten that it reported it. The earliest view decides.
        SELECT DISTINCT ON (s.site, s.day, s.visitor) s.site, s.day, s.visitor, s.article, s.bucket_5m, s.bucket_hour,
            coalesce(s.partition, only_partition) AS partition
        FROM unnest(
            daily_visitors.site, daily_visitors.day, daily_visitors.visitor, daily_visitors.article,
            daily_visitors.bucket_5m, daily_visitors.bucket_hour, daily_visitors.partition
        ) AS s (site, day, visitor, article, bucket_5m, bucket_hour, partition)
        WHERE coalesce(s.partition, only_partition) = ANY (applied)
        ORDER BY s.site, s.day, s.visitor, s.bucket_5m, s.article, s.partition
    ), new AS (
        INSERT INTO visitor_days (generation, site, day, visitor)
        SELECT batch_generation, site, day, visitor FROM seen
        ON CONFLICT DO NOTHING
        RETURNING site, day, visitor
    ), arrived AS (
        SELECT seen.partition, seen.site, seen.article, day, seen.bucket_5m, seen.bucket_hour, count(*)::integer AS visitors
        FROM new JOIN seen USING (site, day, visitor)
        GROUP BY 1, 2, 3, 4, 5, 6
    ), added AS (
        SELECT coalesce(u.partition, only_partition) AS partition, site, article, b.grain, b.bucket_start,
            views::integer AS views, visits::integer AS visits, 0 AS visitors
        FROM unnest(
            day_counts.site, day_counts.article, day_counts.day, day_counts.views, day_counts.visits,
            day_counts.partition
        ) AS u (site, article, day, views, visits, partition)
        CROSS JOIN LATERAL (VALUES ('day', day), ('total', 0)) AS b (grain, bucket_start)
        UNION ALL
        SELECT coalesce(partition, only_partition), site, '', grain, bucket_start, views::integer, visits::integer, 0
        FROM unnest(
            bucket_counts.site, bucket_counts.grain, bucket_counts.bucket_start, bucket_counts.views,
            bucket_counts.visits, bucket_counts.partition
        ) AS u (site, grain, bucket_start, views, visits, partition)
        UNION ALL
        SELECT partition, site, b.article, b.grain, b.bucket_start, 0, 0, visitors
        FROM arrived CROSS JOIN LATERAL (
            VALUES ('', '5m', bucket_5m), ('', 'hour', bucket_hour), ('', 'day', day), ('', 'total', 0),
                (nullif(article, ''), 'day', day), (nullif(article, ''), 'total', 0)
        ) AS b (article, grain, bucket_start)
        WHERE b.article IS NOT NULL
    )
    INSERT INTO counts AS c (generation, site, article, grain, bucket_start, partition, views, visits, visitors)
    SELECT batch_generation, site, article, grain, bucket_start, partition, sum(views), sum(visits), sum(visitors)
    FROM added
    WHERE partition = ANY (applied)
    GROUP BY site, article, grain, bucket_start, partition
    ORDER BY site, article, grain, bucket_start, partition
    ON CONFLICT (generation, site, article, grain, bucket_start, partition) DO UPDATE
    SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits, visitors = c.visitors + EXCLUDED.visitors;

    INSERT INTO online AS o (generation, site, article, partition, first_bucket, visitors)
    SELECT batch_generation, d.site, d.article, coalesce(d.partition, only_partition), d.first_bucket,
        coalesce(presence.visitors[d.visitors_begin : d.visitors_end], '{}')
    FROM unnest(
        presence.site, presence.article, presence.first_bucket, presence.visitors_begin, presence.visitors_end,
        presence.partition
    ) AS d (site, article, first_bucket, visitors_begin, visitors_end, partition)
    WHERE coalesce(d.partition, only_partition) = ANY (applied)
    ON CONFLICT (generation, site, article, partition) DO UPDATE
    SET first_bucket = EXCLUDED.first_bucket, visitors = EXCLUDED.visitors;

    INSERT INTO ledger AS l (generation, site, day, outcome, reason, partition, events)
    SELECT batch_generation, d.site, d.day, d.outcome, d.reason, coalesce(d.partition, only_partition), d.events
    FROM unnest(
        ledger_entries.site, ledger_entries.day, ledger_entries.outcome, ledger_entries.reason, ledger_entries.events,
        ledger_entries.partition
    ) AS d (site, day, outcome, reason, events, partition)
    WHERE coalesce(d.partition, only_partition) = ANY (applied)
    ON CONFLICT (generation, site, day, outcome, reason, partition) DO UPDATE SET events = l.events + EXCLUDED.events;

    -- The first hosts_max hosts that views of a site's day on a partition name have rows of their own, in the log's
    -- order; visits from further ones share a row. Only the records before decide, so a rebuild decides the same. A visit
    -- that is taken back (below 0) is subtracted from the row that it was added to.
    WITH given AS (
        SELECT d.site, d.day, d.host, d.visits, d.position, coalesce(d.partition, only_partition) AS partition
        FROM unnest(
            referrer_visits.site, referrer_visits.day, referrer_visits.host, referrer_visits.visits,
            referrer_visits.partition
        ) WITH ORDINALITY AS d (site, day, host, visits, partition, position)
    ), added AS (
        SELECT d.*, EXISTS (
            SELECT FROM referrers AS r
            WHERE r.generation = batch_generation AND r.site = d.site AND r.day = d.day
                AND r.partition = d.partition AND r.host = d.host
        ) OR d.host IN ('', limits.other_hosts) AS has_row
        FROM given AS d
        WHERE d.partition = ANY (applied)
    ), rows_before AS (
        SELECT d.partition, d.site, d.day, (
            SELECT count(*) FROM referrers AS r
            WHERE r.generation = batch_generation AND r.site = d.site AND r.day = d.day
                AND r.partition = d.partition AND r.host NOT IN ('', limits.other_hosts)
        ) AS hosts
        FROM (SELECT DISTINCT added.partition, site, day FROM added WHERE NOT has_row) AS d
    ), numbered AS (
        SELECT added.*,
            hosts + row_number() OVER (PARTITION BY added.partition, site, day, has_row ORDER BY added.position) AS number
        FROM added LEFT JOIN rows_before USING (partition, site, day)
    )
    INSERT INTO referrers AS r (generation, site, day, partition, host, visits)
    SELECT batch_generation, site, day, numbered.partition,
        CASE WHEN has_row OR number <= limits.hosts_max THEN host ELSE limits.other_hosts END, sum(visits)
    FROM numbered
    GROUP BY 2, 3, 4, 5
    ON CONFLICT (generation, site, day, partition, host) DO UPDATE SET visits = r.visits + EXCLUDED.visits
    WHERE EXCLUDED.visits <> 0;

    INSERT INTO dead_letters (topic, partition, "offset", reason, value)
    SELECT batch_topic, coalesce(d.partition, only_partition), d."offset", d.reason, d.value
    FROM unnest(unreadable."offset", unreadable.reason, unreadable.value, unreadable.partition)
        AS d ("offset", reason, value, partition)
    WHERE coalesce(d.partition, only_partition) = ANY (applied);

    INSERT INTO known_articles (generation, partition, site, article, accepted_at_offset, day)
    SELECT batch_generation, coalesce(d.partition, only_partition), d.site, d.article, d.accepted_at_offset, d.day
    FROM unnest(
        accepted_articles.site, accepted_articles.article, accepted_articles.accepted_at_offset, accepted_articles.day,
        accepted_articles.partition
    ) AS d (site, article, accepted_at_offset, day, partition)
    WHERE coalesce(d.partition, only_partition) = ANY (applied);

    INSERT INTO evicted_state (generation, topic, partition, evicted_at_offset, window_index, ids, activities)
    SELECT batch_generation, batch_topic, coalesce(d.partition, only_partition), d.evicted_at_offset, d.window_index,
        d.ids, d.activities
    FROM unnest(evicted.evicted_at_offset, evicted.window_index, evicted.ids, evicted.activities, evicted.partition)
        AS d (evicted_at_offset, window_index, ids, activities, partition)
    WHERE coalesce(d.partition, only_partition) = ANY (applied);
    IF cardinality(evicted.ids) > 0 THEN
        -- By number, not by time: a record that is stamped far ahead deletes nothing.
        DELETE FROM evicted_state AS e
        USING (
            SELECT DISTINCT coalesce(u.partition, only_partition) AS partition
            FROM unnest(evicted.evicted_at_offset, evicted.partition) AS u (evicted_at_offset, partition)
        ) AS d
        WHERE e.generation = batch_generation AND e.topic = batch_topic AND e.partition = d.partition
            AND d.partition = ANY (applied)
            AND e.evicted_at_offset <= (
                SELECT kept.evicted_at_offset FROM evicted_state AS kept
                WHERE kept.generation = batch_generation AND kept.topic = batch_topic
                    AND kept.partition = d.partition
                ORDER BY kept.evicted_at_offset DESC OFFSET limits.evicted_windows LIMIT 1
            );
    END IF;

    IF cardinality(evidence_rows.site) > 0 THEN
        INSERT INTO evidence AS e (generation, site, hour, agent, window_index, partition, views, arrivals, confirmed,
            pings, leaves, home_views, article_views, direct_views, networks)
        SELECT batch_generation, d.site, d.hour, d.agent, d.window_index, coalesce(d.partition, only_partition), d.views,
            d.arrivals, d.confirmed, d.pings, d.leaves, d.home_views, d.article_views, d.direct_views, d.networks
        FROM unnest(
            evidence_rows.site, evidence_rows.hour, evidence_rows.agent, evidence_rows.window_index,
            evidence_rows.partition, evidence_rows.views, evidence_rows.arrivals, evidence_rows.confirmed,
            evidence_rows.pings, evidence_rows.leaves, evidence_rows.home_views, evidence_rows.article_views,
            evidence_rows.direct_views, evidence_rows.networks
        ) AS d (site, hour, agent, window_index, partition, views, arrivals, confirmed, pings, leaves, home_views,
            article_views, direct_views, networks)
        WHERE coalesce(d.partition, only_partition) = ANY (applied)
        -- A window ends twice where Kafka lost counted records and the counter continues with those that came later.
        ON CONFLICT (generation, site, hour, agent, window_index, partition) DO UPDATE
        SET views = e.views + EXCLUDED.views, arrivals = e.arrivals + EXCLUDED.arrivals,
            confirmed = e.confirmed + EXCLUDED.confirmed, pings = e.pings + EXCLUDED.pings,
            leaves = e.leaves + EXCLUDED.leaves, home_views = e.home_views + EXCLUDED.home_views,
            article_views = e.article_views + EXCLUDED.article_views,
            direct_views = e.direct_views + EXCLUDED.direct_views, networks = e.networks | EXCLUDED.networks;
    END IF;
    RETURN applied;
END
$$;
