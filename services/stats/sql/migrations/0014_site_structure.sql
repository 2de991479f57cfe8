-- The sections of sites as their newsrooms edit them: names for the statistics, and the slugs that were given up.
CREATE TABLE stats.site_structures (
    site text PRIMARY KEY,
    version bigint NOT NULL,
    content jsonb NOT NULL
);
COMMENT ON TABLE stats.site_structures IS 'The structure of each site, from the topic site-structure.';

CREATE TABLE stats.section_aliases (
    site text NOT NULL,
    slug text NOT NULL,
    target text NOT NULL,
    PRIMARY KEY (site, slug)
);
COMMENT ON TABLE stats.section_aliases IS 'Slugs that sections gave up, and the section that has their articles: what was read in them counts there.';

GRANT SELECT, INSERT, UPDATE, DELETE ON stats.site_structures, stats.section_aliases TO presstally_stats;
