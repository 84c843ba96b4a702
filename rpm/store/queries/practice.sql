-- enter
-- From here to its end this transaction is a practice's: `true` says that it is not the session's. The schema `own` has views
-- of hypertables, which have no row-level security. An empty practice is none: no row is there.
select set_config('rpm.practice', %(practice)s, true), set_config('search_path', 'own, public', true),
    set_config('role', 'rpm_practice', true);
