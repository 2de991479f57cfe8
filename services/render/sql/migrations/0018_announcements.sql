-- What WebSub hubs were told about the feeds of a site. Not of a generation: a rebuild that yields the same feeds tells nothing.
CREATE TABLE render.announcements (
    site text NOT NULL,
    hub text NOT NULL,
    topic text NOT NULL,
    checksum bytea NOT NULL,
    seen_at timestamptz NOT NULL,
    announced bytea,
    waiting_since timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    last_result text NOT NULL DEFAULT '',
    PRIMARY KEY (site, hub, topic)
);
COMMENT ON TABLE render.announcements IS 'The feeds of each site, and what each WebSub hub was told about them.';
COMMENT ON COLUMN render.announcements.topic IS 'The URL of the feed.';
COMMENT ON COLUMN render.announcements.checksum IS 'Of the feed as readers got it at seen_at.';
COMMENT ON COLUMN render.announcements.announced IS 'The checksum of which the hub was told; null: of none yet.';
COMMENT ON COLUMN render.announcements.waiting_since IS 'Since when the hub has not been told of the feed as it is; null: it was told.';
COMMENT ON COLUMN render.announcements.claimed_until IS 'Until then a process is telling the hub.';
GRANT SELECT, INSERT, UPDATE, DELETE ON render.announcements TO presstally_render;
