-- External IDs and images belong to a site. The author of a working version is known also without a token.
ALTER TABLE ingest.articles DROP CONSTRAINT articles_source_system_external_id_key;
ALTER TABLE ingest.articles ADD UNIQUE (site, source_system, external_id);

ALTER TABLE ingest.articles ADD COLUMN author text;
UPDATE ingest.articles a
SET author = (
    SELECT r.who FROM ingest.revisions r
    WHERE r.article = a.id AND r.action IN ('create', 'edit', 'restore', 'import')
    ORDER BY r.version DESC LIMIT 1
);
COMMENT ON COLUMN ingest.articles.author IS 'Who wrote or imported the text of the working version.';
COMMENT ON COLUMN ingest.articles.author_token IS 'Prefix of the author''s token; null: imported by the command.';

-- An image that a site's articles have used belongs to that site, and so does one that was uploaded with a token of few
-- sites. One that neither is known of belongs to the only site if there is one, otherwise to "": tokens without a list of
-- sites still see it, and uploading the file again adds it to a site.
ALTER TABLE ingest.media ADD COLUMN site text NOT NULL DEFAULT '';
ALTER TABLE ingest.media DROP CONSTRAINT media_pkey;
ALTER TABLE ingest.media ADD PRIMARY KEY (site, id);
DROP INDEX ingest.media_newest;
CREATE INDEX media_newest ON ingest.media (created_at, id, site);

CREATE TEMPORARY TABLE media_owners ON COMMIT DROP AS
    SELECT DISTINCT used.id, r.site
    FROM ingest.revisions r
    CROSS JOIN LATERAL (SELECT found #>> '{}' AS id FROM jsonb_path_query(r.content, '$.**.media') AS found) AS used
    JOIN ingest.media m ON m.id = used.id
    UNION
    SELECT m.id, uploader.site
    FROM ingest.media m JOIN ingest.tokens t ON t.prefix = m.token CROSS JOIN unnest(t.sites) AS uploader (site);
INSERT INTO media_owners
    SELECT m.id, only_site.site FROM ingest.media m
    CROSS JOIN (SELECT min(site) AS site FROM ingest.articles HAVING count(DISTINCT site) = 1) AS only_site
    WHERE NOT EXISTS (SELECT FROM media_owners o WHERE o.id = m.id);

INSERT INTO ingest.media (
    id, type, file_name, bytes, width, height, renditions, rendition_names, focus_x, focus_y, who, token, created_at, site
)
SELECT m.id, m.type, m.file_name, m.bytes, m.width, m.height, m.renditions, m.rendition_names, m.focus_x, m.focus_y,
       m.who, m.token, m.created_at, o.site
FROM ingest.media m JOIN media_owners o ON o.id = m.id;
DELETE FROM ingest.media m USING media_owners o WHERE o.id = m.id AND m.site = '';
ALTER TABLE ingest.media ALTER COLUMN site DROP DEFAULT;
COMMENT ON TABLE ingest.media IS 'Images of sites. A row is written after all its files are in the media store.';
COMMENT ON COLUMN ingest.media.id IS 'SHA-256 of the original: the same file is stored once, with a row for each site.';
COMMENT ON COLUMN ingest.media.site IS 'Empty: uploaded before images had sites, and used by none.';
