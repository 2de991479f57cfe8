-- Generations: a rebuild counts the log again beside the counts that are being read, and then takes their place.
CREATE TABLE stats.generations (
    gen integer PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('building', 'current')),
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stats.generations IS 'Readers read the current one; a rebuild makes the next one.';
CREATE UNIQUE INDEX generations_state ON stats.generations (state);
INSERT INTO stats.generations (gen, state) VALUES (1, 'current');

ALTER TABLE stats.offsets
    DROP COLUMN replay_from,
    ADD COLUMN gen integer NOT NULL DEFAULT 1,
    ADD COLUMN cluster text NOT NULL DEFAULT '',
    ADD COLUMN topic_id text NOT NULL DEFAULT '',
    ADD COLUMN newest_arrived bigint NOT NULL DEFAULT 0,
    ADD COLUMN window_records integer NOT NULL DEFAULT 0,
    ADD COLUMN window_dead integer NOT NULL DEFAULT 0,
    DROP CONSTRAINT offsets_pkey,
    ADD PRIMARY KEY (gen, topic, part);
ALTER TABLE stats.offsets ALTER COLUMN gen DROP DEFAULT;
COMMENT ON COLUMN stats.offsets.epoch IS 'Rises when next_offset is moved otherwise than by counting: over a gap, or by a rebuild.';
COMMENT ON COLUMN stats.offsets.cluster IS 'The Kafka cluster whose offsets these are; empty until a counter has asked.';
COMMENT ON COLUMN stats.offsets.topic_id IS 'The topic''s own id: another one under the same name is another topic.';
COMMENT ON COLUMN stats.offsets.newest_arrived IS 'When Kafka got the newest record that is counted: milliseconds since 1970 UTC.';
COMMENT ON COLUMN stats.offsets.window_dead IS 'Dead letters among the last window_records records: too many stop the counter.';

ALTER TABLE stats.counts
    ADD COLUMN gen integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT counts_pkey,
    ADD PRIMARY KEY (gen, site, article, grain, start, part);
ALTER TABLE stats.counts ALTER COLUMN gen DROP DEFAULT;

DROP TABLE stats.online;
CREATE TABLE stats.online (
    gen integer NOT NULL,
    site text NOT NULL,
    article text NOT NULL,
    part integer NOT NULL,
    first_step bigint NOT NULL,
    readers integer[] NOT NULL,
    PRIMARY KEY (gen, site, article, part)
) WITH (fillfactor = 50);
COMMENT ON TABLE stats.online IS 'Readers by when they were last seen, in steps of 5 seconds from first_step. Old steps stop counting by themselves.';

ALTER TABLE stats.visitor_days
    ADD COLUMN gen integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT visitor_days_pkey,
    ALTER COLUMN visitor TYPE bigint USING CASE
        WHEN visitor ~ '^[0-9a-fA-F]{16}$' THEN ('x' || visitor)::bit(64)::bigint ELSE hashtextextended(visitor, 0) END,
    ADD PRIMARY KEY (gen, site, day, visitor);
ALTER TABLE stats.visitor_days ALTER COLUMN gen DROP DEFAULT;

ALTER TABLE stats.ledger
    ADD COLUMN gen integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT ledger_pkey,
    ADD PRIMARY KEY (gen, site, day, outcome, reason, part);
ALTER TABLE stats.ledger ALTER COLUMN gen DROP DEFAULT;

CREATE TABLE stats.snapshots (
    gen integer NOT NULL,
    topic text NOT NULL,
    part integer NOT NULL,
    "offset" bigint NOT NULL,
    memory bytea NOT NULL,
    PRIMARY KEY (gen, topic, part)
);
ALTER TABLE stats.snapshots ALTER COLUMN memory SET STORAGE EXTERNAL;
COMMENT ON TABLE stats.snapshots IS 'What a counter remembers after all records before the offset. A cache: the log can rebuild it.';

CREATE TABLE stats.past_ids (
    gen integer NOT NULL,
    topic text NOT NULL,
    part integer NOT NULL,
    closed_at bigint NOT NULL,
    slot bigint NOT NULL,
    ids bytea NOT NULL,
    PRIMARY KEY (gen, topic, part, closed_at)
);
ALTER TABLE stats.past_ids ALTER COLUMN ids SET STORAGE EXTERNAL;
COMMENT ON TABLE stats.past_ids IS 'Event ids that left a counter''s memory at an offset: they tell a late event that was counted before an outage.';

CREATE TABLE stats.gaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gen integer NOT NULL,
    topic text NOT NULL,
    part integer NOT NULL,
    first_lost bigint NOT NULL,
    next_there bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stats.gaps IS 'Records that Kafka deleted before they were counted. Each one is somebody''s alert.';

DROP FUNCTION stats.apply_batch;

-- One call applies a batch of one partition: the offset moves only if it stands where the caller read it, and
-- everything else follows in the same transaction. Returns false, and changes nothing, when it stands elsewhere.
CREATE FUNCTION stats.apply_batch(
    of_gen integer, of_topic text, of_part integer, of_epoch bigint, old_offset bigint, new_offset bigint,
    arrived bigint, records integer, dead integer,
    day_sites text[], day_articles text[], day_starts bigint[], day_views bigint[], day_visits bigint[],
    span_sites text[], span_grains text[], span_starts bigint[], span_views bigint[], span_visits bigint[],
    sight_sites text[], sight_days bigint[], sight_visitors bigint[], sight_articles text[],
    sight_steps bigint[], sight_hours bigint[],
    online_sites text[], online_articles text[], online_steps bigint[], online_begins integer[], online_ends integer[],
    online_readers integer[],
    ledger_sites text[], ledger_days bigint[], ledger_outcomes text[], ledger_reasons text[], ledger_events bigint[],
    dead_offsets bigint[], dead_reasons text[], dead_values bytea[],
    past_closed bigint[], past_slots bigint[], past_values bytea[], past_oldest_slot bigint
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = stats, pg_temp
AS $$
BEGIN
    UPDATE offsets
    SET next_offset = new_offset, newest_arrived = arrived, window_records = records, window_dead = dead
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

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stats TO presstally_stats;
