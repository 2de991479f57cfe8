-- Crops of images around their focus points. An image has several if articles have focus points of their own.
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
