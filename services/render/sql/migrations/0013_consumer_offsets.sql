-- Consumers of topics store their offsets beside the data.
CREATE TABLE render.consumer_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    cluster text NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    last_record bigint,
    PRIMARY KEY (consumer, topic, partition)
);
COMMENT ON TABLE render.consumer_offsets IS 'How far topics are applied to this schema; they follow it, and not the offsets of the groups in Kafka.';
COMMENT ON COLUMN render.consumer_offsets.next_offset IS 'All records before it are applied.';
COMMENT ON COLUMN render.consumer_offsets.last_record IS 'Checksum of the record before next_offset: a log in which it differs has lost its tail, and is read from its beginning.';

GRANT SELECT, INSERT, UPDATE ON render.consumer_offsets TO presstally_render;
