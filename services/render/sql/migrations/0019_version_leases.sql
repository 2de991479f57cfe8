-- Sites that serve pages may rely on a version for 50 ms without asking (query "site_versions"): before a change of a site
-- that was quiet, its writer announces itself by a lock and waits until all such leases have ended.
CREATE FUNCTION render.end_leases() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(6776175);
    IF current_setting('presstally.leases_ended', true) IS DISTINCT FROM 'true'
        AND OLD.changed_at < clock_timestamp() - interval '1 second' THEN
        PERFORM pg_sleep(0.06);
        PERFORM set_config('presstally.leases_ended', 'true', true);
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION render.end_leases IS 'Keeps new leases away until the transaction ends, and waits for those that exist, once.';
CREATE TRIGGER end_leases BEFORE UPDATE ON render.sites FOR EACH ROW EXECUTE FUNCTION render.end_leases();
