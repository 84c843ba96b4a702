-- snapshot
-- A name by which another program sees the database exactly as this transaction does.
select pg_export_snapshot() as name;

-- about
-- What a backup has to say of where it was taken: schema, programs, who owns the tables.
select (select version_num from alembic_version) as revision,
    current_setting('server_version_num')::int / 10000 as server_major,
    (select extversion from pg_extension where extname = 'timescaledb') as timescaledb,
    (select pg_get_userbyid(relowner) from pg_class where oid = 'public.patient'::regclass) as owner;

-- server
-- What a server is, before anything is restored into it.
select current_setting('server_version_num')::int / 10000 as server_major,
    (select rolsuper from pg_roles where rolname = current_user) as superuser,
    exists (select from pg_roles where rolname = %(owner)s) as has_owner,
    exists (select from pg_roles where rolname = 'rpm_practice') as has_practice,
    exists (
        select from pg_available_extension_versions where name = 'timescaledb' and version = %(timescaledb)s
    ) as has_timescaledb;

-- databases
-- Which of these databases there are.
select datname as name from pg_database where datname = any(%(names)s);

-- has_tables
-- Whether a database holds anything that could be lost.
select exists (
    select from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
) as has_tables;

-- tables
-- Every table of ours, and Alembic's. A hypertable is counted as one: its chunks live in another schema.
select relname as name from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
order by relname;

-- hang_up
-- End everybody else's sessions in a database.
select pg_terminate_backend(pid) from pg_stat_activity where datname = %(name)s and pid <> pg_backend_pid();

-- marks
-- For every gateway that is in use: the epoch it was last heard with, and the first of its rows that is not here. Not the
-- row after the last: newest goes before the backlog, so that what came before the backup may have holes.
with epochs as (
    select gateway.id, gateway.practice_id, coalesce(
        (select epoch from gateway_status where gateway_id = gateway.id),
        (
            select epoch from reading where reading.gateway_id = gateway.id and admitted_at > %(since)s
            order by admitted_at desc limit 1
        )
    ) as epoch
    from gateway where retired_at is null and practice_id > 0
)
select id as gateway_id, practice_id, epoch, coalesce((
    select min(seq) from (
        select 1::bigint as seq
        union all
        select seq + 1 from delivery where delivery.gateway_id = epochs.id and delivery.epoch = epochs.epoch
    ) as next
    where not exists (
        select from delivery
        where delivery.gateway_id = epochs.id and delivery.epoch = epochs.epoch and delivery.seq = next.seq
    )
), 1) as from_seq
from epochs
order by id;
