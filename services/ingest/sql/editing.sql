-- name: article_place
-- Where an article is and what its newest version is, without reading its texts.
SELECT a.site, a.content ->> 'section' AS section, a.version, a.state, r.who AS changed_by, r.at AS changed_at,
       r.action AS changed_action
FROM ingest.articles a
LEFT JOIN ingest.revisions r ON r.article = a.id AND r.version = a.version
WHERE a.id = $1 AND a.discarded_at IS NULL

-- name: save_autosave
-- A tab counts its own texts; another tab has to name the one that it replaces.
INSERT INTO ingest.autosaves AS a (owner, slot, person, article, site, tab, sequence, base_version, title, fields)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (owner, slot) DO UPDATE
SET site = excluded.site, tab = excluded.tab, sequence = excluded.sequence, base_version = excluded.base_version,
    title = excluded.title, fields = excluded.fields, saved_at = clock_timestamp()
WHERE a.created_article IS NULL
  AND CASE WHEN a.tab = excluded.tab THEN
               excluded.sequence > a.sequence
               AND (a.fields IS NOT NULL OR coalesce(excluded.base_version >= a.base_version, true))
           ELSE a.fields IS NULL OR $11::boolean OR a.sequence = ANY ($12::bigint[]) END
RETURNING saved_at, xmax = 0 AS is_new

-- name: autosave
SELECT slot, article, site, tab, sequence, base_version, title, fields, created_article, created_at, saved_at
FROM ingest.autosaves WHERE owner = $1 AND slot = $2

-- name: list_autosaves
-- Of articles only those that still exist; $2: sites of the caller (null: all).
SELECT s.slot, s.article, s.site, s.tab, s.sequence, s.base_version, s.title, s.created_at, s.saved_at,
       a.version AS head_version, a.state AS head_state, a.content ->> 'section' AS section
FROM ingest.autosaves s
LEFT JOIN ingest.articles a ON a.id = s.article AND a.discarded_at IS NULL
WHERE s.owner = $1 AND s.fields IS NOT NULL AND (s.article IS NULL OR a.id IS NOT NULL)
  AND ($2::text[] IS NULL OR s.site = ANY ($2))
ORDER BY s.saved_at DESC, s.slot

-- name: limit_autosaves
DELETE FROM ingest.autosaves
WHERE owner = $1 AND slot IN (SELECT slot FROM ingest.autosaves WHERE owner = $1 ORDER BY saved_at DESC, slot OFFSET $2)

-- name: close_autosave_of_tab
-- The tab has saved the version $7: its texts of former versions are late. A text of another tab stays.
INSERT INTO ingest.autosaves AS a (owner, slot, person, article, site, tab, sequence, base_version, title)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, '')
ON CONFLICT (owner, slot) DO UPDATE
SET fields = NULL, title = '', base_version = excluded.base_version, saved_at = clock_timestamp()
WHERE a.tab = excluded.tab

-- name: close_new_autosave
INSERT INTO ingest.autosaves AS a (owner, slot, person, site, tab, sequence, title, created_article)
VALUES ($1, $2, $3, $4, '', 0, '', $5)
ON CONFLICT (owner, slot) DO UPDATE
SET fields = NULL, title = '', created_article = excluded.created_article, saved_at = clock_timestamp()

-- name: discard_autosave
UPDATE ingest.autosaves SET fields = NULL, title = '', saved_at = clock_timestamp() WHERE owner = $1 AND slot = $2

-- name: discard_autosaves_of_tab
-- What the tab has sent up to a number, also what is still on its way.
INSERT INTO ingest.autosaves AS a (owner, slot, person, article, site, tab, sequence, title)
VALUES ($1, $2, $3, $4, $5, $6, $7, '')
ON CONFLICT (owner, slot) DO UPDATE
SET fields = CASE WHEN a.sequence > excluded.sequence THEN a.fields END,
    title = CASE WHEN a.sequence > excluded.sequence THEN a.title ELSE '' END,
    sequence = greatest(a.sequence, excluded.sequence), saved_at = clock_timestamp()
WHERE a.tab = excluded.tab

-- name: delete_old_autosaves
DELETE FROM ingest.autosaves
WHERE saved_at < now() - interval '30 days'
   OR (fields IS NULL AND created_article IS NULL AND saved_at < now() - interval '1 day')

-- name: enter_article
INSERT INTO ingest.presence AS p (article, owner, tab, person, who, is_writing) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (article, owner, tab) DO UPDATE
SET since = CASE WHEN abs(extract(epoch FROM excluded.seen_at - p.seen_at)) <= $7 THEN p.since ELSE excluded.since END,
    seen_at = excluded.seen_at, who = excluded.who, is_writing = excluded.is_writing

-- name: present_people
-- Everybody at an article; times in the future are those of a clock that was put back.
SELECT owner, tab, who, is_writing, since FROM ingest.presence
WHERE article = $1 AND abs(extract(epoch FROM clock_timestamp() - seen_at)) <= $2
ORDER BY since, owner, tab LIMIT 200

-- name: leave_article
DELETE FROM ingest.presence WHERE article = $1 AND owner = $2 AND ($3::text IS NULL OR tab = $3)

-- name: limit_presence
DELETE FROM ingest.presence
WHERE article = $1 AND owner = $2 AND tab IN (
    SELECT tab FROM ingest.presence WHERE article = $1 AND owner = $2 ORDER BY seen_at DESC, tab OFFSET $3
)

-- name: delete_old_presence
DELETE FROM ingest.presence WHERE abs(extract(epoch FROM clock_timestamp() - seen_at)) > 60

-- name: list_comments
SELECT id, version, block, excerpt, text, who, author, created_at, edited_at, resolved_at, resolved_by
FROM ingest.comments WHERE article = $1 ORDER BY id

-- name: comment
SELECT id, author FROM ingest.comments WHERE article = $1 AND id = $2

-- name: count_comments
SELECT count(*) FROM ingest.comments WHERE article = $1

-- name: insert_comment
INSERT INTO ingest.comments (article, version, block, excerpt, text, who, author) VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, version, block, excerpt, text, who, author, created_at, edited_at, resolved_at, resolved_by

-- name: update_comment
UPDATE ingest.comments
SET text = coalesce($2::text, text),
    edited_at = CASE WHEN $2::text IS NULL OR $2 = text THEN edited_at ELSE clock_timestamp() END,
    resolved_at = CASE WHEN $3::boolean IS NULL THEN resolved_at WHEN $3 THEN coalesce(resolved_at, clock_timestamp()) END,
    resolved_by = CASE WHEN $3 IS NULL THEN resolved_by WHEN $3 THEN coalesce(resolved_by, $4::text) END
WHERE id = $1
RETURNING id, version, block, excerpt, text, who, author, created_at, edited_at, resolved_at, resolved_by

-- name: delete_comment
DELETE FROM ingest.comments WHERE id = $1
