-- What all widgets show for a moment: so a visitor whose requests alternate between them sees no number fall.
CREATE UNLOGGED TABLE stats.shared_reads (
    key text PRIMARY KEY,
    read_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    value bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE stats.shared_reads IS 'Numbers that one widget has read and all widgets return until valid_until, by the clock of Postgres. A cache: unlogged, and expired rows are deleted.';

GRANT SELECT, INSERT, UPDATE, DELETE ON stats.shared_reads TO presstally_stats;
