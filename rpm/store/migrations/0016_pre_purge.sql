-- One patient's record may be let go of: what was measured and said of it, not what a bill rests on.
create table purge (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice (id),
    patient_id bigint not null unique references patient (id),
    reason text not null check (reason <> ''),
    purged_by bigint not null references staff (id),
    begun_at timestamptz not null,
    -- What its readings are called: what is left of them is in no comparison with the messages.
    names uuid[] not null default '{}',
    -- Null while it is not finished.
    certificate jsonb
);
call keep_apart('purge');

-- What is appended stays as it was written, but for what somebody's body said: a purge takes that out of these two.
create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and tg_table_name in ('alert_event', 'record_change')
        and current_setting('rpm.purge', true) = 'on' then
        return null;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
