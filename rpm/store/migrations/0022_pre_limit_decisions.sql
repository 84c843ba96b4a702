-- What clinicians decided on limits made of a patient's own usual: each decision with its reason, kept whatever holds later.
create table limit_decision (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice (id),
    patient_id bigint not null references patient (id),
    rule_id text not null,
    rule_version text not null,
    -- An urgent limit is never made of what is usual.
    band text not null check (band in ('routine', 'priority')),
    quantity text not null,
    unit text not null,
    value double precision not null,
    instead_of double precision not null,
    instead_of_layer text not null,
    decision text not null check (decision in ('approved', 'declined')),
    reason text not null,
    decided_by bigint not null references staff (id),
    decided_at timestamptz not null
);
create index limit_decision_of_patient on limit_decision (patient_id, id);
call keep_apart('limit_decision');
