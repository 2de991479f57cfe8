-- A restored database knows nothing of the versions and numbers that were given after its backup.
CREATE FUNCTION ingest.database_identity() RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT concat_ws('/',
        (SELECT system_identifier FROM pg_catalog.pg_control_system()),
        left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()),
        'ingest.articles'::regclass::oid)
$$;
COMMENT ON FUNCTION ingest.database_identity IS 'Server, timeline, database and table: another one after a restore of a dump, a recovery to a point in time, and a failover.';

CREATE TABLE ingest.topic_comparison (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    database_identity text,
    server_started_at timestamptz,
    compared_at timestamptz,
    first_revision bigint NOT NULL DEFAULT 0,
    versions_skipped integer NOT NULL DEFAULT 0 CHECK (versions_skipped >= 0)
);
COMMENT ON TABLE ingest.topic_comparison IS 'The last comparison of this database with the topics. While its identity and start are not those of the server, articles cannot be changed.';
COMMENT ON COLUMN ingest.topic_comparison.first_revision IS 'The first id of ingest.revisions after the last restore that was noticed.';
COMMENT ON COLUMN ingest.topic_comparison.versions_skipped IS 'By how much the next version of an article is higher whose newest revision is from before that.';
INSERT INTO ingest.topic_comparison DEFAULT VALUES;

CREATE FUNCTION ingest.is_compared() RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(bool_and(
        database_identity = ingest.database_identity() AND server_started_at = pg_catalog.pg_postmaster_start_time()
    ), false)
    FROM ingest.topic_comparison
$$;
COMMENT ON FUNCTION ingest.is_compared IS 'Whether this database was compared with the topics since it may have been restored.';

GRANT SELECT, UPDATE ON ingest.topic_comparison TO presstally_ingest;
GRANT SELECT ON SEQUENCE ingest.revisions_id_seq TO presstally_ingest;
