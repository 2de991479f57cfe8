-- What arrives late of an excluded group is taken out by the next rebuild.
ALTER TABLE stats.applied_exclusions ADD COLUMN arrived_before bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN stats.applied_exclusions.arrived_before IS 'Records that arrived before this decide who they are, in milliseconds since 1970 UTC; 0: before the exclusion was made.';
