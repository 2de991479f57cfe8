-- The stats service: counts and the Kafka offsets they stand for, changed in one transaction.
CREATE SCHEMA stats;

CREATE TABLE stats.offsets (
    topic text NOT NULL,
    part integer NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL,
    replay_from bigint NOT NULL,
    PRIMARY KEY (topic, part)
) WITH (fillfactor = 20);
COMMENT ON COLUMN stats.offsets.next_offset IS 'All records before it are in the counts; none after it is.';
COMMENT ON COLUMN stats.offsets.replay_from IS 'Reading from here rebuilds what a counter keeps in memory.';
COMMENT ON COLUMN stats.offsets.epoch IS 'Rises when somebody moves next_offset by hand.';

CREATE TABLE stats.counts (
    site text NOT NULL,
    article text NOT NULL,
    grain text NOT NULL CHECK (grain IN ('step', 'hour', 'day', 'total')),
    start bigint NOT NULL,
    part integer NOT NULL,
    views bigint NOT NULL DEFAULT 0,
    visits bigint NOT NULL DEFAULT 0,
    visitors bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (site, article, grain, start, part)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.counts IS 'Human counts, a row for each partition, so that no two counters touch one row.';
COMMENT ON COLUMN stats.counts.article IS 'Article id; empty for the whole site.';
COMMENT ON COLUMN stats.counts.start IS 'Seconds since 1970 UTC; 0 for the total. A step has 5 minutes.';

CREATE TABLE stats.online (
    site text NOT NULL,
    article text NOT NULL,
    step bigint NOT NULL,
    part integer NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (site, article, step, part)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.online IS 'Readers by when they were last seen: step is 5 seconds. Old steps stop counting by themselves.';
CREATE INDEX online_old ON stats.online (part, step);

CREATE TABLE stats.visitor_days (
    site text NOT NULL,
    day bigint NOT NULL,
    visitor text NOT NULL,
    PRIMARY KEY (site, day, visitor)
);
COMMENT ON TABLE stats.visitor_days IS 'Which keys were seen on which local day: what makes daily visitors distinct.';

CREATE TABLE stats.ledger (
    site text NOT NULL,
    day bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('counted', 'duplicate', 'bot', 'late', 'dead_lettered')),
    reason text NOT NULL,
    part integer NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (site, day, outcome, reason, part)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.ledger IS 'What became of every record read, by local day of its arrival.';

CREATE TABLE stats.dead_letters (
    topic text NOT NULL,
    part integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    value bytea,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, part, "offset")
);
COMMENT ON TABLE stats.dead_letters IS 'On their way to the dead-letter topic; deleted once Kafka has them.';

CREATE TABLE stats.adjustments (
    id text PRIMARY KEY,
    site text NOT NULL,
    article text NOT NULL,
    measure text NOT NULL CHECK (measure IN ('views', 'visits', 'visitors')),
    amount bigint NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE stats.adjustments IS 'Audited amounts that nobody measured, such as opening balances. Never mixed into counts.';
CREATE INDEX adjustments_of ON stats.adjustments (site, article, measure);

-- One call applies a batch of one partition: the offset moves only if it stands where the caller read it, and
-- everything else follows in the same transaction. Returns false, and changes nothing, when it stands elsewhere.
CREATE FUNCTION stats.apply_batch(
    of_topic text, of_part integer, of_epoch bigint, old_offset bigint, new_offset bigint, new_replay_from bigint,
    count_sites text[], count_articles text[], count_grains text[], count_starts bigint[],
    count_views bigint[], count_visits bigint[],
    online_sites text[], online_articles text[], online_steps bigint[], online_changes bigint[],
    sight_sites text[], sight_days bigint[], sight_visitors text[], sight_articles text[],
    sight_steps bigint[], sight_hours bigint[],
    ledger_sites text[], ledger_days bigint[], ledger_outcomes text[], ledger_reasons text[], ledger_events bigint[],
    dead_offsets bigint[], dead_reasons text[], dead_values bytea[]
) RETURNS boolean
LANGUAGE plpgsql
SET search_path = stats, pg_temp
AS $$
BEGIN
    UPDATE offsets SET next_offset = new_offset, replay_from = new_replay_from
    WHERE topic = of_topic AND part = of_part AND epoch = of_epoch AND next_offset = old_offset;
    IF NOT FOUND THEN
        RETURN false;
    END IF;

    INSERT INTO counts AS c (site, article, grain, start, part, views, visits)
    SELECT d.site, d.article, d.grain, d.start, of_part, d.views, d.visits
    FROM unnest(count_sites, count_articles, count_grains, count_starts, count_views, count_visits)
        AS d (site, article, grain, start, views, visits)
    ON CONFLICT (site, article, grain, start, part) DO UPDATE
    SET views = c.views + EXCLUDED.views, visits = c.visits + EXCLUDED.visits;

    WITH sights AS (
        SELECT * FROM unnest(sight_sites, sight_days, sight_visitors, sight_articles, sight_steps, sight_hours)
            AS s (site, day, visitor, article, step, hour)
    ), new AS (
        INSERT INTO visitor_days (site, day, visitor) SELECT site, day, visitor FROM sights
        ON CONFLICT DO NOTHING
        RETURNING site, day, visitor
    )
    INSERT INTO counts AS c (site, article, grain, start, part, visitors)
    SELECT sights.site, b.article, b.grain, b.start, of_part, count(*)
    FROM new JOIN sights USING (site, day, visitor)
    CROSS JOIN LATERAL (
        VALUES ('', 'step', sights.step), ('', 'hour', sights.hour), ('', 'day', day), ('', 'total', 0),
            (nullif(sights.article, ''), 'day', day), (nullif(sights.article, ''), 'total', 0)
    ) AS b (article, grain, start)
    WHERE b.article IS NOT NULL
    GROUP BY sights.site, b.article, b.grain, b.start
    ON CONFLICT (site, article, grain, start, part) DO UPDATE SET visitors = c.visitors + EXCLUDED.visitors;

    INSERT INTO online AS o (site, article, step, part, visitors)
    SELECT d.site, d.article, d.step, of_part, d.change
    FROM unnest(online_sites, online_articles, online_steps, online_changes) AS d (site, article, step, change)
    ON CONFLICT (site, article, step, part) DO UPDATE SET visitors = o.visitors + EXCLUDED.visitors;
    -- 120 steps are 10 minutes: twice as long as anybody is online.
    DELETE FROM online WHERE part = of_part AND step < (SELECT max(step) FROM unnest(online_steps) AS s (step)) - 120;

    INSERT INTO ledger AS l (site, day, outcome, reason, part, events)
    SELECT d.site, d.day, d.outcome, d.reason, of_part, d.events
    FROM unnest(ledger_sites, ledger_days, ledger_outcomes, ledger_reasons, ledger_events)
        AS d (site, day, outcome, reason, events)
    ON CONFLICT (site, day, outcome, reason, part) DO UPDATE SET events = l.events + EXCLUDED.events;

    INSERT INTO dead_letters (topic, part, "offset", reason, value)
    SELECT of_topic, of_part, d."offset", d.reason, d.value
    FROM unnest(dead_offsets, dead_reasons, dead_values) AS d ("offset", reason, value);
    RETURN true;
END
$$;

GRANT USAGE ON SCHEMA stats TO presstally_stats;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stats TO presstally_stats;
