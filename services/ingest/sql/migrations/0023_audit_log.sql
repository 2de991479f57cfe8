-- Changes of everything that is no article. Its numbers are from the sequence of the revisions, so that both have one
-- order and one cursor.
CREATE TABLE ingest.audit_log (
    id bigint PRIMARY KEY DEFAULT nextval('ingest.revisions_id_seq'),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    actor_id text,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    site text,
    details jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE ingest.audit_log IS 'Accepted changes of everything except articles, whose changes are revisions: who, what and when. Append-only.';
COMMENT ON COLUMN ingest.audit_log.actor_id IS 'Prefix of the token, or id of the person; null: a command or the service itself.';
COMMENT ON COLUMN ingest.audit_log.site IS 'Null: it concerns the whole installation.';
CREATE INDEX audit_log_site ON ingest.audit_log (site, id DESC);
CREATE INDEX audit_log_who ON ingest.audit_log (who, id DESC);
CREATE INDEX audit_log_object ON ingest.audit_log (object_kind, object_id, id DESC);

GRANT SELECT, INSERT ON ingest.audit_log TO presstally_ingest;
GRANT USAGE ON SEQUENCE ingest.revisions_id_seq TO presstally_ingest;
