-- What a database is put back to: its rows and the positions of its sequences. From here on, changes of its structure are noted.
CREATE SCHEMA testing;
CREATE SEQUENCE testing.changes;
CREATE TABLE testing.rows_before (relation regclass, copy regclass, columns text);
CREATE TABLE testing.sequences_before AS
SELECT format('%I.%I', schemaname, sequencename)::regclass AS sequence, start_value, last_value
FROM pg_sequences WHERE schemaname <> 'testing';

CREATE VIEW testing.relations AS
SELECT oid::regclass AS relation, pg_relation_size(oid) AS bytes
FROM pg_class
WHERE relkind = 'r' AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname = 'testing' OR nspname ~ '^(pg_|information_schema$)');

DO $$
DECLARE
    one record;
    copy text;
BEGIN
    FOR one IN SELECT relation FROM testing.relations WHERE bytes > 0 LOOP
        copy := format('testing.copy_%s', one.relation::oid);
        EXECUTE format('CREATE TABLE %s AS TABLE %s', copy, one.relation);
        INSERT INTO testing.rows_before
        SELECT one.relation, copy, string_agg(quote_ident(attname), ', ')
        FROM pg_attribute
        WHERE attrelid = one.relation AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
    END LOOP;
END
$$;

-- Returns whether all is as it was; not if a test changed the structure or the settings of the database.
CREATE FUNCTION testing.put_back() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000)
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    IF (SELECT is_called FROM testing.changes)
        OR EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
    THEN
        RETURN false;
    END IF;
    PERFORM set_config('session_replication_role', 'replica', true);  -- no triggers, and references in any order
    FOR one IN SELECT relation, bytes FROM testing.relations WHERE bytes > 0 LOOP
        EXECUTE format(CASE WHEN one.bytes > 65536 THEN 'TRUNCATE %s CASCADE' ELSE 'DELETE FROM %s' END, one.relation);
    END LOOP;
    FOR one IN SELECT relation, copy, columns FROM testing.rows_before LOOP
        EXECUTE format(
            'INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s', one.relation, one.columns, one.columns, one.copy
        );
    END LOOP;
    PERFORM setval(before.sequence, coalesce(before.last_value, before.start_value), before.last_value IS NOT NULL)
    FROM testing.sequences_before AS before
    JOIN pg_sequences AS now ON format('%I.%I', now.schemaname, now.sequencename)::regclass = before.sequence
    WHERE now.last_value IS DISTINCT FROM before.last_value;
    RETURN true;
END
$$;

CREATE FUNCTION testing.note_change() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM nextval('testing.changes');
END
$$;
CREATE EVENT TRIGGER note_change ON ddl_command_end EXECUTE FUNCTION testing.note_change();
