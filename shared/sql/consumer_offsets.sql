-- "schema_name." is replaced by the schema of the service whose tables the records fill.

-- name: read_offsets
SELECT partition, cluster, topic_id, next_offset, last_record FROM schema_name.consumer_offsets
WHERE consumer = $1 AND topic = $2

-- name: reset_offset
-- The first position in a log: of a new consumer, or of a log that is not the one that was read.
INSERT INTO schema_name.consumer_offsets (consumer, topic, partition, cluster, topic_id, next_offset, last_record)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (consumer, topic, partition) DO UPDATE
SET cluster = EXCLUDED.cluster, topic_id = EXCLUDED.topic_id, next_offset = EXCLUDED.next_offset,
    last_record = EXCLUDED.last_record

-- name: advance_offset
-- Only from the offset that the caller read: no row is returned if another one advanced it, or another database
-- is restored.
UPDATE schema_name.consumer_offsets SET next_offset = $5, last_record = $6
WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $4 AND topic_id = $7 AND cluster = $8
RETURNING next_offset
