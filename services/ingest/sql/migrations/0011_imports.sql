-- What an import said last: a second run that says the same changes nothing, also after editors have been at work.
CREATE TABLE ingest.imports (
    article text PRIMARY KEY REFERENCES ingest.articles (id),
    checksum bytea NOT NULL CHECK (length(checksum) = 32),
    at timestamptz NOT NULL
);
COMMENT ON TABLE ingest.imports IS 'Of each article that was imported: SHA-256 of what the import said last.';

GRANT SELECT, INSERT, UPDATE ON ingest.imports TO presstally_ingest;
