-- People with accounts, what each may do where, and their sessions. Secrets are stored as hashes, except TOTP's, which
-- the server needs.
CREATE TABLE ingest.people (
    id text PRIMARY KEY CHECK (id ~ '^person-[0-9a-f]{16}$'),
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    name text NOT NULL,
    language text NOT NULL DEFAULT 'vi' CHECK (language IN ('vi', 'en')),
    password text,
    totp_secret bytea,
    totp_pending bytea,
    totp_step bigint NOT NULL DEFAULT 0,
    from_provider boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    logged_in_at timestamptz,
    locked_at timestamptz
);
COMMENT ON TABLE ingest.people IS 'People who may log in. A row is deleted when somebody is removed; revisions and the audit log keep the name.';
COMMENT ON COLUMN ingest.people.password IS 'Argon2id, encoded with its parameters; null: none set, so only an invitation or a provider opens the account.';
COMMENT ON COLUMN ingest.people.totp_pending IS 'A secret that is used once a code of it was confirmed.';
COMMENT ON COLUMN ingest.people.totp_step IS 'The newest time step of which a code was used: none is accepted twice.';
COMMENT ON COLUMN ingest.people.from_provider IS 'Created at a log-in by OpenID Connect, whose claim decides the grants.';

CREATE TABLE ingest.person_grants (
    person text NOT NULL REFERENCES ingest.people (id) ON DELETE CASCADE,
    scope text NOT NULL CHECK (scope IN ('read', 'write', 'publish', 'admin')),
    site text NOT NULL DEFAULT '',
    section text NOT NULL DEFAULT '',
    PRIMARY KEY (person, scope, site, section),
    CHECK (section = '' OR site <> '')
);
COMMENT ON TABLE ingest.person_grants IS 'What a person may do; an empty site means all sites, an empty section all sections of the site.';

CREATE TABLE ingest.person_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    person text NOT NULL REFERENCES ingest.people (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject),
    UNIQUE (issuer, person)
);
COMMENT ON TABLE ingest.person_identities IS 'Accounts of people at the OpenID Connect provider, bound at their first log-in.';

CREATE TABLE ingest.recovery_codes (
    person text NOT NULL REFERENCES ingest.people (id) ON DELETE CASCADE,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (person, hash)
);
COMMENT ON TABLE ingest.recovery_codes IS 'Codes that replace one of TOTP, once: a used one is deleted. They have 80 random bits.';

CREATE TABLE ingest.sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    person text NOT NULL REFERENCES ingest.people (id) ON DELETE CASCADE,
    method text NOT NULL CHECK (method IN ('password', 'oidc')),
    agent text NOT NULL,
    network text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE ingest.sessions IS 'Open sessions of people; a closed or expired one is deleted.';
COMMENT ON COLUMN ingest.sessions.hash IS 'SHA-256 of the cookie, which has 256 random bits.';
COMMENT ON COLUMN ingest.sessions.agent IS 'Class of the browser, such as Firefox on Windows; never the whole user agent.';
COMMENT ON COLUMN ingest.sessions.network IS 'Network from which it was opened: an IPv4 /24 or an IPv6 /48.';
COMMENT ON COLUMN ingest.sessions.used_at IS 'Written at most once a minute.';
CREATE INDEX sessions_person ON ingest.sessions (person, id DESC);
CREATE INDEX sessions_expiry ON ingest.sessions (expires_at);

CREATE TABLE ingest.known_devices (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    person text NOT NULL REFERENCES ingest.people (id) ON DELETE CASCADE,
    used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ingest.known_devices IS 'Browsers in which somebody has logged in: no guesses of others keep them out. Deleted after 400 days without a log-in.';
CREATE INDEX known_devices_person ON ingest.known_devices (person, used_at DESC);

CREATE TABLE ingest.account_links (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    person text NOT NULL REFERENCES ingest.people (id) ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'reset', 'login')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE ingest.account_links IS 'Links that were sent to people, as SHA-256 of their secret. A used one is deleted.';
CREATE INDEX account_links_person ON ingest.account_links (person, purpose);

CREATE TABLE ingest.login_attempts (
    key bytea PRIMARY KEY CHECK (length(key) = 32),
    failures integer NOT NULL,
    until timestamptz NOT NULL
);
COMMENT ON TABLE ingest.login_attempts IS 'Failed log-ins by hashed address, network, account or device; deleted when their time has passed.';
CREATE INDEX login_attempts_until ON ingest.login_attempts (until);

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.people, ingest.sessions, ingest.known_devices, ingest.login_attempts
    TO presstally_ingest;
GRANT SELECT, INSERT, DELETE ON ingest.person_grants, ingest.person_identities, ingest.recovery_codes, ingest.account_links
    TO presstally_ingest;

COMMENT ON COLUMN ingest.articles.author_token IS 'Prefix of the author''s token, or id of the person; null: imported by the command.';
