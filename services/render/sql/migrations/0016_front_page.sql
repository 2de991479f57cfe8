-- When the front page of a site changes although nobody changes it: a slot or the breaking-news bar ends.
ALTER TABLE render.structures ADD COLUMN changes_at timestamptz[] NOT NULL DEFAULT '{}';
ALTER TABLE render_2.structures ADD COLUMN changes_at timestamptz[] NOT NULL DEFAULT '{}';
ALTER TABLE render_3.structures ADD COLUMN changes_at timestamptz[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN render.structures.changes_at IS 'When the front page changes although nothing is written.';
COMMENT ON COLUMN render_2.structures.changes_at IS 'When the front page changes although nothing is written.';
COMMENT ON COLUMN render_3.structures.changes_at IS 'When the front page changes although nothing is written.';
