-- A repeated import fetches only the images that it does not have.
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
