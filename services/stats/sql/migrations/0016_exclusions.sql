-- What turns out to be programs is taken out of the counts by an audited adjustment, and can be put back.
ALTER TABLE stats.adjustments ADD COLUMN excluded_agent bigint, ADD COLUMN excluded_from bigint, ADD COLUMN excluded_to bigint;
COMMENT ON COLUMN stats.adjustments.excluded_agent IS 'Group of clients that the next rebuild takes out of the counts; null: none.';
COMMENT ON COLUMN stats.adjustments.excluded_from IS 'Begin of the span of their views, in seconds since 1970 UTC.';

CREATE TABLE stats.applied_exclusions (
    generation integer NOT NULL,
    adjustment text NOT NULL,
    is_excluded boolean NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (generation, adjustment)
);
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
