-- name: insert_person
INSERT INTO ingest.people (id, email, name, language, from_provider) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (email) DO NOTHING
RETURNING id

-- name: people
-- All people, one of them, or the one with an e-mail address. `grants`: arrays of scope, site and section.
SELECT p.id, p.email, p.name, p.language, p.password IS NOT NULL AS has_password, p.totp_secret IS NOT NULL AS has_totp,
       p.from_provider, p.created_at, p.logged_in_at, p.locked_at,
       EXISTS (SELECT FROM ingest.person_identities i WHERE i.person = p.id) AS has_identity,
       (SELECT max(l.expires_at) FROM ingest.account_links l WHERE l.person = p.id AND l.purpose = 'invitation')
           AS invited_until,
       (
           SELECT coalesce(jsonb_agg(jsonb_build_array(g.scope, g.site, g.section) ORDER BY g.site, g.section, g.scope), '[]')
           FROM ingest.person_grants g WHERE g.person = p.id
       ) AS grants
FROM ingest.people p
WHERE ($1::text IS NULL OR p.id = $1) AND ($2::text IS NULL OR p.email = $2)
ORDER BY p.name, p.id

-- name: lock_people
-- Changes of people are made one after the other, so that two administrators cannot lock each other at once.
SELECT pg_advisory_xact_lock(hashtextextended('ingest.people', 0))

-- name: update_person
UPDATE ingest.people SET email = $2, name = $3, language = $4 WHERE id = $1

-- name: set_lock
UPDATE ingest.people SET locked_at = CASE WHEN $2 THEN coalesce(locked_at, clock_timestamp()) END WHERE id = $1

-- name: delete_person
DELETE FROM ingest.people WHERE id = $1

-- name: delete_grants
DELETE FROM ingest.person_grants WHERE person = $1

-- name: insert_grants
INSERT INTO ingest.person_grants (person, scope, site, section)
SELECT $1, scope, site, section FROM unnest($2::text[], $3::text[], $4::text[]) AS granted (scope, site, section)

-- name: count_administrators
-- People who may administer the whole installation and are not locked. $1: only those who can log in, not merely invited.
SELECT count(*) FROM ingest.people p
WHERE p.locked_at IS NULL
  AND (
      NOT $1 OR p.password IS NOT NULL
      OR EXISTS (SELECT FROM ingest.person_identities i WHERE i.person = p.id)
  )
  AND EXISTS (SELECT FROM ingest.person_grants g WHERE g.person = p.id AND g.scope = 'admin' AND g.site = '')

-- name: set_password
UPDATE ingest.people SET password = $2 WHERE id = $1

-- name: credentials
SELECT id, name, email, language, password, totp_secret, locked_at FROM ingest.people WHERE email = $1

-- name: credentials_of
SELECT id, name, email, language, password, totp_secret, totp_pending, locked_at FROM ingest.people WHERE id = $1

-- name: set_totp_pending
-- While two-step verification is on, it ends by a code of its own only.
UPDATE ingest.people SET totp_pending = $2 WHERE id = $1 AND totp_secret IS NULL RETURNING id

-- name: confirm_totp
UPDATE ingest.people SET totp_secret = totp_pending, totp_pending = NULL, totp_step = $2
WHERE id = $1 AND totp_pending IS NOT NULL RETURNING id

-- name: remove_totp
UPDATE ingest.people SET totp_secret = NULL, totp_pending = NULL WHERE id = $1

-- name: use_totp_step
-- A code is accepted once, also by two processes at the same time.
UPDATE ingest.people SET totp_step = $2 WHERE id = $1 AND totp_step < $2 RETURNING id

-- name: delete_recovery_codes
DELETE FROM ingest.recovery_codes WHERE person = $1

-- name: insert_recovery_codes
INSERT INTO ingest.recovery_codes (person, hash) SELECT $1, hash FROM unnest($2::bytea[]) AS hash

-- name: use_recovery_code
DELETE FROM ingest.recovery_codes WHERE person = $1 AND hash = $2 RETURNING hash

-- name: count_recovery_codes
SELECT count(*) FROM ingest.recovery_codes WHERE person = $1

-- name: mark_logged_in
UPDATE ingest.people SET logged_in_at = clock_timestamp() WHERE id = $1

-- name: insert_session
INSERT INTO ingest.sessions (hash, person, method, agent, network, expires_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp() + $6)
RETURNING id

-- name: session
-- $2: the time without requests after which it ends.
SELECT s.id, s.person, s.method, s.expires_at, s.used_at < clock_timestamp() - interval '1 minute' AS is_stale,
       p.name, p.email, p.language,
       (
           SELECT coalesce(jsonb_agg(jsonb_build_array(g.scope, g.site, g.section)), '[]')
           FROM ingest.person_grants g WHERE g.person = p.id
       ) AS grants
FROM ingest.sessions s JOIN ingest.people p ON p.id = s.person
WHERE s.hash = $1 AND s.expires_at > clock_timestamp() AND s.used_at > clock_timestamp() - $2::interval
  AND p.locked_at IS NULL

-- name: session_now
-- The name and rights of an open session's person, as they are in this transaction.
SELECT p.name,
       (
           SELECT coalesce(jsonb_agg(jsonb_build_array(g.scope, g.site, g.section)), '[]')
           FROM ingest.person_grants g WHERE g.person = p.id
       ) AS grants
FROM ingest.sessions s JOIN ingest.people p ON p.id = s.person
WHERE s.id = $1 AND s.person = $2 AND s.expires_at > clock_timestamp() AND p.locked_at IS NULL

-- name: mark_session_used
UPDATE ingest.sessions SET used_at = clock_timestamp() WHERE id = $1

-- name: list_sessions
SELECT id, method, agent, network, created_at, used_at, least(expires_at, used_at + $2::interval) AS expires_at
FROM ingest.sessions
WHERE person = $1 AND expires_at > clock_timestamp() AND used_at > clock_timestamp() - $2::interval
ORDER BY used_at DESC, id DESC

-- name: delete_sessions
-- One of a person's sessions ($2), or all except one ($3).
DELETE FROM ingest.sessions
WHERE person = $1 AND ($2::bigint IS NULL OR id = $2) AND id IS DISTINCT FROM $3
RETURNING id

-- name: delete_session_by_hash
DELETE FROM ingest.sessions WHERE hash = $1 RETURNING person

-- name: renew_session
-- The same session under a new secret.
UPDATE ingest.sessions SET hash = $2 WHERE id = $1 RETURNING id

-- name: insert_device
INSERT INTO ingest.known_devices (hash, person) VALUES ($1, $2)

-- name: use_device
UPDATE ingest.known_devices SET used_at = clock_timestamp() WHERE hash = $1 AND person = $2 RETURNING hash

-- name: is_known_device
SELECT EXISTS (SELECT FROM ingest.known_devices WHERE hash = $1 AND person = $2)

-- name: delete_devices
DELETE FROM ingest.known_devices WHERE person = $1

-- name: delete_surplus_devices
DELETE FROM ingest.known_devices WHERE person = $1 AND hash NOT IN (
    SELECT hash FROM ingest.known_devices WHERE person = $1 ORDER BY used_at DESC LIMIT $2
)

-- name: delete_links
DELETE FROM ingest.account_links WHERE person = $1 AND ($2::text IS NULL OR purpose = $2)

-- name: insert_link
INSERT INTO ingest.account_links (hash, person, purpose, expires_at) VALUES ($1, $2, $3, clock_timestamp() + $4)
RETURNING expires_at

-- name: link
SELECT l.person, l.purpose, l.expires_at, p.email, p.name, p.language
FROM ingest.account_links l JOIN ingest.people p ON p.id = l.person
WHERE l.hash = $1 AND l.purpose = ANY ($2::text[]) AND l.expires_at > clock_timestamp() AND p.locked_at IS NULL

-- name: use_link
DELETE FROM ingest.account_links WHERE hash = $1 AND expires_at > clock_timestamp() RETURNING person, purpose

-- name: count_attempt
-- $2: seconds for which it counts, from the first one.
INSERT INTO ingest.login_attempts AS a (key, failures, until)
VALUES ($1, 1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (key) DO UPDATE
SET failures = CASE WHEN a.until <= clock_timestamp() THEN 1 ELSE least(a.failures + 1, 1000000) END,
    until = CASE WHEN a.until <= clock_timestamp() THEN EXCLUDED.until ELSE a.until END
RETURNING failures, extract(epoch FROM until - clock_timestamp())::float8 AS seconds

-- name: forget_attempt
UPDATE ingest.login_attempts SET failures = greatest(0, failures - 1) WHERE key = ANY ($1::bytea[])

-- name: person_of_identity
SELECT person FROM ingest.person_identities WHERE issuer = $1 AND subject = $2

-- name: bind_identity
-- A person has one identity at a provider: another one with the same e-mail address is not the same account.
INSERT INTO ingest.person_identities (issuer, subject, person) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING person

-- name: delete_old_sessions
DELETE FROM ingest.sessions WHERE expires_at < clock_timestamp() OR used_at < clock_timestamp() - $1::interval

-- name: delete_old_links
DELETE FROM ingest.account_links WHERE expires_at < clock_timestamp()

-- name: delete_old_attempts
DELETE FROM ingest.login_attempts WHERE until < clock_timestamp()

-- name: delete_old_devices
DELETE FROM ingest.known_devices WHERE used_at < clock_timestamp() - interval '400 days'
