-- name: share_secret
-- The first collector to come makes the secret; all others read it.
WITH made AS (
    INSERT INTO ingest.secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING value
)
SELECT value FROM made UNION ALL SELECT value FROM ingest.secrets WHERE name = $1 LIMIT 1

-- name: share_salt
WITH made AS (
    INSERT INTO ingest.salts (site, day, salt) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING salt
)
SELECT salt FROM made UNION ALL SELECT salt FROM ingest.salts WHERE site = $1 AND day = $2 LIMIT 1

-- name: drop_old_salts
DELETE FROM ingest.salts WHERE created_at < now() - interval '48 hours'

-- name: next_number
SELECT nextval('ingest.article_numbers')

-- name: lock_external
-- Two imports of the same page at the same moment: the second waits, then finds the first one's article.
SELECT pg_advisory_xact_lock(hashtextextended($1, hashtextextended($2, 0)))

-- name: article_by_external_id
SELECT id, number, version, content FROM ingest.articles
WHERE source_system = $1 AND external_id = $2
FOR UPDATE

-- name: insert_article
INSERT INTO ingest.articles
    (id, number, site, version, state, title, source_system, external_id, content, modified_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10)

-- name: update_article
UPDATE ingest.articles
SET version = $2, state = $3, title = $4, content = $5::jsonb, modified_at = $6
WHERE id = $1 AND version = $2 - 1

-- name: put_in_outbox
INSERT INTO ingest.outbox (topic, key, value) VALUES ($1, $2, $3)

-- name: claim_relay
-- One relay at a time keeps the order; the lock lives as long as the connection.
SELECT pg_try_advisory_lock(hashtext('ingest.outbox'))

-- name: read_outbox
SELECT id, topic, key, value FROM ingest.outbox ORDER BY id LIMIT $1

-- name: delete_from_outbox
DELETE FROM ingest.outbox WHERE id = ANY ($1::bigint[])

-- name: count_outbox
SELECT count(*) FROM ingest.outbox

-- name: set_opening_balance
INSERT INTO ingest.opening_balances (site, article, measure, adjustment, amount, who, why, at)
VALUES ($1, coalesce($2, ''), $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
RETURNING adjustment

-- name: opening_balance
SELECT amount FROM ingest.opening_balances WHERE site = $1 AND article = coalesce($2, '') AND measure = $3

-- name: save_publication
-- A late message about an older version changes nothing.
INSERT INTO ingest.publications (article, version, status, url, reason, at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (article) DO UPDATE
SET version = EXCLUDED.version, status = EXCLUDED.status, url = EXCLUDED.url,
    reason = EXCLUDED.reason, at = EXCLUDED.at
WHERE publications.version <= EXCLUDED.version

-- name: publication
SELECT a.version AS head_version, p.version, p.status, p.url, p.reason, p.at
FROM ingest.articles a LEFT JOIN ingest.publications p ON p.article = a.id
WHERE a.id = $1

-- name: public_article
SELECT content FROM ingest.articles WHERE id = $1 AND state = 'published'

-- name: public_articles
SELECT content FROM ingest.articles
WHERE site = $1 AND state = 'published' AND number < $2
ORDER BY number DESC LIMIT $3

-- name: insert_token
INSERT INTO ingest.tokens (prefix, hash, name, scopes, sites, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING prefix

-- name: token
SELECT prefix, hash, name, scopes, sites, created_at, expires_at, revoked_at, used_at
FROM ingest.tokens WHERE prefix = $1

-- name: tokens
SELECT prefix, name, scopes, sites, created_at, expires_at, revoked_at, used_at
FROM ingest.tokens ORDER BY created_at, prefix

-- name: mark_token_used
UPDATE ingest.tokens SET used_at = now() WHERE prefix = $1

-- name: revoke_token
UPDATE ingest.tokens SET revoked_at = coalesce(revoked_at, now()) WHERE prefix = $1 RETURNING name
