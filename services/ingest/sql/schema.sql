-- The ingest service: articles with their outbox, publication status, and the collectors' shared secrets.
-- For reading: what runs are the migrations, and a test compares their result with this file.
CREATE SCHEMA ingest;

CREATE TABLE ingest.secrets (
    name text PRIMARY KEY,
    value bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.secrets IS 'Permanent secrets that all collectors share, created on first use.';

CREATE TABLE ingest.salts (
    site text NOT NULL,
    day date NOT NULL,
    salt bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, day)
);
COMMENT ON TABLE ingest.salts IS 'One random salt per site and local day; deleted after 48 hours.';

CREATE SEQUENCE ingest.article_numbers;

CREATE FUNCTION ingest.title_words(title text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_remove(regexp_split_to_array(
        regexp_replace(lower(normalize(translate(coalesce(title, ''), 'đĐ', 'dd'), NFD)), '[\u0300-\u036f]', '', 'g'),
        '[^[:alnum:]]+'), ''))
$$;
COMMENT ON FUNCTION ingest.title_words IS 'The words of a title, in lower case and without diacritics.';

CREATE FUNCTION ingest.folded(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(
        regexp_replace(lower(normalize(translate(coalesce(words, ''), 'đĐı', 'ddi'), NFD)), '[\u0300-\u036f]', '', 'g'),
        'ß', 'ss')
$$;
COMMENT ON FUNCTION ingest.folded IS 'A text in lower case and without diacritics, whatever its Unicode normal form is.';

CREATE FUNCTION ingest.words_of(text text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(string_agg(left(word, 60) || ':' || position, ' ') FILTER (WHERE word NOT IN ('', 'ªª')), '')::tsvector
    FROM regexp_split_to_table(ingest.folded(text), '[^[:alnum:]]+') WITH ORDINALITY AS split (word, position)
$$;
COMMENT ON FUNCTION ingest.words_of IS 'The words of a text, without diacritics, at their places; ªª is between pieces of which no phrase goes across.';

-- ªª is between two pieces of text, so that no phrase is found across them.
CREATE FUNCTION ingest.article_words(article jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH pieces (place, piece) AS (
        SELECT 1, article ->> 'title'
        UNION ALL SELECT 2, article ->> 'kicker'
        UNION ALL SELECT 3, article ->> 'subtitle'
        UNION ALL SELECT 4, article ->> 'lead'
        UNION ALL SELECT 5, one #>> '{}' FROM jsonb_path_query(article, 'lax $.tags[*]') AS one
        UNION ALL
        SELECT 6, regexp_replace(regexp_replace(one #>> '{}', '<br[^>]*>|&#?\w+;', ' ', 'g'), '<[^>]*>', '', 'g')
        FROM jsonb_path_query(article, 'strict $.body.** ? (@.type() == "object" && exists(@.html)).html', silent => true) AS one
        UNION ALL
        SELECT 7, regexp_replace(regexp_replace(one #>> '{}', '<br[^>]*>|&#?\w+;', ' ', 'g'), '<[^>]*>', '', 'g')
        FROM jsonb_path_query(article, 'lax $.body[*].paragraphs[*]') AS one
        UNION ALL
        SELECT 8, one #>> '{}'
        FROM jsonb_path_query(article, 'strict $.** ? (@.type() == "object" && exists(@.caption)).caption', silent => true) AS one
        UNION ALL
        SELECT 9, one #>> '{}' FROM jsonb_path_query(article, 'lax $.body[*] ? (@.type == "file").name') AS one
    )
    SELECT coalesce(string_agg(left(word, 60) || ':' || position, ' ') FILTER (WHERE word NOT IN ('', 'ªª')), '')::tsvector
    FROM regexp_split_to_table(
        (SELECT ingest.folded(left(string_agg(piece, ' ªª ' ORDER BY place), 60000)) FROM pieces WHERE piece <> ''),
        '[^[:alnum:]]+'
    ) WITH ORDINALITY AS split (word, position)
$$;
COMMENT ON FUNCTION ingest.article_words IS 'The words of the first 60,000 characters of title, lead, tags and text of an article, without diacritics, at their places.';

CREATE TABLE ingest.articles (
    id text PRIMARY KEY,
    number bigint NOT NULL UNIQUE DEFAULT nextval('ingest.article_numbers'),
    site text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    state text NOT NULL CHECK (state IN (
        'draft', 'in_review', 'approved', 'scheduled', 'published', 'unpublished', 'archived', 'killed'
    )),
    title text NOT NULL,
    source_system text,
    external_id text,
    content jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    modified_at timestamptz NOT NULL,
    live jsonb,
    publish_due_at timestamptz,
    unpublish_due_at timestamptz,
    schedule_error text,
    author_token text,
    author text,
    title_words tsvector GENERATED ALWAYS AS (ingest.title_words(title)) STORED,
    live_title_words tsvector GENERATED ALWAYS AS (ingest.title_words(live ->> 'title')) STORED,
    scheduled jsonb,
    scheduled_for timestamptz,
    live_changes jsonb NOT NULL DEFAULT '{}',
    refusal jsonb,
    discarded_at timestamptz,
    UNIQUE (site, source_system, external_id),
    CHECK ((source_system IS NULL) = (external_id IS NULL))
);
COMMENT ON COLUMN ingest.articles.content IS 'The working version, which editors change. Its version and state are its own.';
COMMENT ON COLUMN ingest.articles.live IS 'The published version, as last sent to the topic articles; null: never public.';
COMMENT ON COLUMN ingest.articles.schedule_error IS 'Why the scheduler cancelled the schedule; null: no error.';
COMMENT ON COLUMN ingest.articles.author_token IS 'Prefix of the author''s token, or id of the person; null: imported by the command.';
COMMENT ON COLUMN ingest.articles.author IS 'Who wrote or imported the text of the working version.';
COMMENT ON COLUMN ingest.articles.scheduled IS 'The version that the scheduler publishes at scheduled_for; null: none.';
COMMENT ON COLUMN ingest.articles.publish_due_at IS 'Equals scheduled_for while the working version is the scheduled one: schedulers of a former version publish the working version.';
COMMENT ON COLUMN ingest.articles.live_changes IS 'Fields of the published version that were changed since the working and the scheduled version were made, with their values before.';
COMMENT ON COLUMN ingest.articles.refusal IS 'Who refused the last version, why and when; null: not refused, or approved since.';
COMMENT ON COLUMN ingest.articles.discarded_at IS 'When a draft that was never public was discarded; null: it is there.';
CREATE INDEX articles_newest ON ingest.articles (site, number DESC);
CREATE INDEX articles_publish_due ON ingest.articles (publish_due_at) WHERE publish_due_at IS NOT NULL;
CREATE INDEX articles_scheduled_for ON ingest.articles (scheduled_for) WHERE scheduled_for IS NOT NULL;
CREATE INDEX articles_unpublish_due ON ingest.articles (unpublish_due_at) WHERE unpublish_due_at IS NOT NULL;
CREATE INDEX articles_refused ON ingest.articles (number) WHERE refusal IS NOT NULL;
CREATE INDEX articles_with_problem ON ingest.articles (number) WHERE schedule_error IS NOT NULL;

CREATE INDEX articles_title_words ON ingest.articles USING gin (title_words);
-- The site is the last column: a list of one site reads no rows of others.
CREATE INDEX articles_by_state ON ingest.articles (state, number, site);
CREATE INDEX articles_by_modified ON ingest.articles (modified_at, number, site);
CREATE INDEX articles_by_created ON ingest.articles (created_at, number, site);
CREATE INDEX articles_by_due ON ingest.articles (
    coalesce(scheduled_for, '9999-12-31T00:00:00Z'::timestamptz), number, site
);
CREATE INDEX articles_by_published ON ingest.articles (coalesce(content ->> 'published_at', ''), number, site);
CREATE INDEX articles_by_title ON ingest.articles (left(ingest.folded(title), 60), number, site);
CREATE INDEX articles_live_title_words ON ingest.articles USING gin (live_title_words);
CREATE INDEX articles_section ON ingest.articles ((content ->> 'section'), number DESC);
CREATE INDEX articles_tags ON ingest.articles USING gin ((content -> 'tags'));
CREATE INDEX articles_authors ON ingest.articles USING gin ((content -> 'authors') jsonb_path_ops);
CREATE INDEX articles_external_id ON ingest.articles (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX articles_live_section ON ingest.articles ((live ->> 'section'), number DESC) WHERE live IS NOT NULL;
CREATE INDEX articles_live_tags ON ingest.articles USING gin ((live -> 'tags'));
CREATE INDEX articles_live_authors ON ingest.articles USING gin ((live -> 'authors') jsonb_path_ops);
CREATE STATISTICS ingest.articles_live_state ON (live ->> 'state') FROM ingest.articles;

CREATE TABLE ingest.article_words (
    article text PRIMARY KEY REFERENCES ingest.articles (id) ON DELETE CASCADE,
    words tsvector NOT NULL
);
COMMENT ON TABLE ingest.article_words IS 'The words of working versions, for the search of lists; a trigger keeps them.';
CREATE INDEX article_words_words ON ingest.article_words USING gin (words);

CREATE FUNCTION ingest.keep_article_words() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    field text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        FOREACH field IN ARRAY ARRAY['title', 'kicker', 'subtitle', 'lead', 'tags', 'lead_image', 'body', NULL] LOOP
            IF field IS NULL THEN
                RETURN NULL;
            END IF;
            EXIT WHEN OLD.content -> field IS DISTINCT FROM NEW.content -> field;
        END LOOP;
    END IF;
    INSERT INTO ingest.article_words VALUES (NEW.id, ingest.article_words(NEW.content))
    ON CONFLICT (article) DO UPDATE SET words = EXCLUDED.words;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_article_words AFTER INSERT OR UPDATE OF content ON ingest.articles
FOR EACH ROW EXECUTE FUNCTION ingest.keep_article_words();
COMMENT ON TRIGGER keep_article_words ON ingest.articles IS 'So that no change of a text misses the search.';

CREATE TABLE ingest.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value bytea,
    headers jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX outbox_key ON ingest.outbox (key);
COMMENT ON TABLE ingest.outbox IS 'Messages committed together with the changes they report; the relay deletes those that Kafka has.';
COMMENT ON COLUMN ingest.outbox.headers IS 'The message''s trace context as W3C headers; empty if not traced.';

CREATE FUNCTION ingest.wake_relay() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NOTIFY presstally_outbox;
    RETURN NULL;
END
$$;
CREATE TRIGGER wake_relay AFTER INSERT ON ingest.outbox FOR EACH STATEMENT EXECUTE FUNCTION ingest.wake_relay();
COMMENT ON TRIGGER wake_relay ON ingest.outbox IS 'So that the relay need not poll: it is woken when a message is committed.';

CREATE TABLE ingest.opening_balances (
    site text NOT NULL,
    article text NOT NULL DEFAULT '',
    measure text NOT NULL,
    adjustment text NOT NULL,
    amount bigint NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, article, measure)
);
COMMENT ON TABLE ingest.opening_balances IS 'Totals imported from former counters, at most one per counter.';

CREATE TABLE ingest.publications (
    article text PRIMARY KEY,
    version integer NOT NULL,
    status text NOT NULL CHECK (status IN ('live', 'withdrawn', 'failed')),
    url text,
    reason text,
    at timestamptz NOT NULL,
    corrections integer
);
COMMENT ON TABLE ingest.publications IS 'What the portal serves of each article, as read from the topic pages-live.';

GRANT USAGE ON SCHEMA ingest TO presstally_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ingest TO presstally_ingest;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA ingest TO presstally_ingest;

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
COMMENT ON TABLE ingest.tokens IS 'Bearer tokens of the editor API. Revoked rows stay, because the audit log refers to them.';
COMMENT ON COLUMN ingest.tokens.hash IS 'SHA-256 of the token. The token has 256 random bits, so a slower hash is not needed.';
COMMENT ON COLUMN ingest.tokens.sites IS 'The sites that the token may access; null: all.';
COMMENT ON COLUMN ingest.tokens.used_at IS 'Last lookup; each process looks a token up at most once a minute.';

GRANT SELECT, INSERT, UPDATE ON ingest.tokens TO presstally_ingest;

CREATE TABLE ingest.revisions (
    article text NOT NULL REFERENCES ingest.articles (id),
    version integer NOT NULL,
    action text NOT NULL,
    state text NOT NULL,
    who text NOT NULL,
    token text,
    note text NOT NULL,
    site text NOT NULL,
    content jsonb NOT NULL,
    is_public_change boolean NOT NULL,
    at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    copies text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (article, version)
);
COMMENT ON TABLE ingest.revisions IS 'Every accepted change of an article: who, what, when and why. Append-only.';
COMMENT ON COLUMN ingest.revisions.copies IS 'Which copies of the article the change made or changed: working, live, scheduled. A former version names none.';
COMMENT ON COLUMN ingest.revisions.content IS 'The copy that was changed, after the change; the working version if that was changed too.';
COMMENT ON COLUMN ingest.revisions.is_public_change IS 'The change was sent to the topic articles.';
CREATE INDEX revisions_site ON ingest.revisions (site, id DESC);
CREATE INDEX revisions_who ON ingest.revisions (who, id DESC);
CREATE INDEX revisions_writers ON ingest.revisions (who, article)
WHERE action IN ('create', 'edit', 'restore', 'import');
CREATE INDEX revisions_writer_ids ON ingest.revisions (token, article)
WHERE action IN ('create', 'edit', 'restore', 'import');

CREATE TABLE ingest.idempotency_keys (
    token text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token, key)
);
COMMENT ON TABLE ingest.idempotency_keys IS 'Responses to POST requests, replayed when a request is repeated; deleted after 7 days.';
CREATE INDEX idempotency_keys_age ON ingest.idempotency_keys (created_at);

GRANT SELECT, INSERT ON ingest.revisions TO presstally_ingest;

CREATE FUNCTION ingest.follow_former_version() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- Such a process has told its editor that the schedule is another one, or has ended.
    UPDATE ingest.articles
    SET scheduled = CASE WHEN state = 'scheduled' THEN content END,
        scheduled_for = CASE WHEN state = 'scheduled' THEN publish_due_at END
    WHERE id = NEW.article
        AND (state = 'scheduled' OR (scheduled IS NOT NULL AND NEW.action IN ('unschedule', 'refuse', 'publish', 'kill', 'give-up')));
    UPDATE ingest.articles SET live_changes = '{}'
    WHERE id = NEW.article AND live_changes <> '{}' AND state IN ('published', 'unpublished', 'archived', 'killed');
    NEW.copies := '{working,scheduled}';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION ingest.follow_former_version IS 'During an upgrade: a process that does not know the scheduled copy has changed an article, and left that copy as it was.';
CREATE TRIGGER follow_former_version BEFORE INSERT ON ingest.revisions
FOR EACH ROW WHEN (NEW.copies = '{}') EXECUTE FUNCTION ingest.follow_former_version();

GRANT SELECT, INSERT, DELETE ON ingest.idempotency_keys TO presstally_ingest;

CREATE TABLE ingest.media (
    id text NOT NULL CHECK (id ~ '^[0-9a-f]{64}$'),
    type text NOT NULL,
    file_name text NOT NULL,
    bytes bigint NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    renditions jsonb NOT NULL,
    rendition_names text[] NOT NULL,
    focus_x double precision CHECK (focus_x BETWEEN 0 AND 1),
    focus_y double precision CHECK (focus_y BETWEEN 0 AND 1),
    who text NOT NULL,
    token text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    site text NOT NULL,
    alt text NOT NULL DEFAULT '',
    caption text NOT NULL DEFAULT '',
    credit text NOT NULL DEFAULT '',
    words tsvector GENERATED ALWAYS AS (
        ingest.words_of(file_name || ' ªª ' || alt || ' ªª ' || caption || ' ªª ' || credit)
    ) STORED,
    PRIMARY KEY (site, id),
    CHECK ((focus_x IS NULL) = (focus_y IS NULL))
);
COMMENT ON TABLE ingest.media IS 'Images of sites. A row is written after all its files are in the media store.';
COMMENT ON COLUMN ingest.media.id IS 'SHA-256 of the original: the same file is stored once, with a row for each site.';
COMMENT ON COLUMN ingest.media.site IS 'Empty: uploaded before images had sites, and used by none.';
COMMENT ON COLUMN ingest.media.width IS 'In pixels, after applying the EXIF orientation.';
COMMENT ON COLUMN ingest.media.renditions IS 'The public renditions, widest JPEG first: name, width, height, type.';
COMMENT ON COLUMN ingest.media.rendition_names IS 'Names of all renditions, to find the image of a URL.';
CREATE INDEX media_rendition_names ON ingest.media USING gin (rendition_names);
COMMENT ON COLUMN ingest.media.alt IS 'What it shows, for the articles that will use it; caption and credit likewise.';
COMMENT ON COLUMN ingest.media.words IS 'The words of file name, alt, caption and credit, for the search of lists.';
CREATE INDEX media_words ON ingest.media USING gin (words);
CREATE INDEX media_newest ON ingest.media (created_at, id, site);

GRANT SELECT, INSERT, UPDATE ON ingest.media TO presstally_ingest;

CREATE TABLE ingest.imports (
    article text PRIMARY KEY REFERENCES ingest.articles (id),
    checksum bytea NOT NULL CHECK (length(checksum) = 32),
    at timestamptz NOT NULL
);
COMMENT ON TABLE ingest.imports IS 'For each imported article, SHA-256 of the content that was last imported.';

GRANT SELECT, INSERT, UPDATE ON ingest.imports TO presstally_ingest;

CREATE TABLE ingest.old_addresses (
    site text NOT NULL,
    address text NOT NULL,
    article text NOT NULL REFERENCES ingest.articles (id),
    PRIMARY KEY (site, address)
);
CREATE INDEX old_addresses_article ON ingest.old_addresses (article);
COMMENT ON TABLE ingest.old_addresses IS 'Former addresses of articles, each of one article of a site: decoded path, and query as it was sent.';

GRANT SELECT, INSERT, DELETE ON ingest.old_addresses TO presstally_ingest;

CREATE TABLE ingest.partition_plan (
    effective_at timestamptz PRIMARY KEY,
    partitions integer NOT NULL CHECK (partitions BETWEEN 1 AND 10000),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.partition_plan IS 'Over how many partitions of page-views events are distributed, by the time of the event. Append-only.';
GRANT SELECT, INSERT ON ingest.partition_plan TO presstally_ingest;

CREATE TABLE ingest.switch_events (
    id uuid PRIMARY KEY,
    partitions integer NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.switch_events IS 'Views within an hour of a change of the partition plan, with the number that decided their partition; deleted after 4 days.';
CREATE INDEX switch_events_age ON ingest.switch_events (recorded_at);
GRANT SELECT, INSERT, DELETE ON ingest.switch_events TO presstally_ingest;

CREATE TABLE ingest.consumer_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    cluster text NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    last_record bigint,
    PRIMARY KEY (consumer, topic, partition)
);
COMMENT ON TABLE ingest.consumer_offsets IS 'How far topics are applied to this schema; they follow it, and not the offsets of the groups in Kafka.';
COMMENT ON COLUMN ingest.consumer_offsets.next_offset IS 'All records before it are applied.';
COMMENT ON COLUMN ingest.consumer_offsets.last_record IS 'Checksum of the record before next_offset: a log in which it differs has lost its tail, and is read from its beginning.';

GRANT SELECT, INSERT, UPDATE ON ingest.consumer_offsets TO presstally_ingest;
GRANT UPDATE ON SEQUENCE ingest.article_numbers TO presstally_ingest;

CREATE TABLE ingest.fetched_images (
    site text NOT NULL,
    url_digest bytea NOT NULL CHECK (length(url_digest) = 32),
    url text NOT NULL,
    media text NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (site, url_digest),
    FOREIGN KEY (site, media) REFERENCES ingest.media (site, id)
);
COMMENT ON TABLE ingest.fetched_images IS 'Images that imports have fetched: their URL at the source, and the image in the media store.';
COMMENT ON COLUMN ingest.fetched_images.url_digest IS 'SHA-256 of the URL, which may be too long for an index.';

GRANT SELECT, INSERT ON ingest.fetched_images TO presstally_ingest;

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

CREATE TABLE ingest.media_crops (
    site text NOT NULL,
    media text NOT NULL,
    focus text NOT NULL CHECK (focus ~ '^[01]\.[0-9]{3},[01]\.[0-9]{3}$'),
    crops jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, media, focus),
    FOREIGN KEY (site, media) REFERENCES ingest.media (site, id)
);
COMMENT ON TABLE ingest.media_crops IS 'Crops of images. A row is written after all its files are in the media store.';
COMMENT ON COLUMN ingest.media_crops.focus IS 'The focus point, as parts of width and height: 0.500,0.500 is the centre.';
COMMENT ON COLUMN ingest.media_crops.crops IS 'Of each ratio the widest JPEG first: ratio, name, width, height, type.';
GRANT SELECT, INSERT, DELETE ON ingest.media_crops TO presstally_ingest;

CREATE FUNCTION ingest.media_of(content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_path_query_array(content, '$.**.media')
$$;
COMMENT ON FUNCTION ingest.media_of IS 'The IDs of the images and files of a version of an article.';
CREATE INDEX articles_media ON ingest.articles USING gin (ingest.media_of(content));
CREATE INDEX articles_live_media ON ingest.articles USING gin (ingest.media_of(live));

CREATE TABLE ingest.site_structures (
    site text PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    content jsonb NOT NULL,
    seed jsonb NOT NULL,
    modified_at timestamptz NOT NULL
);
COMMENT ON TABLE ingest.site_structures IS 'The structure of each site: read, changed and sent as a whole.';
COMMENT ON COLUMN ingest.site_structures.content IS 'As in the topic site-structure, with e-mail addresses that are not public.';
COMMENT ON COLUMN ingest.site_structures.seed IS 'The sections of the sites'' file that it began with.';

CREATE TABLE ingest.static_pages (
    id text PRIMARY KEY,
    site text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    slug text NOT NULL,
    content jsonb NOT NULL,
    live jsonb,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    modified_by text NOT NULL,
    UNIQUE (site, slug)
);
COMMENT ON TABLE ingest.static_pages IS 'Pages that are no articles.';
COMMENT ON COLUMN ingest.static_pages.content IS 'The working copy, which editors change.';
COMMENT ON COLUMN ingest.static_pages.live IS 'As last sent to the topic site-structure; null: never public.';

CREATE TABLE ingest.article_terms (
    article text NOT NULL REFERENCES ingest.articles (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('section', 'tag', 'author')),
    name text NOT NULL,
    site text NOT NULL,
    is_public boolean NOT NULL,
    PRIMARY KEY (article, kind, name)
);
COMMENT ON TABLE ingest.article_terms IS 'The sections, tags and authors that any copy of an article names, as it spells them. A trigger keeps it.';
COMMENT ON COLUMN ingest.article_terms.is_public IS 'The published copy names it.';
CREATE INDEX article_terms_name ON ingest.article_terms (site, kind, name) INCLUDE (is_public);

CREATE FUNCTION ingest.terms_of(content jsonb) RETURNS TABLE (kind text, name text)
LANGUAGE sql IMMUTABLE AS $$
    SELECT 'section', content ->> 'section' WHERE content ->> 'section' <> ''
    UNION
    SELECT 'section', jsonb_array_elements_text(coalesce(content -> 'also_in', '[]'))
    UNION
    SELECT 'tag', jsonb_array_elements_text(coalesce(content -> 'tags', '[]'))
    UNION
    SELECT 'author', jsonb_array_elements(coalesce(content -> 'authors', '[]')) ->> 'name'
$$;
COMMENT ON FUNCTION ingest.terms_of IS 'The sections, tags and authors of one copy of an article.';

CREATE FUNCTION ingest.save_article_terms() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    WITH named AS (
        SELECT kind, name, bool_or(is_public) AS is_public FROM (
            SELECT kind, name, false AS is_public FROM ingest.terms_of(NEW.content)
            UNION ALL
            SELECT kind, name, false FROM ingest.terms_of(NEW.scheduled)
            UNION ALL
            SELECT kind, name, coalesce(NEW.live ->> 'state' = 'published', false) FROM ingest.terms_of(NEW.live)
        ) copies
        WHERE name <> '' AND NEW.discarded_at IS NULL
        GROUP BY kind, name
    ), removed AS (
        DELETE FROM ingest.article_terms t
        WHERE t.article = NEW.id AND NOT EXISTS (SELECT FROM named n WHERE n.kind = t.kind AND n.name = t.name)
    )
    INSERT INTO ingest.article_terms AS t (article, kind, name, site, is_public)
    SELECT NEW.id, kind, name, NEW.site, is_public FROM named
    ON CONFLICT (article, kind, name) DO UPDATE SET is_public = EXCLUDED.is_public
    WHERE t.is_public <> EXCLUDED.is_public;
    RETURN NULL;
END
$$;
CREATE TRIGGER save_article_terms AFTER UPDATE OF content, live, scheduled, discarded_at ON ingest.articles
FOR EACH ROW EXECUTE FUNCTION ingest.save_article_terms();
COMMENT ON TRIGGER save_article_terms ON ingest.articles IS 'So that sections, tags and authors are counted without reading articles.';

CREATE FUNCTION ingest.add_article_terms() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO ingest.article_terms (article, kind, name, site, is_public)
    SELECT a.id, t.kind, t.name, a.site, bool_or(t.is_public)
    FROM added a, LATERAL (
        SELECT kind, name, false AS is_public FROM ingest.terms_of(a.content)
        UNION ALL
        SELECT kind, name, false FROM ingest.terms_of(a.scheduled)
        UNION ALL
        SELECT kind, name, coalesce(a.live ->> 'state' = 'published', false) FROM ingest.terms_of(a.live)
    ) t
    WHERE t.name <> '' AND a.discarded_at IS NULL
    GROUP BY a.id, t.kind, t.name, a.site;
    RETURN NULL;
END
$$;
CREATE TRIGGER add_article_terms AFTER INSERT ON ingest.articles REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION ingest.add_article_terms();
COMMENT ON TRIGGER add_article_terms ON ingest.articles IS 'The same for new articles, all of a statement at once.';

GRANT SELECT, INSERT, UPDATE ON ingest.site_structures, ingest.static_pages TO presstally_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.article_terms TO presstally_ingest;
CREATE TABLE ingest.previews (
    id text PRIMARY KEY,
    article text REFERENCES ingest.articles (id) ON DELETE CASCADE,
    version integer,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    revoked_at timestamptz,
    page text REFERENCES ingest.static_pages (id) ON DELETE CASCADE,
    CHECK (num_nonnulls(article, page) = 1)
);
COMMENT ON TABLE ingest.previews IS 'Links that show a version of an article, or a static page, in the theme of its site. Deleted 30 days after they expired.';
COMMENT ON COLUMN ingest.previews.page IS 'The static page that it shows, in place of an article.';
COMMENT ON COLUMN ingest.previews.id IS 'Random; the link has it with its signature.';
COMMENT ON COLUMN ingest.previews.version IS 'Null: the working version, whichever it is.';
CREATE INDEX previews_article ON ingest.previews (article, created_at DESC);
CREATE INDEX previews_page ON ingest.previews (page, created_at DESC);
CREATE INDEX previews_age ON ingest.previews (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.previews TO presstally_ingest;

CREATE TABLE ingest.files (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    site text NOT NULL,
    checksum bytea NOT NULL CHECK (length(checksum) = 32),
    type text NOT NULL,
    name text NOT NULL,
    bytes bigint NOT NULL,
    warnings text[] NOT NULL,
    who text NOT NULL,
    actor_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    words tsvector GENERATED ALWAYS AS (ingest.words_of(name)) STORED,
    UNIQUE (site, checksum)
);
COMMENT ON TABLE ingest.files IS 'Documents of sites. A row is written after its file is in the media store.';
COMMENT ON COLUMN ingest.files.id IS 'Random, so that nobody can find a file by its content.';
COMMENT ON COLUMN ingest.files.checksum IS 'SHA-256: the same bytes are one file of a site.';
COMMENT ON COLUMN ingest.files.warnings IS 'What its check found that does not prevent it.';
COMMENT ON COLUMN ingest.files.words IS 'The words of its name, for the search of lists.';
CREATE INDEX files_words ON ingest.files USING gin (words);
CREATE INDEX files_newest ON ingest.files (created_at, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.files TO presstally_ingest;

CREATE INDEX articles_scheduled_media ON ingest.articles USING gin (ingest.media_of(scheduled));
CREATE TABLE ingest.webhooks (
    id text PRIMARY KEY,
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    events text[] NOT NULL CHECK (cardinality(events) > 0),
    sites text[] CHECK (cardinality(sites) > 0),
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_secret_until timestamptz,
    failing_since timestamptz,
    disabled_at timestamptz,
    disabled_reason text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL
);
COMMENT ON TABLE ingest.webhooks IS 'Where events are sent, and the secrets that sign them.';
COMMENT ON COLUMN ingest.webhooks.sites IS 'Null: all sites.';
COMMENT ON COLUMN ingest.webhooks.failing_since IS 'The first failure after the last success.';

CREATE TABLE ingest.webhook_deliveries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message text NOT NULL,
    webhook text NOT NULL REFERENCES ingest.webhooks (id) ON DELETE CASCADE,
    event text NOT NULL,
    article text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz DEFAULT clock_timestamp(),
    claimed_until timestamptz,
    ended_at timestamptz,
    is_delivered boolean NOT NULL DEFAULT false,
    last_result text,
    UNIQUE (webhook, message)
);
COMMENT ON TABLE ingest.webhook_deliveries IS 'Events for webhooks: committed with the status that they report, deleted 7 days after they were delivered, 30 days after they failed for good.';
COMMENT ON COLUMN ingest.webhook_deliveries.next_at IS 'When it is tried next; null: it has ended.';
COMMENT ON COLUMN ingest.webhook_deliveries.claimed_until IS 'A process is sending it; after that time it has died.';
CREATE INDEX webhook_deliveries_open ON ingest.webhook_deliveries (webhook, number) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_ended ON ingest.webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE FUNCTION ingest.wake_webhooks() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NOTIFY presstally_webhooks;
    RETURN NULL;
END
$$;
CREATE TRIGGER wake_webhooks AFTER INSERT OR UPDATE OF next_at ON ingest.webhook_deliveries
FOR EACH ROW WHEN (NEW.next_at <= clock_timestamp()) EXECUTE FUNCTION ingest.wake_webhooks();
CREATE TRIGGER wake_webhooks AFTER UPDATE OF disabled_at ON ingest.webhooks
FOR EACH ROW WHEN (OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL) EXECUTE FUNCTION ingest.wake_webhooks();
COMMENT ON TRIGGER wake_webhooks ON ingest.webhook_deliveries IS 'So that nothing polls for events: who sends them is woken when one that is due was committed.';
COMMENT ON TRIGGER wake_webhooks ON ingest.webhooks IS 'What waited while the webhook was disabled is due at once.';

COMMENT ON COLUMN ingest.publications.corrections IS 'How many corrections the version has; null: not counted.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.webhooks, ingest.webhook_deliveries TO presstally_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.webhooks, ingest.webhook_deliveries TO presstally_ingest;

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


CREATE TABLE ingest.autosaves (
    owner text NOT NULL,
    slot text NOT NULL,
    person text REFERENCES ingest.people (id) ON DELETE CASCADE,
    article text REFERENCES ingest.articles (id) ON DELETE CASCADE,
    site text NOT NULL,
    tab text NOT NULL,
    sequence bigint NOT NULL,
    base_version integer,
    title text NOT NULL,
    fields bytea,
    created_article text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (owner, slot)
);
COMMENT ON TABLE ingest.autosaves IS 'The text that somebody has typed and not saved: one slot for each person and article. Deleted 30 days after the last one.';
COMMENT ON COLUMN ingest.autosaves.owner IS 'ID of the person, or prefix of the token.';
COMMENT ON COLUMN ingest.autosaves.slot IS 'The article, or the key of one that does not exist yet.';
COMMENT ON COLUMN ingest.autosaves.tab IS 'The window that wrote it, with a counter of its own.';
COMMENT ON COLUMN ingest.autosaves.fields IS 'JSON as it was sent, which jsonb could refuse; null: saved or discarded, kept so that a late request does not bring it back.';
COMMENT ON COLUMN ingest.autosaves.created_article IS 'The article that was created from a new text.';
CREATE INDEX autosaves_person ON ingest.autosaves (person);
CREATE INDEX autosaves_article ON ingest.autosaves (article);
CREATE INDEX autosaves_age ON ingest.autosaves (saved_at);

CREATE UNLOGGED TABLE ingest.presence (
    article text NOT NULL,
    owner text NOT NULL,
    tab text NOT NULL,
    person text REFERENCES ingest.people (id) ON DELETE CASCADE,
    who text NOT NULL,
    is_writing boolean NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (article, owner, tab)
);
COMMENT ON TABLE ingest.presence IS 'Who has an article or a static page open. A row is valid for 10 seconds; a crash of Postgres empties it.';
COMMENT ON COLUMN ingest.presence.article IS 'ID of the article or of the static page.';
CREATE INDEX presence_person ON ingest.presence (person);

GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.autosaves, ingest.presence TO presstally_ingest;

CREATE INDEX articles_placed ON ingest.articles (site)
WHERE live ->> 'pinned_until' IS NOT NULL OR live ->> 'featured_until' IS NOT NULL;

CREATE TABLE ingest.comments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    article text NOT NULL REFERENCES ingest.articles (id) ON DELETE CASCADE,
    version integer NOT NULL,
    block integer,
    excerpt text NOT NULL,
    text text NOT NULL,
    who text NOT NULL,
    author text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    edited_at timestamptz,
    resolved_at timestamptz,
    resolved_by text
);
COMMENT ON TABLE ingest.comments IS 'Comments of editors on articles and their blocks. Never public.';
COMMENT ON COLUMN ingest.comments.block IS 'Place in the body of the version; null: the whole article.';
COMMENT ON COLUMN ingest.comments.excerpt IS 'The beginning of the words of the block, by which it is found in later versions.';
COMMENT ON COLUMN ingest.comments.author IS 'ID of the person, or prefix of the token.';
CREATE INDEX comments_article ON ingest.comments (article, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.comments TO presstally_ingest;
