-- The stats service: counts and the Kafka offsets up to which they were counted, changed in one transaction.
-- For reading: what runs are the migrations, and a test compares their result with this file.
CREATE SCHEMA stats;

CREATE TABLE stats.generations (
    generation integer PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('building', 'current')),
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE stats.generations IS 'Sets of counts. Queries read the current one; a rebuild fills the next one.';
CREATE UNIQUE INDEX generations_state ON stats.generations (state);
INSERT INTO stats.generations (generation, state) VALUES (1, 'current');

CREATE TABLE stats.offsets (
    topic text NOT NULL,
    partition integer NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL,
    generation integer NOT NULL,
    cluster text NOT NULL DEFAULT '',
    topic_id text NOT NULL DEFAULT '',
    newest_arrived bigint NOT NULL DEFAULT 0,
    window_records integer NOT NULL DEFAULT 0,
    window_dead_letters integer NOT NULL DEFAULT 0,
    offsets_without_record bigint NOT NULL DEFAULT 0,
    last_record bigint,
    pages_from bigint NOT NULL DEFAULT 0,
    evidence_from bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, topic, partition)
) WITH (fillfactor = 20);
COMMENT ON COLUMN stats.offsets.next_offset IS 'All records before it are in the counts; none after it is.';
COMMENT ON COLUMN stats.offsets.epoch IS 'Increases when next_offset is moved other than by counting: over a gap, or by a rebuild.';
COMMENT ON COLUMN stats.offsets.cluster IS 'The Kafka cluster of these offsets; empty until a counter has read it.';
COMMENT ON COLUMN stats.offsets.topic_id IS 'The id of the topic: a topic of the same name with another id is another topic.';
COMMENT ON COLUMN stats.offsets.newest_arrived IS 'When Kafka got the newest record that is counted: milliseconds since 1970 UTC.';
COMMENT ON COLUMN stats.offsets.window_dead_letters IS 'Dead letters among the last window_records records: too many stop the counter.';
COMMENT ON COLUMN stats.offsets.offsets_without_record IS 'Offsets before next_offset without a ledger entry: from before counting began, deleted before they were counted, or the end of a transaction. All others are in the ledger.';
COMMENT ON COLUMN stats.offsets.pages_from IS 'Views without an article count for their page from this offset on: earlier ones were counted by a version without pages.';
COMMENT ON COLUMN stats.offsets.evidence_from IS 'Events are evidence from this offset on: earlier ones were counted by a version without evidence.';
COMMENT ON COLUMN stats.offsets.last_record IS 'Checksum of the record before next_offset: the log must still have it there. Null: unknown.';

CREATE TABLE stats.counts (
    site text NOT NULL,
    article text NOT NULL,
    grain text NOT NULL CHECK (grain IN ('5m', 'hour', 'day', 'total')),
    bucket_start bigint NOT NULL,
    partition integer NOT NULL,
    views bigint NOT NULL DEFAULT 0,
    visits bigint NOT NULL DEFAULT 0,
    visitors bigint NOT NULL DEFAULT 0,
    generation integer NOT NULL,
    PRIMARY KEY (generation, site, article, grain, bucket_start, partition)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.counts IS 'Human counts, a row for each partition, so that no two counters touch one row.';
COMMENT ON COLUMN stats.counts.article IS 'Article id, or the page of views without one, which begins with a slash; empty for the whole site.';
COMMENT ON COLUMN stats.counts.bucket_start IS 'Seconds since 1970 UTC; 0 for the total.';

CREATE TABLE stats.online (
    generation integer NOT NULL,
    site text NOT NULL,
    article text NOT NULL,
    partition integer NOT NULL,
    first_bucket bigint NOT NULL,
    visitors integer[] NOT NULL,
    PRIMARY KEY (generation, site, article, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE stats.online IS 'Visitors by when they were last seen, in buckets of 5 seconds from first_bucket (seconds since 1970 UTC, divided by 5). Old buckets stop counting by themselves.';

CREATE TABLE stats.visitor_days (
    site text NOT NULL,
    day bigint NOT NULL,
    visitor bigint NOT NULL,
    generation integer NOT NULL,
    PRIMARY KEY (generation, site, day, visitor)
);
COMMENT ON TABLE stats.visitor_days IS 'The visitor IDs of each local day: they make daily visitors distinct.';

CREATE TABLE stats.ledger (
    site text NOT NULL,
    day bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('counted', 'duplicate', 'bot', 'late', 'dead_lettered')),
    reason text NOT NULL,
    partition integer NOT NULL,
    events bigint NOT NULL,
    generation integer NOT NULL,
    PRIMARY KEY (generation, site, day, outcome, reason, partition)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.ledger IS 'Outcome of every record read, by local day of its arrival.';

CREATE TABLE stats.dead_letters (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    value bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE stats.dead_letters IS 'Waiting for delivery to the dead-letter topic; deleted once Kafka has them.';

CREATE TABLE stats.adjustments (
    id text PRIMARY KEY,
    site text NOT NULL,
    article text NOT NULL,
    measure text NOT NULL CHECK (measure IN ('views', 'visits', 'visitors')),
    amount bigint NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    created_at timestamptz NOT NULL,
    excluded_agent bigint,
    excluded_from bigint,
    excluded_to bigint
);
COMMENT ON COLUMN stats.adjustments.excluded_agent IS 'Group of clients that the next rebuild takes out of the counts; null: none.';
COMMENT ON COLUMN stats.adjustments.excluded_from IS 'Begin of the span of their views, in seconds since 1970 UTC.';
COMMENT ON TABLE stats.adjustments IS 'Audited amounts that nobody measured, such as opening balances. Never mixed into counts.';
CREATE INDEX adjustments_of ON stats.adjustments (site, article, measure);

CREATE TABLE stats.snapshots (
    generation integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (generation, topic, partition)
);
ALTER TABLE stats.snapshots ALTER COLUMN state SET STORAGE EXTERNAL;
COMMENT ON TABLE stats.snapshots IS 'State of a partition after all records before the offset. A cache: it can be rebuilt from the log.';

CREATE TABLE stats.evicted_state (
    generation integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    evicted_at_offset bigint NOT NULL,
    window_index bigint NOT NULL,
    ids bytea NOT NULL,
    activities bytea NOT NULL DEFAULT '',
    PRIMARY KEY (generation, topic, partition, evicted_at_offset)
);
ALTER TABLE stats.evicted_state ALTER COLUMN ids SET STORAGE EXTERNAL;
ALTER TABLE stats.evicted_state ALTER COLUMN activities SET STORAGE EXTERNAL;
COMMENT ON TABLE stats.evicted_state IS 'What a partition''s state dropped at an offset: for late events.';
COMMENT ON COLUMN stats.evicted_state.ids IS 'Event ids: they identify a late event that was counted before an outage.';
COMMENT ON COLUMN stats.evicted_state.activities IS 'When visitor IDs were active: they decide whether a late view begins a visit, and which visit it takes back.';

CREATE TABLE stats.known_articles (
    generation integer NOT NULL,
    partition integer NOT NULL,
    site text NOT NULL,
    article text NOT NULL,
    accepted_at_offset bigint NOT NULL,
    day bigint,
    PRIMARY KEY (generation, partition, site, article)
);
COMMENT ON TABLE stats.known_articles IS 'Article ids and pages that have counts. Views of other ones count for the site alone; only so many become known on one day.';
COMMENT ON COLUMN stats.known_articles.accepted_at_offset IS 'Offset of the first view that counts for the article; that of the first record for which it is known if that view is not in the log.';
COMMENT ON COLUMN stats.known_articles.day IS 'UTC day (days since 1970) of that view. Null: known from a former log or version, and part of no day''s limit.';
CREATE INDEX known_articles_by_day ON stats.known_articles (generation, partition, day);

CREATE TABLE stats.gaps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation integer NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    first_lost bigint NOT NULL,
    next_available bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    counted_until bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE stats.gaps IS 'Records that Kafka deleted before they were counted. Each row raises an alert.';
COMMENT ON COLUMN stats.gaps.counted_until IS 'Records that arrived until then (milliseconds since 1970 UTC) may be counted and gone from the log: a rebuild keeps the counts of their days. 0: none.';

CREATE TABLE stats.referrers (
    generation integer NOT NULL,
    site text NOT NULL,
    day bigint NOT NULL,
    partition integer NOT NULL,
    host text NOT NULL,
    visits bigint NOT NULL,
    PRIMARY KEY (generation, site, day, partition, host)
) WITH (fillfactor = 70);
COMMENT ON TABLE stats.referrers IS 'Referrer hosts of visits, by local day. An empty host: direct or unknown.';

CREATE TABLE stats.articles (
    id text PRIMARY KEY,
    site text NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    section text NOT NULL,
    title text
);
COMMENT ON TABLE stats.articles IS 'Titles and sections from the topic articles. The title of a killed article is null.';

CREATE TABLE stats.links (
    article text PRIMARY KEY,
    version integer NOT NULL,
    path text
);
COMMENT ON TABLE stats.links IS 'Path under which the portal serves an article, from the topic pages-live; null once it was withdrawn.';

CREATE TABLE stats.evidence (
    generation integer NOT NULL,
    site text NOT NULL,
    hour bigint NOT NULL,
    agent bigint NOT NULL,
    window_index bigint NOT NULL,
    partition integer NOT NULL,
    views bigint NOT NULL,
    arrivals bigint NOT NULL,
    confirmed bigint NOT NULL,
    pings bigint NOT NULL,
    leaves bigint NOT NULL,
    home_views bigint NOT NULL,
    article_views bigint NOT NULL,
    direct_views bigint NOT NULL,
    networks bit(512) NOT NULL,
    PRIMARY KEY (generation, site, hour, agent, window_index, partition)
);
COMMENT ON TABLE stats.evidence IS 'What groups of clients did, by local hour and window of arrival: programs that look like people show in it. No count depends on it.';
COMMENT ON COLUMN stats.evidence.agent IS 'Class of the browser and keyed hash of the user agent of that day; -1: all further ones.';
COMMENT ON COLUMN stats.evidence.arrivals IS 'Visitor IDs that came: their first view while they are remembered.';
COMMENT ON COLUMN stats.evidence.confirmed IS 'Visitor IDs whose pages answered: their first ping or leave while they are remembered.';
COMMENT ON COLUMN stats.evidence.networks IS 'Sketch of the address prefixes: a bit for each keyed hash, modulo 512.';

-- What all widgets show for a moment: so a visitor whose requests alternate between them sees no number fall.
CREATE UNLOGGED TABLE stats.shared_reads (
    key text PRIMARY KEY,
    read_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    value bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE stats.shared_reads IS 'Numbers that one widget has read and all widgets return until valid_until, by the clock of Postgres. A cache: unlogged, and expired rows are deleted.';

CREATE INDEX counts_of_articles ON stats.counts (generation, site, grain, bucket_start) WHERE article <> '';
CREATE INDEX counts_of_pages ON stats.counts (generation, site, grain, bucket_start) WHERE starts_with(article, '/');
COMMENT ON INDEX stats.counts_of_articles IS 'For the top articles: the rows of a day without those of all other days. Counts are not in it, so that adding to a count does not change it.';

-- The arguments of `stats.apply_batch`: one type for each table, with an array for each column. A caller sets fields by
-- name, so that no two columns can be swapped. Arrays of one value have equal lengths; element n of each makes row n.
CREATE TYPE stats.batch_positions AS (
    partition integer[],
    epoch bigint[],
    counted_from bigint[],
    next_offset bigint[],
    newest_arrived bigint[],
    window_records integer[],
    window_dead_letters integer[],
    offsets_without_record bigint[],
    last_record bigint[]
);
COMMENT ON TYPE stats.batch_positions IS 'How far partitions are counted after a batch, and from which epoch and offset on: rows of stats.offsets.';

CREATE TYPE stats.batch_limits AS (
    hosts_max integer,
    other_hosts text,
    evicted_windows bigint
);
COMMENT ON TYPE stats.batch_limits IS 'Bounds of referrers and evicted_state: rows of a day, the name of the rest, and how many windows are kept.';

CREATE TYPE stats.batch_day_counts AS (
    site text[],
    article text[],
    day bigint[],
    views bigint[],
    visits bigint[],
    partition integer[]
);

CREATE TYPE stats.batch_bucket_counts AS (
    site text[],
    grain text[],
    bucket_start bigint[],
    views bigint[],
    visits bigint[],
    partition integer[]
);

CREATE TYPE stats.batch_daily_visitors AS (
    site text[],
    day bigint[],
    visitor bigint[],
    article text[],
    bucket_5m bigint[],
    bucket_hour bigint[],
    partition integer[]
);

CREATE TYPE stats.batch_presence AS (
    site text[],
    article text[],
    first_bucket bigint[],
    visitors integer[],
    visitors_begin integer[],
    visitors_end integer[],
    partition integer[]
);
COMMENT ON TYPE stats.batch_presence IS 'visitors has those of all rows one after the other; a row''s are from visitors_begin to visitors_end, counted from 1.';

CREATE TYPE stats.batch_ledger AS (
    site text[],
    day bigint[],
    outcome text[],
    reason text[],
    events bigint[],
    partition integer[]
);

CREATE TYPE stats.batch_referrers AS (
    site text[],
    day bigint[],
    host text[],
    visits bigint[],
    partition integer[]
);

CREATE TYPE stats.batch_dead_letters AS (
    "offset" bigint[],
    reason text[],
    value bytea[],
    partition integer[]
);

CREATE TYPE stats.batch_known_articles AS (
    site text[],
    article text[],
    accepted_at_offset bigint[],
    day bigint[],
    partition integer[]
);

CREATE TYPE stats.batch_evicted_state AS (
    evicted_at_offset bigint[],
    window_index bigint[],
    ids bytea[],
    activities bytea[],
    partition integer[]
);

CREATE TYPE stats.batch_evidence AS (
    site text[],
    window_index bigint[],
    hour bigint[],
    agent bigint[],
    views bigint[],
    arrivals bigint[],
    confirmed bigint[],
    pings bigint[],
    leaves bigint[],
    home_views bigint[],
    article_views bigint[],
    direct_views bigint[],
    networks bit(512)[],
    partition integer[]
);

-- One call applies batches of partitions in one transaction. A partition's offset moves only if it is where the caller
-- read it, and everything else of that partition follows; otherwise nothing of it changes. Returns the partitions that
-- were moved. Rows of a single partition need not say which: `partition` may then be empty.
CREATE FUNCTION stats.apply_batch(
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

GRANT USAGE ON SCHEMA stats TO presstally_stats;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stats TO presstally_stats;

CREATE TABLE stats.consumer_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    cluster text NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    last_record bigint,
    PRIMARY KEY (consumer, topic, partition)
);
COMMENT ON TABLE stats.consumer_offsets IS 'How far topics are applied to this schema; they follow it, and not the offsets of the groups in Kafka.';
COMMENT ON COLUMN stats.consumer_offsets.next_offset IS 'All records before it are applied.';
COMMENT ON COLUMN stats.consumer_offsets.last_record IS 'Checksum of the record before next_offset: a log in which it differs has lost its tail, and is read from its beginning.';

GRANT SELECT, INSERT, UPDATE ON stats.consumer_offsets TO presstally_stats;

CREATE TABLE stats.refused_origins (
    site text NOT NULL,
    day bigint NOT NULL,
    origin text NOT NULL,
    views bigint NOT NULL,
    PRIMARY KEY (site, day, origin)
);
COMMENT ON TABLE stats.refused_origins IS 'Views that collectors refused, because the site does not declare the origin of the page. No count depends on it.';
COMMENT ON COLUMN stats.refused_origins.day IS 'UTC day, in days since 1970.';
COMMENT ON COLUMN stats.refused_origins.origin IS 'As senders claim it; empty for further ones.';
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.refused_origins TO presstally_stats;

CREATE TABLE stats.site_structures (
    site text PRIMARY KEY,
    version bigint NOT NULL,
    content jsonb NOT NULL
);
COMMENT ON TABLE stats.site_structures IS 'The structure of each site, from the topic site-structure.';

CREATE TABLE stats.section_aliases (
    site text NOT NULL,
    slug text NOT NULL,
    target text NOT NULL,
    PRIMARY KEY (site, slug)
);
COMMENT ON TABLE stats.section_aliases IS 'Slugs that sections gave up, and the section that has their articles: what was read in them counts there.';

GRANT SELECT, INSERT, UPDATE, DELETE ON stats.site_structures, stats.section_aliases TO presstally_stats;

CREATE TABLE stats.applied_exclusions (
    generation integer NOT NULL,
    adjustment text NOT NULL,
    is_excluded boolean NOT NULL,
    visitors bigint NOT NULL,
    arrived_before bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, adjustment)
);
COMMENT ON COLUMN stats.applied_exclusions.arrived_before IS 'Records that arrived before this decide who they are, in milliseconds since 1970 UTC; 0: before the exclusion was made.';
COMMENT ON TABLE stats.applied_exclusions IS 'Exclusions that the counts of a generation know, and how many visitor IDs each has found.';
COMMENT ON COLUMN stats.applied_exclusions.is_excluded IS 'Whether they are out of the counts; false after a reversal.';

CREATE TABLE stats.excluded_visitors (
    generation integer NOT NULL,
    site text NOT NULL,
    adjustment text NOT NULL,
    day bigint NOT NULL,
    visitor bigint NOT NULL,
    PRIMARY KEY (generation, site, visitor, adjustment)
);
COMMENT ON TABLE stats.excluded_visitors IS 'Visitor IDs whose events count as those of bots. They are kept as long as the visitor IDs of their day.';

GRANT SELECT, INSERT, UPDATE, DELETE ON stats.applied_exclusions, stats.excluded_visitors TO presstally_stats;

CREATE TABLE stats.article_sums (
    generation integer NOT NULL,
    site text NOT NULL,
    span text NOT NULL CHECK (span IN ('8 days', '64 days', 'before')),
    span_start bigint NOT NULL,
    article text NOT NULL,
    views bigint NOT NULL,
    visits bigint NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (generation, site, span, span_start, article)
);
COMMENT ON TABLE stats.article_sums IS 'Counts of articles and pages over spans of settled days, of all partitions: sums of rows of stats.counts.';
COMMENT ON COLUMN stats.article_sums.span_start IS 'Seconds since 1970 UTC, a multiple of the length; 0 for all days before.';

CREATE TABLE stats.summed_until (
    generation integer PRIMARY KEY,
    before bigint NOT NULL,
    of_8_days bigint NOT NULL,
    of_64_days bigint NOT NULL
);
COMMENT ON TABLE stats.summed_until IS 'How far stats.article_sums has the spans of each length: all that end until then. Without a row there are none.';
COMMENT ON COLUMN stats.summed_until.before IS 'The days before it are in the spans that are called before.';

-- Rows to be summed: of two ranges of spans of counts, and of three of sums. It becomes a part of the query that calls it,
-- so that conditions on articles choose the index, and Postgres knows how many rows each range has.
CREATE FUNCTION stats.article_counts(of_site text, spans text[], begins bigint[], ends bigint[])
RETURNS TABLE (article text, views bigint, visits bigint, visitors bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT article, views, visits, visitors FROM stats.counts
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND site = of_site
        AND article <> '' AND grain = spans[1] AND bucket_start >= begins[1] AND bucket_start < ends[1]
    UNION ALL
    SELECT article, views, visits, visitors FROM stats.counts
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND site = of_site
        AND article <> '' AND grain = spans[2] AND bucket_start >= begins[2] AND bucket_start < ends[2]
    UNION ALL
    SELECT article, views, visits, visitors FROM stats.article_sums
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND site = of_site
        AND span = spans[3] AND span_start >= begins[3] AND span_start < ends[3]
    UNION ALL
    SELECT article, views, visits, visitors FROM stats.article_sums
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND site = of_site
        AND span = spans[4] AND span_start >= begins[4] AND span_start < ends[4]
    UNION ALL
    SELECT article, views, visits, visitors FROM stats.article_sums
    WHERE generation = (SELECT generation FROM stats.generations WHERE state = 'current') AND site = of_site
        AND span = spans[5] AND span_start >= begins[5] AND span_start < ends[5]
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON stats.article_sums, stats.summed_until TO presstally_stats;
