-- A scheduled version waits beside the working copy, and is published as it is.
ALTER TABLE ingest.articles
    ADD COLUMN scheduled jsonb,
    ADD COLUMN scheduled_for timestamptz,
    ADD COLUMN live_changes jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN refusal jsonb,
    ADD COLUMN discarded_at timestamptz;
COMMENT ON COLUMN ingest.articles.scheduled IS 'The version that the scheduler publishes at scheduled_for; null: none.';
COMMENT ON COLUMN ingest.articles.publish_due_at IS 'Equals scheduled_for while the working version is the scheduled one: schedulers of a former version publish the working version.';
COMMENT ON COLUMN ingest.articles.live_changes IS 'Fields of the published version that were changed since the working and the scheduled version were made, with their values before.';
COMMENT ON COLUMN ingest.articles.refusal IS 'Who refused the last version, why and when; null: not refused, or approved since.';
COMMENT ON COLUMN ingest.articles.discarded_at IS 'When a draft that was never public was discarded; null: it is there.';

UPDATE ingest.articles SET scheduled = content, scheduled_for = publish_due_at WHERE state = 'scheduled';

CREATE INDEX articles_scheduled_for ON ingest.articles (scheduled_for) WHERE scheduled_for IS NOT NULL;

ALTER TABLE ingest.revisions ADD COLUMN copies text[] NOT NULL DEFAULT '{working}';
COMMENT ON COLUMN ingest.revisions.copies IS 'Which copies of the article the change made or changed: working, live, scheduled.';
COMMENT ON COLUMN ingest.revisions.content IS 'The copy that was changed, after the change; the working version if that was changed too.';

DROP INDEX ingest.articles_by_due;
CREATE INDEX articles_by_due ON ingest.articles (
    coalesce(scheduled_for, '9999-12-31T00:00:00Z'::timestamptz), number, site
);
