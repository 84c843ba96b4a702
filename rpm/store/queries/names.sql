-- hold
-- Whether this name is now the connection's alone, until it ends.
select pg_try_advisory_lock(hashtextextended('rpm worker ' || %(name)s, 0)) as held;
