-- What the ledger must add up to: every offset that a partition has passed stands in it, or is accounted for here.
ALTER TABLE stats.offsets ADD COLUMN unledgered bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN stats.offsets.unledgered IS 'Offsets before next_offset that no ledger row stands for: from before counting began, deleted before they were counted, or the end of a transaction. The rest are in the ledger.';
-- What was counted until now is taken as it is.
UPDATE stats.offsets AS o SET unledgered = next_offset - (
    SELECT coalesce(sum(events), 0) FROM stats.ledger AS l WHERE l.gen = o.gen AND l.part = o.part
);

DROP FUNCTION stats.apply_batch;

-- One call applies a batch of one partition: the offset moves only if it stands where the caller read it, and
-- everything else follows in the same transaction. Returns false, and changes nothing, when it stands elsewhere.
CREATE FUNCTION stats.apply_batch(
    of_gen integer, of_topic text, of_part integer, of_epoch bigint, old_offset bigint, new_offset bigint,
    arrived bigint, records integer, dead integer, without_ledger bigint,
    day_sites text[], day_articles text[], day_starts bigint[], day_views bigint[], day_visits bigint[],
    span_sites text[], span_grains text[], span_starts bigint[], span_views bigint[], span_visits bigint[],
    sight_sites text[], sight_days bigint[], sight_visitors bigint[], sight_articles text[],
    sight_steps bigint[], sight_hours bigint[],
    online_sites text[], online_articles text[], online_steps bigint[], online_begins integer[], online_ends integer[],
    online_readers integer[],
    ledger_sites text[], ledger_days bigint[], ledger_outcomes text[], ledger_reasons text[], ledger_events bigint[],
    referrer_sites text[], referrer_days bigint[], referrer_hosts text[], referrer_visits bigint[],
    hosts_max integer, other_hosts text,
    dead_offsets bigint[], dead_reasons text[], dead_values bytea[],
    past_closed bigint[], past_slots bigint[], past_values bytea[], past_oldest_slot bigint
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = stats, pg_temp
AS $$
BEGIN
    UPDATE offsets
    SET next_offset = new_offset, newest_arrived = arrived, window_records = records, window_dead = dead,
        unledgered = without_ledger
    WHERE gen = of_gen AND topic = of_topic AND part = of_part AND epoch = of_epoch AND next_offset = old_offset;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO counts AS c (gen, site, article, grain, start, part, views, visits)
    SELECT of_gen, d.site, d.article, d.grain, d.start, of_part, d.views, d.visits
    FROM (
        SELECT site, article, 'day' AS grain, start, views, visits
        FROM unnest(day_sites, day_articles, day_starts, day_views, day_visits)
            AS u (site, article, start, views, visits)
        UNION ALL
        SELECT site, article, 'total', 0, sum(views), sum(visits)
        FROM unnest(day_sites, day_articles, day_views, day_visits) AS u (site, article, views, visits)
        GROUP BY site, article
        UNION ALL
        SELECT site, '', grain, start, views, visits
        FROM unnest(span_sites, span_grains, span_starts, span_views, span_visits)
            AS u (site, grain, start, views, visits)
    ) AS d
    ON CONFLICT (gen, site, article, grain, start, part) DO UPDATE
    SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits;

    WITH sights AS (
        SELECT * FROM unnest(sight_sites, sight_days, sight_visitors, sight_articles, sight_steps, sight_hours)
            AS s (site, day, visitor, article, step, hour)
    ), new AS (
        INSERT INTO visitor_days (gen, site, day, visitor) SELECT of_gen, site, day, visitor FROM sights
        ON CONFLICT DO NOTHING
        RETURNING site, day, visitor
    )
    INSERT INTO counts AS c (gen, site, article, grain, start, part, visitors)
    SELECT of_gen, sights.site, b.article, b.grain, b.start, of_part, count(*)
    FROM new JOIN sights USING (site, day, visitor)
    CROSS JOIN LATERAL (
        VALUES ('', 'step', sights.step), ('', 'hour', sights.hour), ('', 'day', day), ('', 'total', 0),
            (nullif(sights.article, ''), 'day', day), (nullif(sights.article, ''), 'total', 0)
    ) AS b (article, grain, start)
    WHERE b.article IS NOT NULL
    GROUP BY sights.site, b.article, b.grain, b.start
    ON CONFLICT (gen, site, article, grain, start, part) DO UPDATE SET visitors = c.visitors + EXCLUDED.visitors;

    INSERT INTO online AS o (gen, site, article, part, first_step, readers)
    SELECT of_gen, d.site, d.article, of_part, d.step, coalesce(online_readers[d.begins : d.ends], '{}')
    FROM unnest(online_sites, online_articles, online_steps, online_begins, online_ends)
        AS d (site, article, step, begins, ends)
    ON CONFLICT (gen, site, article, part) DO UPDATE
    SET first_step = EXCLUDED.first_step, readers = EXCLUDED.readers;

    INSERT INTO ledger AS l (gen, site, day, outcome, reason, part, events)
    SELECT of_gen, d.site, d.day, d.outcome, d.reason, of_part, d.events
    FROM unnest(ledger_sites, ledger_days, ledger_outcomes, ledger_reasons, ledger_events)
        AS d (site, day, outcome, reason, events)
    ON CONFLICT (gen, site, day, outcome, reason, part) DO UPDATE SET events = l.events + EXCLUDED.events;

    -- The first hosts_max hosts of a site's day on this partition have rows of their own, in the log's order; visits
    -- from further ones share a row. Only what was counted before decides, so a rebuild decides the same.
    WITH brought AS (
        SELECT d.*, EXISTS (
            SELECT FROM referrers AS r
            WHERE r.gen = of_gen AND r.site = d.site AND r.day = d.day AND r.part = of_part AND r.host = d.host
        ) OR d.host IN ('', other_hosts) AS has_row
        FROM unnest(referrer_sites, referrer_days, referrer_hosts, referrer_visits) WITH ORDINALITY
            AS d (site, day, host, visits, place)
    ), rows_before AS (
        SELECT d.site, d.day, (
            SELECT count(*) FROM referrers AS r
            WHERE r.gen = of_gen AND r.site = d.site AND r.day = d.day AND r.part = of_part
                AND r.host NOT IN ('', other_hosts)
        ) AS hosts
        FROM (SELECT DISTINCT site, day FROM brought WHERE NOT has_row) AS d
    ), numbered AS (
        SELECT brought.*, hosts + row_number() OVER (PARTITION BY site, day, has_row ORDER BY place) AS number
        FROM brought LEFT JOIN rows_before USING (site, day)
    )
    INSERT INTO referrers AS r (gen, site, day, part, host, visits)
    SELECT of_gen, site, day, of_part, CASE WHEN has_row OR number <= hosts_max THEN host ELSE other_hosts END,
        sum(visits)
    FROM numbered
    GROUP BY 2, 3, 5
    ON CONFLICT (gen, site, day, part, host) DO UPDATE SET visits = r.visits + EXCLUDED.visits;

    INSERT INTO dead_letters (topic, part, "offset", reason, value)
    SELECT of_topic, of_part, d."offset", d.reason, d.value
    FROM unnest(dead_offsets, dead_reasons, dead_values) AS d ("offset", reason, value);

    INSERT INTO past_ids (gen, topic, part, closed_at, slot, ids)
    SELECT of_gen, of_topic, of_part, d.closed_at, d.slot, d.ids
    FROM unnest(past_closed, past_slots, past_values) AS d (closed_at, slot, ids);
    IF cardinality(past_closed) > 0 THEN
        DELETE FROM past_ids WHERE gen = of_gen AND topic = of_topic AND part = of_part AND slot < past_oldest_slot;
    END IF;
    RETURN true;
END
$$;
