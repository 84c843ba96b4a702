-- What judging a patient takes besides readings, as somebody entered it. Never deleted: what was entered by mistake is withdrawn.
create table patient_fact (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice (id),
    patient_id bigint not null references patient (id),
    kind text not null check (kind in ('dry_weight', 'pregnancy')),
    -- A dry weight, in the unit in which it was entered.
    value double precision,
    unit text,
    -- Days of the patient's zone, both included; a pregnancy ends with the day of the birth.
    from_on date not null,
    until_on date,
    entered_by bigint not null references staff (id),
    entered_at timestamptz not null,
    ended_by bigint references staff (id),
    withdrawn_by bigint references staff (id),
    withdrawn_at timestamptz,
    constraint patient_fact_weight check (kind = 'pregnancy' and value is null and unit is null
        or kind = 'dry_weight' and value > 0 and value < 1000 and unit is not null),
    constraint patient_fact_days check (from_on > '1900-01-01' and from_on < '2200-01-01'
        and (until_on is null or until_on >= from_on and until_on < '2200-01-01')),
    constraint patient_fact_one_at_a_time exclude using gist (patient_id with =, kind with =,
        daterange(from_on, until_on, '[]') with &&) where (withdrawn_at is null)
);
call keep_apart('patient_fact');
