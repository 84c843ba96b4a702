-- Practices are kept apart by the database: a transaction of a page acts as the role rpm_practice, for which only the rows of
-- one practice are there. Workers and commands act as the owner of the tables and see all.
-- Runs before the code: nobody has the role yet.

do $$
begin
    if not exists (select from pg_roles where rolname = 'rpm_practice') then
        create role rpm_practice nologin;
    end if;
    if not pg_has_role(current_user, 'rpm_practice', 'member') then
        execute format('grant rpm_practice to %I', current_user);
    end if;
exception
    -- Another database of this server is migrated at the same time.
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise insufficient_privilege using message = format(
            'an administrator of the server has to run: create role rpm_practice nologin; grant rpm_practice to %I',
            current_user);
end $$;

-- The practice of this transaction; null where none was said. A setting of the transaction, not of the session: a pool hands
-- the session to somebody else.
create function this_practice() returns integer language sql stable parallel safe
as $$ select nullif(current_setting('rpm.practice', true), '')::integer $$;

-- A table of which each practice sees and changes its own rows alone. `nobodys`: and those of practice 0, which belong to
-- gateways that nobody has registered yet.
create procedure keep_apart(relation regclass, nobodys boolean default false) language plpgsql as $$
declare
    -- The sub-select is evaluated once a statement, not once a row.
    own text := 'practice_id = (select this_practice())';
begin
    if nobodys then
        own := own || ' or practice_id = 0 and (select this_practice()) is not null';
    end if;
    execute format('alter table %s enable row level security', relation);
    execute format('create policy kept_apart on %s to rpm_practice using (%s) with check (%s)', relation, own, own);
    execute format('grant select, insert, update, delete on %s to rpm_practice', relation);
end $$;

-- Row-level security and the columnstore exclude each other on a hypertable. So the role may not touch hypertables at all:
-- it finds views of their names first, of its practice's rows. They are no security barriers: what they hide, they hide from
-- our own statements, and a barrier would keep joins from using an index. To be called again when the table has a new column.
create schema own;
grant usage on schema own to rpm_practice;

create procedure keep_apart_hypertable(relation regclass, nobodys boolean default false) language plpgsql as $$
declare
    name text := (select relname from pg_class where oid = relation);
    own text := 'practice_id = (select this_practice())';
    given record;
begin
    if nobodys then
        own := own || ' or practice_id = 0 and (select this_practice()) is not null';
    end if;
    execute format('create or replace view own.%I as select * from %s where %s with check option', name, relation, own);
    -- What was measured is corrected, never deleted.
    execute format('grant select, insert, update on own.%I to rpm_practice', name);
    for given in
        select attname, pg_get_expr(adbin, adrelid) as said
        from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
        where adrelid = relation
    loop
        execute format('alter view own.%I alter column %I set default %s', name, given.attname, given.said);
    end loop;
end $$;

-- COPY fills a view only through a trigger; it adds as the owner, and looks at the practice first.
create function add_own() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.practice_id is distinct from this_practice() then
        raise insufficient_privilege using message = format('a row of %s is of another practice', tg_table_name);
    end if;
    execute format('insert into public.%I select ($1).*', tg_table_name) using new;
    return new;
end $$;

-- The record's chain goes through all practices: whoever adds a row has to see the last one, whosever it is.
alter function audit_chain() security definer set search_path = public, pg_temp;

do $$
declare
    name text;
begin
    foreach name in array array['alert', 'alert_event', 'audit', 'certificate', 'correction', 'device', 'device_assignment',
        'enrolment', 'escalation_plan', 'gateway_claim', 'gateway_request', 'latest', 'notification', 'patient',
        'patient_limit', 'patient_news', 'reading_key', 'record_change', 'rollup', 'rollup_mark', 'rota_override', 'staff',
        'time_entry', 'timer']
    loop
        call keep_apart(name::regclass);
    end loop;
    foreach name in array array['gateway', 'gateway_event', 'gateway_event_latest', 'gateway_status', 'held'] loop
        call keep_apart(name::regclass, nobodys => true);
    end loop;
    foreach name in array array['reading', 'observation'] loop
        call keep_apart_hypertable(name::regclass);
        execute format('create trigger %I instead of insert on own.%I for each row execute function add_own()',
            name || '_added', name);
    end loop;
end $$;
call keep_apart_hypertable('message', nobodys => true);

-- A practice itself; a session is its person's. To lock a row takes the right to change it.
alter table practice enable row level security;
create policy kept_apart on practice to rpm_practice using (id = (select this_practice()));
grant select, update on practice to rpm_practice;
alter table session enable row level security;
create policy kept_apart on session to rpm_practice using (staff_id in (select id from staff));
grant select, delete on session to rpm_practice;

-- What is no practice's: the signs of life of the pipeline, and which rows of an outbox were settled.
grant select on heartbeat to rpm_practice;
grant select, insert on delivery to rpm_practice;
