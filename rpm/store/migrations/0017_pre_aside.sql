-- What may wait because a person said so, each with an end: an alert that is snoozed, a patient who is away.

-- Read only while the alert is acknowledged: whatever opens it again ends the snooze, and so does who takes it.
alter table alert add column snoozed_until timestamptz;
alter table alert add column snooze_reason text;
create index alert_snoozed on alert (snoozed_until) where status = 'acknowledged' and snoozed_until is not null;

-- From `begins_at` to `ends_at` a patient is away. Ended: by a person before that, or by itself.
create table patient_pause (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    patient_id bigint not null references patient,
    reason text not null check (reason in ('hospital', 'travel', 'other')),
    note text not null default '',
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    made_by bigint not null references staff,
    ended_at timestamptz,
    ended_by bigint references staff,
    check (ends_at > begins_at)
);
call keep_apart('patient_pause');
create unique index patient_pause_once on patient_pause (patient_id) where ended_at is null;
create index patient_pause_of_patient on patient_pause (patient_id, begins_at);
