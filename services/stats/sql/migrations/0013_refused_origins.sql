-- Notes of the statistics page for the owner of a website.
CREATE TABLE stats.refused_origins (
    site text NOT NULL,
    day bigint NOT NULL,
    origin text NOT NULL,
    views bigint NOT NULL,
    PRIMARY KEY (site, day, origin)
);
COMMENT ON TABLE stats.refused_origins IS 'Views that collectors refused, because the site does not declare the origin of the page. No count depends on it.';
COMMENT ON COLUMN stats.refused_origins.day IS 'UTC day, in days since 1970.';
COMMENT ON COLUMN stats.refused_origins.origin IS 'As senders claim it; empty for further ones.';
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.refused_origins TO presstally_stats;
