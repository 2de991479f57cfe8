-- While replicas are replaced one by one, those of a former version do not know the scheduled copy.
ALTER TABLE ingest.revisions ALTER COLUMN copies SET DEFAULT '{}';
COMMENT ON COLUMN ingest.revisions.copies IS 'Which copies of the article the change made or changed: working, live, scheduled. A former version names none.';

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
