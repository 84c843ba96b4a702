-- offered_extensions
-- Which of these extensions the server could create.
select name from pg_available_extensions where name = any(%(names)s::name[]);

-- timescaledb_preloaded
-- Whether the server loaded TimescaleDB when it started: only then does it know this setting.
select exists(select from pg_settings where name = %(setting)s::text) as preloaded;

-- one_at_a_time
-- Wait until no other program migrates; held until the connection closes.
select pg_advisory_lock(%(key)s::bigint);

-- waits_no_longer
-- Give up where another holds a table for longer, until the connection closes.
select set_config('lock_timeout', %(limit)s::text, false);

-- edition
-- Which edition of TimescaleDB the server has, and whether its columnstore is in use already.
select current_setting('timescaledb.license') as license,
    exists (
        select from timescaledb_information.hypertables
        where hypertable_schema = 'public' and hypertable_name = 'observation' and compression_enabled
    ) as columnstore;
