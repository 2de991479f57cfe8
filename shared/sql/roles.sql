-- One database role for each service: it writes its own schema and reads what it is granted.
-- Roles belong to the whole server, so two databases may meet here at the same moment.
DO $$
DECLARE
    service text;
BEGIN
    FOREACH service IN ARRAY ARRAY['ingest', 'stats', 'render'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', 'presstally_' || service);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        IF NOT pg_has_role(current_user, 'presstally_' || service, 'SET') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', 'presstally_' || service);
        END IF;
    END LOOP;
END
$$;
