-- name: get_or_create_secret
-- The first collector inserts the secret; all others read it.
WITH inserted AS (
    INSERT INTO ingest.secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING value
)
SELECT value FROM inserted UNION ALL SELECT value FROM ingest.secrets WHERE name = $1 LIMIT 1

-- name: get_or_create_salt
WITH inserted AS (
    INSERT INTO ingest.salts (site, day, salt, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING RETURNING salt, created_at
)
SELECT salt, created_at FROM inserted
UNION ALL
SELECT salt, created_at FROM ingest.salts WHERE site = $1 AND day = $2
LIMIT 1

-- name: delete_old_salts
DELETE FROM ingest.salts WHERE created_at < now() - interval '48 hours'

-- name: partition_plan
-- The statement's time is not after its snapshot: a row that is missing was recorded later.
SELECT now.at AS read_at, p.effective_at, p.partitions
FROM (SELECT statement_timestamp() AS at) now LEFT JOIN ingest.partition_plan p ON true
ORDER BY p.effective_at

-- name: begin_partition_plan
INSERT INTO ingest.partition_plan (effective_at, partitions)
SELECT 'epoch', $1 WHERE NOT EXISTS (SELECT FROM ingest.partition_plan)
ON CONFLICT DO NOTHING

-- name: lock_partition_plan
SELECT pg_advisory_xact_lock(hashtextextended('ingest.partition_plan', 0))

-- name: add_to_partition_plan
INSERT INTO ingest.partition_plan (effective_at, partitions) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: record_switch_events
-- Waits for a concurrent transaction that inserts the same id; ids are sorted, so that there is no deadlock.
INSERT INTO ingest.switch_events (id, partitions) SELECT * FROM unnest($1::uuid[], $2::integer[])
ON CONFLICT DO NOTHING

-- name: switch_events
SELECT id, partitions FROM ingest.switch_events WHERE id = ANY ($1::uuid[])

-- name: delete_old_switch_events
DELETE FROM ingest.switch_events WHERE recorded_at < now() - interval '4 days'

-- name: next_number
SELECT nextval('ingest.article_numbers')

-- name: article_by_external_id
SELECT id, version, discarded_at IS NOT NULL AS is_discarded
FROM ingest.articles WHERE site = $1 AND source_system = $2 AND external_id = $3

-- name: article
SELECT content, live, author, author_token, schedule_error, scheduled, live_changes, refusal,
       discarded_at IS NOT NULL AS is_discarded
FROM ingest.articles WHERE id = $1 AND ($2 OR discarded_at IS NULL)

-- name: article_for_update
SELECT content, live, author, author_token, schedule_error, scheduled, live_changes, refusal,
       discarded_at IS NOT NULL AS is_discarded
FROM ingest.articles WHERE id = $1 AND ($2 OR discarded_at IS NULL) FOR UPDATE

-- name: insert_article
INSERT INTO ingest.articles (
    id, number, site, version, state, title, source_system, external_id, content, live, unpublish_due_at, author_token,
    created_at, modified_at, author, publish_due_at, scheduled, scheduled_for
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb, $11, $12, $13, $13, $14, $15, $16::jsonb, $17)

-- name: update_article
UPDATE ingest.articles
SET version = $2, state = $3, title = $4, content = $5::jsonb, live = $6::jsonb,
    publish_due_at = $7, unpublish_due_at = $8, schedule_error = $9, author_token = $10, modified_at = $11,
    author = $12, scheduled = $14::jsonb, scheduled_for = $15, live_changes = $16::jsonb, refusal = $17::jsonb,
    discarded_at = $18
WHERE id = $1 AND version = $13
RETURNING id

-- name: insert_revision
INSERT INTO ingest.revisions (
    article, version, action, state, who, token, note, site, content, is_public_change, at, copies
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12)

-- name: plan_each_list
-- A plan for all filters together could use no index.
SET LOCAL plan_cache_mode = force_custom_plan

-- name: search_by_index
-- The planner counts the pages of a table and not those of its long values, which are elsewhere: it takes reading the
-- words of all articles for cheap, and that takes a third of a second where the index takes a tenth of a millisecond.
SET LOCAL enable_seqscan = off

-- name: article_filters
-- No statement of its own: what lists of articles and their counts filter by. A parameter that is null does not filter.
-- $3, $4: slugs of a section and spellings of a tag, one a line: the present one, and those given up for it.
-- $5: the same of an author, each as a list of authors.
-- $12: the name and the id of somebody who wrote articles. $14: the places that the caller may read, as site/section and site/*.
($1::text[] IS NULL OR site = ANY ($1))
  AND discarded_at IS NULL
  AND ($2::text[] IS NULL OR state = ANY ($2) OR ('scheduled' = ANY ($2) AND scheduled_for IS NOT NULL))
  AND ($3::text IS NULL OR content ->> 'section' = ANY (string_to_array($3, E'\n')))
  AND ($4::text IS NULL OR content -> 'tags' ?| string_to_array($4, E'\n'))
  AND ($5::jsonb[] IS NULL OR content -> 'authors' @> ANY ($5))
  AND ($6::text IS NULL OR EXISTS (
      SELECT FROM ingest.article_words w WHERE w.article = id AND w.words @@ $6::text::tsquery
  ))
  AND ($7::text IS NULL OR source_system = $7)
  AND ($8::text IS NULL OR external_id = $8)
  AND ($9::timestamptz IS NULL OR modified_at >= $9)
  AND ($10::timestamptz IS NULL OR coalesce(scheduled_for, '9999-12-31T00:00:00Z'::timestamptz) >= $10)
  AND ($11::timestamptz IS NULL OR coalesce(scheduled_for, '9999-12-31T00:00:00Z'::timestamptz) < $11)
  AND ($12::text[] IS NULL OR id IN (
      SELECT article FROM ingest.revisions
      WHERE (who = ($12::text[])[1] OR token = ($12::text[])[2]) AND action IN ('create', 'edit', 'restore', 'import')
  ))
  AND ($13::bigint[] IS NULL OR number = ANY ($13))
  AND ($14::text[] IS NULL OR site || '/*' = ANY ($14) OR site || '/' || (content ->> 'section') = ANY ($14))
  AND ($15::text[] IS NULL OR (
      ('live' <> ALL ($15) OR live ->> 'state' = 'published')
      AND ('refusal' <> ALL ($15) OR refusal IS NOT NULL)
      AND ('problem' <> ALL ($15) OR schedule_error IS NOT NULL)
  ))

-- name: matching_numbers
-- The planner expects hundreds of articles with words that few have, and would read all in order to find them. With
-- search_by_index.
SELECT (SELECT number FROM ingest.articles WHERE id = found.article)
FROM (SELECT article FROM ingest.article_words WHERE words @@ $1::text::tsquery LIMIT $2) found

-- name: own_numbers
SELECT (SELECT number FROM ingest.articles WHERE id = own.article)
FROM (
    SELECT DISTINCT article FROM ingest.revisions
    WHERE (who = ($1::text[])[1] OR token = ($1::text[])[2]) AND action IN ('create', 'edit', 'restore', 'import')
    LIMIT $2
) own

-- name: list_articles
-- Completed by api/article_lists.py with the filters and one of the sort keys. $16, $17: the sort key and the number of
-- the last row of the previous page. The revisions are read of the rows of the page only.
SELECT CASE WHEN $19 THEN a.content ELSE a.content || '{"body": []}' END AS content,
       CASE WHEN $19 THEN a.live ELSE a.live || '{"body": []}' END AS live, a.author, a.author_token,
       a.schedule_error, CASE WHEN $19 THEN a.scheduled ELSE a.scheduled || '{"body": []}' END AS scheduled,
       CASE WHEN $19 THEN a.live_changes ELSE '{}' END AS live_changes, a.refusal, false AS is_discarded,
       a.scheduled_for, a.sort_key, r.who AS changed_by, r.action AS changed_action,
       r.at AS changed_at
FROM (
    SELECT *, :sort_key AS sort_key FROM ingest.articles
    WHERE :filters
      AND ($16:::sort_type IS NULL OR (:sort_key, number) :comparison ($16, $17::bigint))
    ORDER BY :sort_key :direction, number :direction LIMIT $18
) a
LEFT JOIN LATERAL (
    SELECT who, action, at FROM ingest.revisions WHERE article = a.id AND version = a.version LIMIT 1
) r ON true
ORDER BY a.sort_key :direction, a.number :direction

-- name: count_articles
-- Completed as list_articles is.
SELECT state, count(*) AS articles FROM ingest.articles WHERE :filters GROUP BY state

-- name: lock_filtered_articles
-- Completed as list_articles is. They still match while they are locked. $16: at most so many.
SELECT id, version FROM ingest.articles WHERE :filters ORDER BY id LIMIT $16 FOR UPDATE

-- name: list_published
SELECT CASE WHEN $8 THEN live ELSE live || '{"body": []}' END AS live FROM ingest.articles
WHERE ($1::text[] IS NULL OR site = ANY ($1)) AND number < $2 AND live IS NOT NULL AND live ->> 'state' = 'published'
  AND ($4::text IS NULL OR live ->> 'section' = ANY (string_to_array($4, E'\n')))
  AND ($5::text IS NULL OR live -> 'tags' ?| string_to_array($5, E'\n'))
  AND ($6::jsonb[] IS NULL OR live -> 'authors' @> ANY ($6))
  AND ($7::text IS NULL OR live_title_words @@ $7::text::tsquery)
ORDER BY number DESC LIMIT $3

-- name: list_revisions
SELECT version, action, state, who, note, at, is_public_change, copies FROM ingest.revisions
WHERE article = $1 AND version < $2
ORDER BY version DESC LIMIT $3

-- name: is_unchanged_since
-- Whether a version of an article exists, and a copy of it is the same since then. Former versions have marked no copies.
SELECT EXISTS (SELECT FROM ingest.revisions WHERE article = $1 AND version = $2)
    AND NOT EXISTS (
        SELECT FROM ingest.revisions
        WHERE article = $1 AND version > $2
            AND ($3 = ANY (copies) OR ($3 = 'live' AND is_public_change) OR ($3 = 'scheduled' AND state = 'scheduled'))
    )

-- name: last_change_of_copy
-- Before the first one that is marked as such: the last change of the article.
SELECT version, who, action, at FROM ingest.revisions
WHERE article = $1
ORDER BY $2 = ANY (copies) OR ($2 = 'live' AND is_public_change) OR ($2 = 'scheduled' AND state = 'scheduled') DESC,
    version DESC
LIMIT 1

-- name: text_changes
SELECT action, state, copies, is_public_change, who, token FROM ingest.revisions WHERE article = $1 ORDER BY version

-- name: revision
SELECT content FROM ingest.revisions WHERE article = $1 AND version = $2

-- name: list_audit_entries
-- Revisions of articles, and the changes of everything else; both are numbered by one sequence.
-- The contents are read of the rows of the page only.
(
    SELECT id, 'article' AS kind, article AS object, action, who, site, at, article, version, state, note,
           content ->> 'title' AS title, NULL::jsonb AS details
    FROM (
        SELECT article, version FROM ingest.revisions
        WHERE ($1::text[] IS NULL OR site = ANY ($1)) AND id < $2
          AND ($4::text IS NULL OR who = $4)
          AND ($5::text IS NULL OR action = $5)
          AND ($6::text IS NULL OR $6 = 'article')
        ORDER BY id DESC LIMIT $3
    ) newest
    JOIN ingest.revisions USING (article, version)
)
UNION ALL
(
    SELECT id, object_kind, object_id, action, who, site, at, NULL, NULL, NULL, NULL, NULL, details
    FROM ingest.audit_log
    WHERE ($1::text[] IS NULL OR site = ANY ($1)) AND id < $2
      AND ($4::text IS NULL OR who = $4)
      AND ($5::text IS NULL OR action = $5)
      AND ($6::text IS NULL OR object_kind = $6)
    ORDER BY id DESC LIMIT $3
)
ORDER BY id DESC LIMIT $3

-- name: insert_audit_entry
INSERT INTO ingest.audit_log (who, actor_id, action, object_kind, object_id, site, details)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)

-- name: next_due
-- Replicas skip rows locked by another. Times are from Postgres, the clock that all replicas share.
SELECT id,
       coalesce(unpublish_due_at <= now() AND unpublish_due_at <= coalesce(scheduled_for, publish_due_at, 'infinity'), false)
           AS is_withdrawal
FROM ingest.articles
WHERE scheduled_for <= now() OR publish_due_at <= now() OR unpublish_due_at <= now()
ORDER BY least(scheduled_for, publish_due_at, unpublish_due_at)
LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: cancel_unreadable
UPDATE ingest.articles
SET publish_due_at = NULL, scheduled_for = NULL, unpublish_due_at = NULL, scheduled = NULL, schedule_error = $2,
    state = CASE WHEN state = 'scheduled' THEN 'draft' ELSE state END,
    content = CASE WHEN state = 'scheduled' THEN jsonb_set(content, '{state}', '"draft"') ELSE content END
WHERE id = $1

-- name: read_schedule
-- Seconds until the next change is due; below 0 it is overdue, and without any it is infinite.
SELECT coalesce(
        extract(epoch FROM least(
            (SELECT min(scheduled_for) FROM ingest.articles), (SELECT min(publish_due_at) FROM ingest.articles),
            (SELECT min(unpublish_due_at) FROM ingest.articles)
        ) - now()),
        'Infinity'
    )::float8 AS due_in_seconds,
    (SELECT count(*) FROM ingest.outbox) AS pending_messages

-- name: count_pending_messages
SELECT count(*) FROM ingest.outbox

-- name: lock_idempotency_key
-- Of two concurrent identical requests, the second waits and then finds the first one's response.
SELECT pg_advisory_xact_lock(hashtextextended($1, hashtextextended($2, 1)))

-- name: stored_response
SELECT fingerprint, status, headers, body FROM ingest.idempotency_keys WHERE token = $1 AND key = $2

-- name: store_response
INSERT INTO ingest.idempotency_keys (token, key, fingerprint, status, headers, body)
VALUES ($1, $2, $3, $4, $5::jsonb, $6)

-- name: delete_response
DELETE FROM ingest.idempotency_keys WHERE token = $1 AND key = $2

-- name: forget_sent_forms
-- What a person sends again after that is another matter; a process that has died answers nothing.
DELETE FROM ingest.idempotency_keys
WHERE token = $1 AND key LIKE 'sent form %'
    AND created_at < now() - CASE status WHEN 102 THEN interval '1 minute' ELSE interval '30 seconds' END

-- name: delete_old_responses
DELETE FROM ingest.idempotency_keys WHERE created_at < now() - interval '7 days'

-- name: insert_into_outbox
INSERT INTO ingest.outbox (topic, key, value, headers) VALUES ($1, $2, $3, $4::jsonb)

-- name: claim_relay
-- A single relay keeps the order. The lock is released with the connection.
SELECT pg_try_advisory_lock(hashtext('ingest.outbox'))

-- name: set_idle_timeout
-- Ends the session of a frozen relay, which would keep the lock. A working one is never idle for so long.
SET idle_session_timeout = '20s'

-- name: release_relay
SELECT pg_advisory_unlock(hashtext('ingest.outbox'));
RESET idle_session_timeout

-- name: read_outbox
SELECT id, topic, key, value, headers FROM ingest.outbox ORDER BY id LIMIT $1

-- name: delete_from_outbox
DELETE FROM ingest.outbox WHERE id = ANY ($1::bigint[])

-- name: set_opening_balance
INSERT INTO ingest.opening_balances (site, article, measure, adjustment, amount, who, why, at)
VALUES ($1, coalesce($2, ''), $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
RETURNING adjustment

-- name: opening_balance
SELECT amount FROM ingest.opening_balances WHERE site = $1 AND article = coalesce($2, '') AND measure = $3

-- name: save_publication
-- A late message about an older version has no effect. `committed_at`: when the version was published.
WITH before AS (
    SELECT version, status, corrections FROM ingest.publications WHERE article = $1
), saved AS (
    INSERT INTO ingest.publications (article, version, status, url, reason, at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (article) DO UPDATE
    SET version = EXCLUDED.version, status = EXCLUDED.status, url = EXCLUDED.url,
        reason = EXCLUDED.reason, at = EXCLUDED.at
    WHERE publications.version <= EXCLUDED.version
    RETURNING version
)
SELECT (SELECT version FROM before) IS DISTINCT FROM version AS is_new,
       (SELECT status FROM before) AS status_before, (SELECT corrections FROM before) AS corrections_before,
       (SELECT at FROM ingest.revisions WHERE article = $1 AND version = $2 AND is_public_change) AS committed_at
FROM saved

-- name: publication_status
-- Of each article: the last version that was published, and what the portal reported.
SELECT a.id, a.version AS head_version, a.state, (a.live ->> 'version')::integer AS published_version,
       a.live ->> 'state' AS live_state, a.site, a.content ->> 'section' AS section, a.schedule_error,
       EXISTS (SELECT FROM ingest.outbox o WHERE o.key = a.id AND o.topic = 'articles') AS is_queued,
       p.version, p.status, p.url, p.reason, p.at
FROM ingest.articles a LEFT JOIN ingest.publications p ON p.article = a.id
WHERE a.id = ANY ($1::text[]) AND a.discarded_at IS NULL

-- name: insert_token
INSERT INTO ingest.tokens (prefix, hash, name, scopes, sites, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
RETURNING prefix

-- name: token
SELECT prefix, hash, name, scopes, sites, created_at, expires_at, revoked_at, used_at
FROM ingest.tokens WHERE prefix = $1

-- name: list_tokens
SELECT prefix, name, scopes, sites, created_at, expires_at, revoked_at, used_at
FROM ingest.tokens ORDER BY created_at, prefix

-- name: mark_token_used
UPDATE ingest.tokens SET used_at = now() WHERE prefix = $1

-- name: revoke_token
UPDATE ingest.tokens SET revoked_at = coalesce(revoked_at, now()) WHERE prefix = $1 RETURNING name

-- name: insert_media_item
-- Of two concurrent uploads of the same file, the second finds the row.
INSERT INTO ingest.media (
    id, type, file_name, bytes, width, height, renditions, rendition_names, focus_x, focus_y, who, token, site
)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING

-- name: media_items
-- An image on the given sites, all if null. The same file may be on several.
SELECT site, id, type, file_name, bytes, width, height, renditions, focus_x, focus_y, who, created_at, alt, caption, credit
FROM ingest.media WHERE id = $1 AND ($2::text[] IS NULL OR site = ANY ($2))
ORDER BY created_at, site

-- name: list_media
SELECT site, id, type, file_name, bytes, width, height, renditions, focus_x, focus_y, who, created_at, alt, caption, credit
FROM ingest.media
WHERE (created_at, id, site) < ($1, $2, $3) AND ($5::text[] IS NULL OR site = ANY ($5))
    AND ($6::text IS NULL OR words @@ $6::text::tsquery)
ORDER BY created_at DESC, id DESC, site DESC LIMIT $4

-- name: set_focus
-- With the focus point that it replaces, also if another one was set at the same moment.
WITH former AS (SELECT focus_x, focus_y FROM ingest.media WHERE site = $1 AND id = $2 FOR UPDATE)
UPDATE ingest.media SET focus_x = $3, focus_y = $4 FROM former WHERE site = $1 AND id = $2
RETURNING former.focus_x AS former_x, former.focus_y AS former_y

-- name: focus_for_share
-- It stays as it is until the transaction ends.
SELECT focus_x, focus_y FROM ingest.media WHERE site = $1 AND id = $2 FOR SHARE

-- name: describe_media
-- A text that is null stays.
UPDATE ingest.media SET alt = coalesce($3, alt), caption = coalesce($4, caption), credit = coalesce($5, credit)
WHERE site = $1 AND id = $2
RETURNING site, id, type, file_name, bytes, width, height, renditions, focus_x, focus_y, who, created_at, alt, caption, credit

-- name: insert_crops
-- The same image and focus point always has the same crops.
INSERT INTO ingest.media_crops (site, media, focus, crops) VALUES ($1, $2, $3, $4::jsonb) ON CONFLICT DO NOTHING

-- name: has_crops
SELECT true FROM ingest.media_crops WHERE site = $1 AND media = $2 AND focus = $3

-- name: find_crops
SELECT c.site, c.media, c.focus, c.crops
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (site, media, focus)
JOIN ingest.media_crops c USING (site, media, focus)

-- name: site_of_article
SELECT site FROM ingest.articles WHERE id = $1

-- name: articles_with_media
-- Articles of a site of which any copy refers to an image or file.
SELECT id FROM ingest.articles
WHERE site = $1
    AND (ingest.media_of(content) ? $2 OR ingest.media_of(live) ? $2 OR ingest.media_of(scheduled) ? $2)
ORDER BY number

-- name: article_uses_of_media
-- Articles of which any copy refers to one of some images and files. $3: as $14 of article_filters. $4: of each image or file.
-- Ordered by an expression, as the planner would read all articles by number to find the newest few.
SELECT wanted.site, wanted.media, found.*
FROM unnest($1::text[], $2::text[]) AS wanted (site, media)
CROSS JOIN LATERAL (
    SELECT id, number, title, state,
        coalesce(live ->> 'state' = 'published' AND ingest.media_of(live) ? wanted.media, false) AS is_live
    FROM ingest.articles
    WHERE site = wanted.site AND discarded_at IS NULL
        AND (ingest.media_of(content) ? wanted.media OR ingest.media_of(live) ? wanted.media
            OR ingest.media_of(scheduled) ? wanted.media)
        AND ($3::text[] IS NULL OR site || '/*' = ANY ($3) OR site || '/' || (content ->> 'section') = ANY ($3))
    ORDER BY number + 0 DESC LIMIT $4
) AS found

-- name: count_media
SELECT count(*) FROM ingest.media WHERE $1::text[] IS NULL OR site = ANY ($1)

-- name: media_by_id
-- Images of some sites, in the order of their IDs.
SELECT site, id, type, file_name, bytes, width, height, renditions, focus_x, focus_y, who, created_at, alt, caption, credit
FROM ingest.media
WHERE (id, site) > ($1, $2) AND ($3::text[] IS NULL OR site = ANY ($3))
ORDER BY id, site LIMIT 100

-- name: find_media
-- Images of a site, by id, or by the name of any rendition. A new focus point waits until the article that is saved with
-- them can be found: otherwise it would keep its former crops.
SELECT site, id, type, file_name, bytes, width, height, renditions, focus_x, focus_y, who, created_at, alt, caption, credit, rendition_names
FROM ingest.media WHERE site = $3 AND (id = ANY ($1::text[]) OR rendition_names && $2::text[])
FOR SHARE

-- name: file_of_checksum
SELECT site, id, type, name, bytes, warnings, who, created_at FROM ingest.files WHERE site = $1 AND checksum = $2

-- name: insert_file
-- Of two concurrent uploads of the same file, the second returns no row.
INSERT INTO ingest.files (id, site, checksum, type, name, bytes, warnings, who, actor_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (site, checksum) DO NOTHING
RETURNING site, id, type, name, bytes, warnings, who, created_at

-- name: recover_file
INSERT INTO ingest.files (id, site, checksum, type, name, bytes, warnings, who, actor_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING

-- name: recovered_files
-- Files of a site that may have so many bytes and whose checksum is still that of no file: see library_recovery.py.
SELECT id FROM ingest.files
WHERE site = $1 AND bytes IN ($2, 0) AND who = 'recovery' AND checksum = sha256(convert_to(id, 'UTF8'))

-- name: set_file_checksum
UPDATE ingest.files SET checksum = $2, bytes = $3
WHERE id = $1 AND NOT EXISTS (SELECT FROM ingest.files other WHERE other.site = files.site AND other.checksum = $2)

-- name: file
SELECT site, id, type, name, bytes, warnings, who, created_at
FROM ingest.files WHERE id = $1 AND ($2::text[] IS NULL OR site = ANY ($2))

-- name: list_files
SELECT site, id, type, name, bytes, warnings, who, created_at
FROM ingest.files
WHERE (created_at, id) < ($1, $2) AND ($4::text[] IS NULL OR site = ANY ($4))
    AND ($5::text IS NULL OR words @@ $5::text::tsquery)
ORDER BY created_at DESC, id DESC LIMIT $3

-- name: rename_file
UPDATE ingest.files SET name = $2 WHERE id = $1
RETURNING site, id, type, name, bytes, warnings, who, created_at

-- name: lock_file
SELECT FROM ingest.files WHERE id = $1 FOR UPDATE

-- name: lock_files
-- The files of an article that is about to be stored: none of them can be deleted before it is.
SELECT id, type, name, bytes FROM ingest.files WHERE site = $1 AND id = ANY ($2::text[]) ORDER BY id FOR SHARE

-- name: articles_of_related_blocks
-- The articles of a site by ID or number, whether they are public or not.
SELECT id, number FROM ingest.articles
WHERE site = $1 AND discarded_at IS NULL AND (id = ANY ($2::text[]) OR number = ANY ($3::bigint[]))

-- name: related_blocks_of_article
-- The cards that any copy of an article has.
SELECT DISTINCT block ->> 'article' AS article, (block ->> 'number')::bigint AS number
FROM ingest.articles a
CROSS JOIN LATERAL (VALUES (a.content), (a.live), (a.scheduled)) AS copy (content)
CROSS JOIN LATERAL jsonb_array_elements(copy.content -> 'body') AS block
WHERE a.id = $1 AND block ->> 'type' = 'related' AND block ->> 'number' IS NOT NULL

-- name: live_articles
SELECT live FROM ingest.articles WHERE site = $1 AND id = ANY ($2::text[]) AND live ->> 'state' = 'published'

-- name: delete_file
DELETE FROM ingest.files WHERE id = $1

-- name: fetched_images
-- Images of a site that imports have fetched, by the URL at their source.
SELECT url, media, fetched_at FROM ingest.fetched_images
WHERE site = $1 AND url_digest IN (SELECT sha256(convert_to(wanted, 'UTF8')) FROM unnest($2::text[]) AS wanted)

-- name: save_fetched_image
INSERT INTO ingest.fetched_images (site, url_digest, url, media, fetched_at)
VALUES ($1, sha256(convert_to($2, 'UTF8')), $2, $3, $4)
ON CONFLICT (site, url_digest) DO NOTHING

-- name: imported_article
SELECT a.id, i.checksum, a.discarded_at IS NOT NULL AS is_discarded FROM ingest.articles a LEFT JOIN ingest.imports i ON i.article = a.id
WHERE a.site = $1 AND a.source_system = $2 AND a.external_id = $3

-- name: imported_contents
-- An article as it is, and as its last imports were: editors may have changed its title since.
SELECT content FROM ingest.articles WHERE id = $1
UNION ALL
(SELECT content FROM ingest.revisions WHERE article = $1 AND action = 'import' ORDER BY version DESC LIMIT 3)

-- name: was_edited
-- Whether anybody but imports and the scheduler has changed an article since its last import.
SELECT EXISTS (
    SELECT FROM ingest.revisions r
    WHERE r.article = $1 AND r.action NOT IN ('import', 'keep-edits') AND r.who <> 'scheduler'
        AND r.version > (SELECT coalesce(max(version), 0) FROM ingest.revisions WHERE article = $1 AND action = 'import')
)

-- name: action_of_revision
SELECT action FROM ingest.revisions WHERE article = $1 AND version = $2

-- name: save_import
INSERT INTO ingest.imports (article, checksum, at) VALUES ($1, $2, $3)
ON CONFLICT (article) DO UPDATE SET checksum = EXCLUDED.checksum, at = EXCLUDED.at

-- name: lock_external_ids
-- Of two concurrent imports of the same page to the same site, the second waits and then finds the first one's article.
-- In a fixed order, so that concurrent imports cannot deadlock.
SELECT pg_advisory_xact_lock(hashtextextended($1, hashtextextended($2, hashtextextended(external_id, 0))))
FROM (SELECT unnest($3::text[]) AS external_id ORDER BY 1) AS wanted

-- name: imported_articles
SELECT a.external_id, a.id, a.number, a.version, a.state, a.title, a.live IS NOT NULL AS was_public,
       a.live ->> 'state' AS live_state, a.scheduled IS NOT NULL OR a.state = 'scheduled' AS is_scheduled,
       i.checksum, i.at
FROM ingest.articles a LEFT JOIN ingest.imports i ON i.article = a.id
WHERE a.site = $1 AND a.source_system = $2 AND a.external_id = ANY ($3::text[])

-- name: next_numbers
SELECT nextval('ingest.article_numbers') FROM generate_series(1, $1)

-- name: claim_old_addresses
INSERT INTO ingest.old_addresses (site, address, article) SELECT $1, address, $3
FROM unnest($2::text[]) AS address ORDER BY address
ON CONFLICT DO NOTHING

-- name: insert_old_addresses
-- Fails if another article has one of them.
INSERT INTO ingest.old_addresses (site, address, article) SELECT $1, address, $3
FROM unnest($2::text[]) AS address ORDER BY address

-- name: release_old_addresses
DELETE FROM ingest.old_addresses WHERE article = $1 AND address <> ALL ($2::text[])

-- name: taken_old_addresses
-- Former addresses of other articles: those of other systems, and those that they have or had here.
SELECT address, article FROM ingest.old_addresses
WHERE site = $1 AND address = ANY ($2::text[]) AND article IS DISTINCT FROM $3
UNION
SELECT wanted.address, a.id
FROM unnest($2::text[]) AS wanted (address)
JOIN ingest.articles a ON a.number = substring(wanted.address FROM '^/(?:[^/?]*-)?([0-9]{1,18})\.html$')::bigint
WHERE a.site = $1 AND a.id IS DISTINCT FROM $3 AND EXISTS (
    SELECT FROM ingest.revisions r
    WHERE r.article = a.id AND r.is_public_change
        AND wanted.address = '/' || (r.content ->> 'slug') || '-' || a.number || '.html'
)
ORDER BY address

-- name: is_compared
SELECT ingest.is_compared()

-- name: is_compared_since
SELECT ingest.is_compared() AND compared_at >= $1 FROM ingest.topic_comparison

-- name: change_state
-- Whether articles may be changed, and how many versions the next change of this version of an article skips.
SELECT ingest.is_compared() AS is_compared,
       CASE WHEN r.id < c.first_revision THEN c.versions_skipped ELSE 0 END AS skipped
FROM ingest.topic_comparison c LEFT JOIN ingest.revisions r ON r.article = $1 AND r.version = $2

-- name: last_comparison
-- `age`: seconds since then; before the first one, since a time before all versions.
SELECT database_identity IS NOT NULL AS was_compared,
       database_identity IS NOT DISTINCT FROM ingest.database_identity() AS is_same_database,
       server_started_at IS NOT DISTINCT FROM pg_postmaster_start_time() AS is_same_start,
       versions_skipped,
       greatest(0, extract(epoch FROM clock_timestamp() - coalesce(compared_at, '2026-01-01')))::integer AS age
FROM ingest.topic_comparison

-- name: confirm_comparison
UPDATE ingest.topic_comparison
SET database_identity = ingest.database_identity(), server_started_at = pg_postmaster_start_time(),
    compared_at = clock_timestamp()

-- name: skip_versions
UPDATE ingest.topic_comparison
SET versions_skipped = $1, first_revision = (SELECT last_value FROM ingest.revisions_id_seq) + 1

-- name: last_given
SELECT (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ingest.revisions_id_seq) AS revision,
       (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ingest.article_numbers) AS number,
       versions_skipped
FROM ingest.topic_comparison

-- name: live_states
SELECT a.id, (a.live ->> 'version')::integer AS version,
       EXISTS (SELECT FROM ingest.outbox o WHERE o.key = a.id AND o.topic = 'articles') AS is_waiting
FROM ingest.articles a WHERE a.id = ANY ($1::text[])

-- name: external_id_owner
SELECT id FROM ingest.articles WHERE site = $1 AND source_system = $2 AND external_id = $3 AND id <> $4

-- name: number_owner
SELECT id FROM ingest.articles WHERE number = $1 AND id <> $2

-- name: unsent_balances
-- Opening balances that are not waiting to be sent.
SELECT site, article, measure, adjustment, amount, who, why, at FROM ingest.opening_balances b
WHERE NOT EXISTS (SELECT FROM ingest.outbox o WHERE o.key = b.adjustment AND o.topic = 'counter-adjustments')
ORDER BY at, adjustment

-- name: live_versions
-- Articles that are or were public, and are not waiting to be sent.
SELECT a.id, (a.live ->> 'version')::integer AS version FROM ingest.articles a
WHERE a.live IS NOT NULL
  AND NOT EXISTS (SELECT FROM ingest.outbox o WHERE o.key = a.id AND o.topic = 'articles')
ORDER BY a.number

-- name: is_waiting_to_be_sent
SELECT EXISTS (SELECT FROM ingest.outbox WHERE key = $1 AND topic = 'articles')

-- name: discard_waiting
DELETE FROM ingest.outbox WHERE key = $1 AND topic = 'articles'

-- name: reserve_numbers
-- The next number is above the given one.
SELECT setval('ingest.article_numbers', greatest($1, (SELECT last_value FROM ingest.article_numbers)))

-- name: renumber_draft
-- A draft that got a number which another article has on the portal.
UPDATE ingest.articles a SET number = n.number, content = jsonb_set(content, '{number}', to_jsonb(n.number))
FROM (SELECT nextval('ingest.article_numbers') AS number) n
WHERE a.number = $1 AND a.id <> $2 AND a.live IS NULL
RETURNING a.id, a.number

-- name: undeclared_sections
-- $1, $2: the declared pairs of site and section; $3: the sites. Distinct sections are read from the index one after the
-- other; those that every site declares have no articles to find. No column is read whose text is stored elsewhere.
WITH RECURSIVE named AS (
    (SELECT live ->> 'section' AS section FROM ingest.articles WHERE live IS NOT NULL ORDER BY 1 LIMIT 1)
    UNION ALL
    SELECT (
        SELECT live ->> 'section' FROM ingest.articles
        WHERE live IS NOT NULL AND live ->> 'section' > named.section ORDER BY 1 LIMIT 1
    ) FROM named WHERE named.section IS NOT NULL
), declared AS (
    SELECT site, section FROM unnest($1::text[], $2::text[]) AS pair (site, section)
)
SELECT a.site, named.section, count(*) AS articles
FROM named
JOIN ingest.articles a ON a.live ->> 'section' = named.section AND a.live IS NOT NULL
WHERE named.section NOT IN (SELECT section FROM declared GROUP BY section HAVING count(*) = cardinality($3::text[]))
    AND a.site = ANY ($3)
    AND a.state NOT IN ('unpublished', 'archived', 'killed')
    AND NOT EXISTS (SELECT FROM declared WHERE declared.site = a.site AND declared.section = named.section)
GROUP BY a.site, named.section
ORDER BY a.site, named.section

-- name: insert_preview
-- $2, $3: the article or the static page, and null.
INSERT INTO ingest.previews (id, article, page, version, expires_at, created_by)
SELECT $1, $2::text, $3::text, $4, now() + $5::interval, $6
WHERE (
    SELECT count(*) FROM ingest.previews
    WHERE (article = $2 OR page = $3) AND expires_at > now() AND revoked_at IS NULL
) < $7
RETURNING id, article, page, version, expires_at, created_at, created_by, revoked_at

-- name: list_previews
SELECT id, article, page, version, expires_at, created_at, created_by, revoked_at FROM ingest.previews
WHERE (article = $1 OR page = $2) AND expires_at > now() ORDER BY created_at DESC LIMIT 1000

-- name: revoke_preview
-- Whether it was valid; no row if there is no such link.
WITH found AS (
    SELECT id, revoked_at FROM ingest.previews WHERE (article = $1 OR page = $2) AND id = $3
), revoked AS (
    UPDATE ingest.previews SET revoked_at = now() WHERE id = (SELECT id FROM found) AND revoked_at IS NULL
)
SELECT revoked_at IS NULL FROM found

-- name: end_previews
-- Of an article: all, or those made until $2.
UPDATE ingest.previews SET revoked_at = clock_timestamp()
WHERE article = $1 AND revoked_at IS NULL AND created_at <= coalesce($2::timestamptz, 'infinity')

-- name: previewed_version
-- The version that a valid link shows, and the states that end it.
SELECT p.version, p.expires_at, p.created_at, a.state, a.live ->> 'state' AS live_state,
       (a.live ->> 'modified_at')::timestamptz AS withdrawn_at, now() AS now,
       CASE WHEN p.version IS NULL THEN a.content
            ELSE (SELECT content FROM ingest.revisions WHERE article = a.id AND version = p.version)
       END AS content
FROM ingest.previews p JOIN ingest.articles a ON a.id = p.article
WHERE p.id = $1 AND p.revoked_at IS NULL AND p.expires_at > now() AND a.discarded_at IS NULL

-- name: previewed_page
-- The working copy of a static page that a valid link shows.
SELECT p.expires_at, s.content, s.version, s.slug
FROM ingest.previews p JOIN ingest.static_pages s ON s.id = p.page
WHERE p.id = $1 AND p.revoked_at IS NULL AND p.expires_at > now() AND NOT s.content @> '{"is_deleted": true}'

-- name: delete_old_previews
DELETE FROM ingest.previews WHERE expires_at < now() - interval '30 days'

-- name: reported_version
-- The version that the portal reports, or the newest published one if it is another.
SELECT coalesce(
        CASE WHEN a.live ->> 'version' = $2::integer::text THEN a.live END,
        (SELECT content FROM ingest.revisions WHERE article = a.id AND version = $2::integer AND is_public_change),
        a.live
    ) AS content
FROM ingest.articles a WHERE a.id = $1

-- name: save_corrections
-- $3: of the version that the portal serves; null: it serves none.
UPDATE ingest.publications SET corrections = $3 WHERE article = $1 AND version = $2

-- name: queue_event
-- $1: the message; $2: its event; $3, $4: site and article; $5: the payload.
INSERT INTO ingest.webhook_deliveries (message, webhook, event, article, payload)
SELECT $1, id, $2, $4, $5 FROM ingest.webhooks
WHERE disabled_at IS NULL AND $2 = ANY (events) AND (sites IS NULL OR $3 = ANY (sites))

-- name: claim_deliveries
-- Of each webhook that no process calls now, the first due event; it waits for earlier events of its article.
WITH due AS (
    SELECT next.number
    FROM ingest.webhooks w
    CROSS JOIN LATERAL (
        SELECT d.number, d.next_at FROM ingest.webhook_deliveries d
        WHERE d.webhook = w.id AND d.next_at <= now() AND NOT EXISTS (
            SELECT FROM ingest.webhook_deliveries e
            WHERE e.webhook = d.webhook AND e.article = d.article AND e.number < d.number AND e.next_at IS NOT NULL
        )
        ORDER BY d.number LIMIT 1
    ) next
    WHERE (w.disabled_at IS NULL) AND NOT EXISTS (
        SELECT FROM ingest.webhook_deliveries c
        WHERE c.webhook = w.id AND c.next_at IS NOT NULL AND c.claimed_until > now()
    )
    ORDER BY next.next_at LIMIT $1
    FOR UPDATE OF w SKIP LOCKED
)
UPDATE ingest.webhook_deliveries d SET claimed_until = now() + $2::interval
FROM ingest.webhooks w
WHERE d.number IN (SELECT number FROM due) AND w.id = d.webhook AND d.next_at IS NOT NULL
  AND (d.claimed_until IS NULL OR d.claimed_until <= now())
RETURNING d.number, d.webhook, d.message, d.event, d.payload, d.attempts, d.claimed_until, w.url, w.secret, w.failing_since,
          CASE WHEN w.previous_secret_until > now() THEN w.previous_secret END AS previous_secret

-- name: next_delivery_seconds
-- In how many seconds an event may be claimed that is not due or is being sent; null: there is none.
SELECT extract(epoch FROM min(greatest(d.next_at, d.claimed_until)) - now())::float8
FROM ingest.webhook_deliveries d JOIN ingest.webhooks w ON w.id = d.webhook
WHERE d.next_at IS NOT NULL AND w.disabled_at IS NULL

-- name: end_delivery
-- $4: the claim. If it has ended, another process sends the event, too, and stores the result.
WITH ended AS (
    UPDATE ingest.webhook_deliveries
    SET attempts = attempts + 1, next_at = NULL, claimed_until = NULL, ended_at = now(), is_delivered = $2,
        last_result = $3
    WHERE number = $1 AND claimed_until = $4
    RETURNING webhook
)
UPDATE ingest.webhooks SET failing_since = NULL
WHERE $2 AND id = (SELECT webhook FROM ended) AND failing_since IS NOT NULL

-- name: retry_delivery
UPDATE ingest.webhook_deliveries
SET attempts = attempts + 1, next_at = now() + $2::interval, claimed_until = NULL, last_result = $3
WHERE number = $1 AND claimed_until = $4

-- name: note_webhook_failure
-- With a reason the webhook is disabled; returns whether it was not before.
UPDATE ingest.webhooks
SET failing_since = coalesce(failing_since, now()),
    disabled_at = CASE WHEN $2::text IS NULL THEN disabled_at ELSE coalesce(disabled_at, now()) END,
    disabled_reason = coalesce($2::text, disabled_reason)
WHERE id = $1 AND disabled_at IS NULL
RETURNING disabled_at IS NOT NULL

-- name: count_disabled_webhooks
-- Those that an administrator disabled have no time of failures.
SELECT count(*) FROM ingest.webhooks WHERE disabled_at IS NOT NULL AND failing_since IS NOT NULL

-- name: delete_old_deliveries
DELETE FROM ingest.webhook_deliveries
WHERE ended_at < now() - CASE WHEN is_delivered THEN interval '7 days' ELSE interval '30 days' END

-- name: insert_webhook
INSERT INTO ingest.webhooks (id, url, description, events, sites, secret, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING *

-- name: webhook
SELECT * FROM ingest.webhooks WHERE id = $1

-- name: webhook_for_update
SELECT * FROM ingest.webhooks WHERE id = $1 FOR UPDATE

-- name: list_webhooks
SELECT * FROM ingest.webhooks ORDER BY created_at, id

-- name: update_webhook
UPDATE ingest.webhooks
SET url = $2, description = $3, events = $4, sites = $5, disabled_at = $6, disabled_reason = $7, failing_since = $8
WHERE id = $1
RETURNING *

-- name: rotate_webhook_secret
UPDATE ingest.webhooks
SET previous_secret = secret, previous_secret_until = now() + $3::interval, secret = $2
WHERE id = $1
RETURNING *

-- name: delete_webhook
DELETE FROM ingest.webhooks WHERE id = $1

-- name: ping_webhook
INSERT INTO ingest.webhook_deliveries (message, webhook, event, article, payload)
VALUES ($1, $2, 'webhook.ping', $1, $3)

-- name: list_deliveries
-- $2: pending, delivered or dead; null: all.
SELECT number, message, event, article, created_at, attempts, next_at, ended_at, last_result,
       CASE WHEN next_at IS NOT NULL THEN 'pending' WHEN is_delivered THEN 'delivered' ELSE 'dead' END AS state
FROM ingest.webhook_deliveries
WHERE webhook = $1 AND number < $3 AND ($2::text IS NULL
    OR $2 = CASE WHEN next_at IS NOT NULL THEN 'pending' WHEN is_delivered THEN 'delivered' ELSE 'dead' END)
ORDER BY number DESC LIMIT $4

-- name: redeliver
-- One message of a webhook, or all of its dead ones ($2 null).
UPDATE ingest.webhook_deliveries
SET next_at = now(), attempts = 0, ended_at = NULL, is_delivered = false
WHERE webhook = $1 AND next_at IS NULL AND (message = $2 OR ($2::text IS NULL AND NOT is_delivered))
RETURNING message
