-- The former addresses of articles, each of one article of a site: the first article keeps it.
CREATE TABLE ingest.old_addresses (
    site text NOT NULL,
    address text NOT NULL,
    article text NOT NULL REFERENCES ingest.articles (id),
    PRIMARY KEY (site, address)
);
CREATE INDEX old_addresses_article ON ingest.old_addresses (article);
COMMENT ON TABLE ingest.old_addresses IS 'Former addresses of articles, each of one article of a site: decoded path, and query as it was sent.';

-- Stored URLs are decoded as shared/old_urls.py does; one that is not UTF-8 stays as it is.
CREATE FUNCTION pg_temp.decoded(path text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN convert_from(decode(string_agg(
        CASE WHEN part[1] ~ '^%[0-9a-fA-F]{2}$' THEN substr(part[1], 2) ELSE encode(convert_to(part[1], 'UTF8'), 'hex') END,
        '' ORDER BY place), 'hex'), 'UTF8')
    FROM regexp_matches(path, '%[0-9a-fA-F]{2}|.', 'g') WITH ORDINALITY AS found (part, place);
EXCEPTION WHEN OTHERS THEN
    RETURN path;
END $$;
INSERT INTO ingest.old_addresses (site, address, article)
SELECT a.site,
       pg_temp.decoded(split_part(url, '?', 1))
           || CASE WHEN strpos(url, '?') > 0 THEN substr(url, strpos(url, '?')) ELSE '' END,
       a.id
FROM ingest.articles a
CROSS JOIN LATERAL (
    SELECT jsonb_array_elements_text(coalesce(a.live -> 'old_urls', '[]')) AS url
    UNION
    SELECT jsonb_array_elements_text(coalesce(a.content -> 'old_urls', '[]'))
) AS given
WHERE url <> ''
ORDER BY a.number
ON CONFLICT DO NOTHING;

GRANT SELECT, INSERT, DELETE ON ingest.old_addresses TO presstally_ingest;
