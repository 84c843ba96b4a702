-- What a patient's days and weeks came to, of each quantity and unit: written by a job of ours, from the values as they stand.

-- A day begins at midnight where the patient lives, a week on Monday. Values that are set aside do not count. Each unit
-- apart: as the device sent it, never converted, so that no mean is of two.
create table rollup (
    patient_id bigint not null references patient,
    practice_id integer not null references practice,
    code smallint not null,
    unit smallint not null,
    grain text not null check (grain in ('day', 'week')),
    starts_on date not null,
    count integer not null check (count > 0),
    minimum double precision not null,
    maximum double precision not null,
    mean double precision not null,
    first double precision not null,
    first_at timestamptz not null,
    last double precision not null,
    last_at timestamptz not null,
    primary key (patient_id, grain, code, starts_on, unit)
);

-- Something of a patient changed that was measured on this day (UTC); null: on any. Only ever added to, without a key: two
-- that mark the same day never wait for each other, and a mark that is not committed yet is found by the next turn.
create table rollup_mark (
    patient_id bigint not null,
    practice_id integer not null,
    measured_on date
);

create function mark_patient_for_rollup() returns trigger language plpgsql as $$
begin
    insert into rollup_mark (patient_id, practice_id) values (new.id, new.practice_id);
    return null;
end $$;
create trigger patient_moved_house after update on patient for each row
    when (old.time_zone is distinct from new.time_zone) execute function mark_patient_for_rollup();

-- A zone nobody knows would stop the job for everybody.
alter table patient add constraint patient_time_zone_check check (timezone(time_zone, created_at) is not null);

-- All that was stored before this.
insert into rollup_mark (patient_id, practice_id) select id, practice_id from patient;
