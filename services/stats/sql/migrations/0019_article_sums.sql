-- Lists of long ranges read sums over spans of days instead of each day of each article on each partition. Counters fill
-- them in the background, with days that no record can change any more.
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
