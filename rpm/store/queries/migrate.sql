-- offered_extensions
-- Which of these extensions the server could create.
select name from pg_available_extensions where name = any(%(names)s::name[]);

-- preloaded
-- The libraries the server loaded at its start.
select current_setting('shared_preload_libraries') as libraries;

-- one_at_a_time
-- Wait until no other program migrates; held until the connection closes.
select pg_advisory_lock(%(key)s::bigint);
