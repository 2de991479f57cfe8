-- The stats service: counts and the Kafka offsets they stand for, changed in one transaction.
CREATE SCHEMA stats;

CREATE TABLE stats.generations (
    gen integer PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('building', 'current')),
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stats.generations IS 'Readers read the current one; a rebuild makes the next one.';
CREATE UNIQUE INDEX generations_state ON stats.generations (state);
INSERT INTO stats.generations (gen, state) VALUES (1, 'current');

CREATE TABLE stats.offsets (
    topic text NOT NULL,
    part integer NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL,
    gen integer NOT NULL,
    cluster text NOT NULL DEFAULT '',
    topic_id text NOT NULL DEFAULT '',
    newest_arrived bigint NOT NULL DEFAULT 0,
    window_records integer NOT NULL DEFAULT 0,
    window_dead integer NOT NULL DEFAULT 0,
    unledgered bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (gen, topic, part)
) WITH (fillfactor = 20);
COMMENT ON COLUMN stats.offsets.next_offset IS 'All records before it are in the counts; none after it is.';
COMMENT ON COLUMN stats.offsets.epoch IS 'Rises when next_offset is moved otherwise than by counting: over a gap, or by a rebuild.';
COMMENT ON COLUMN stats.offsets.cluster IS 'The Kafka cluster whose offsets these are; empty until a counter has asked.';
COMMENT ON COLUMN stats.offsets.topic_id IS 'The topic''s own id: another one under the same name is another topic.';
COMMENT ON COLUMN stats.offsets.newest_arrived IS 'When Kafka got the newest record that is counted: milliseconds since 1970 UTC.';
COMMENT ON COLUMN stats.offsets.window_dead IS 'Dead letters among the last window_records records: too many stop the counter.';
COMMENT ON COLUMN stats.offsets.unledgered IS 'Offsets before next_offset that no ledger row stands for: from before counting began, deleted before they were counted, or the end of a transaction. The rest are in the ledger.';

CREATE TABLE stats.counts (
    site text NOT NULL,
    article text NOT NULL,
    grain text NOT NULL CHECK (grain IN ('step', 'hour', 'day', 'total')),
    start bigint NOT NULL,
    part integer NOT NULL,
    views bigint NOT NULL DEFAULT 0,
    visits bigint NOT NULL DEFAULT 0,
    visitors bigint NOT NULL DEFAULT 0,
    gen integer NOT NULL,
    PRIMARY KEY (gen, site, article, grain, start, part)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.counts IS 'Human counts, a row for each partition, so that no two counters touch one row.';
COMMENT ON COLUMN stats.counts.article IS 'Article id; empty for the whole site.';
COMMENT ON COLUMN stats.counts.start IS 'Seconds since 1970 UTC; 0 for the total. A step has 5 minutes.';

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

CREATE TABLE stats.visitor_days (
    site text NOT NULL,
    day bigint NOT NULL,
    visitor bigint NOT NULL,
    gen integer NOT NULL,
    PRIMARY KEY (gen, site, day, visitor)
);
COMMENT ON TABLE stats.visitor_days IS 'Which keys were seen on which local day: what makes daily visitors distinct.';

CREATE TABLE stats.ledger (
    site text NOT NULL,
    day bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('counted', 'duplicate', 'bot', 'late', 'dead_lettered')),
    reason text NOT NULL,
    part integer NOT NULL,
    events bigint NOT NULL,
    gen integer NOT NULL,
    PRIMARY KEY (gen, site, day, outcome, reason, part)
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

CREATE TABLE stats.referrers (
    gen integer NOT NULL,
    site text NOT NULL,
    day bigint NOT NULL,
    part integer NOT NULL,
    host text NOT NULL,
    visits bigint NOT NULL,
    PRIMARY KEY (gen, site, day, part, host)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.referrers IS 'Where visits came from, by local day. An empty host: typed, bookmarked, or not told.';

CREATE TABLE stats.articles (
    id text PRIMARY KEY,
    site text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    section text NOT NULL,
    title text
);
COMMENT ON TABLE stats.articles IS 'Titles and sections, as the topic articles tells them. The title of a killed article is null.';

CREATE TABLE stats.links (
    article text PRIMARY KEY,
    version integer NOT NULL,
    path text
);
COMMENT ON TABLE stats.links IS 'Where the portal serves an article, as pages-live tells it; null once it was withdrawn.';

CREATE INDEX counts_of_articles ON stats.counts (gen, site, grain, start) WHERE article <> '';
COMMENT ON INDEX stats.counts_of_articles IS 'For most read: the rows of a day without those of all other days. Counts are not in it, so that adding to a count does not touch it.';

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

GRANT USAGE ON SCHEMA stats TO presstally_stats;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stats TO presstally_stats;
