-- A first reading out of range waits for a second one: until when, what was asked at home, and what came of it.
create table repeat_wait (
    patient_id bigint not null references patient (id),
    reading_no bigint not null,
    practice_id integer not null references practice (id),
    rule_id text not null,
    severity smallint not null,
    measured_at timestamptz not null,
    began_at timestamptz not null,
    until_at timestamptz not null,
    -- When the patient is judged again, whatever has come; null once that was asked for.
    due_at timestamptz,
    -- When it was seen to that somebody at home is asked, and by which request; without one nobody there could be.
    asked_at timestamptz,
    request_id uuid references gateway_request (id),
    ended_at timestamptz,
    outcome text check (outcome in ('confirmed', 'not_confirmed', 'unanswered', 'gone')),
    primary key (patient_id, reading_no),
    check ((ended_at is null) = (outcome is null))
);
call keep_apart('repeat_wait');
create index repeat_wait_due on repeat_wait (due_at) where due_at is not null;
create index repeat_wait_open on repeat_wait (patient_id) where ended_at is null;
create index repeat_wait_to_ask on repeat_wait (began_at) where ended_at is null and asked_at is null;
create index repeat_wait_of_request on repeat_wait (request_id) where request_id is not null;

-- What was asked may be taken back.
alter table gateway_request drop constraint gateway_request_state_check;
alter table gateway_request add constraint gateway_request_state_check
    check (state in ('asked', 'sent', 'shown', 'done', 'expired', 'unknown', 'withdrawn'));
