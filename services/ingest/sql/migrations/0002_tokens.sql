-- Bearer tokens of editors and of servers that send events.
CREATE TABLE ingest.tokens (
    prefix text PRIMARY KEY CHECK (prefix ~ '^[0-9a-f]{8}$'),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    name text NOT NULL,
    scopes text[] NOT NULL CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'publish', 'admin', 'events']
    ),
    sites text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    used_at timestamptz
);
COMMENT ON TABLE ingest.tokens IS 'Who may call the editor API. A row stays after its revocation: the audit log names it.';
COMMENT ON COLUMN ingest.tokens.hash IS 'SHA-256 of the token. The token has 256 random bits, so that nothing slower is needed.';
COMMENT ON COLUMN ingest.tokens.sites IS 'The sites that it may act on; null means all.';
COMMENT ON COLUMN ingest.tokens.used_at IS 'When it was last looked up, which each process does at most once in a minute.';

GRANT SELECT, INSERT, UPDATE ON ingest.tokens TO presstally_ingest;
