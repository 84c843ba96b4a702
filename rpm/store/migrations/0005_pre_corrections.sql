-- A reading that was stored and should not have been, or not as this person's: who changed what, from whom to whom, and why.

-- Append-only: the last row of a reading says how it stands, all of them how it came to that.
create table correction (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    reading_id uuid not null,
    kind text not null check (kind in ('void', 'restore', 'move')),
    patient_before bigint not null references patient,
    patient_after bigint not null references patient,
    reason text not null check (reason <> ''),
    corrected_by bigint not null references staff,
    corrected_at timestamptz not null,
    check ((kind = 'move') = (patient_before <> patient_after))
);
create index correction_by_reading on correction (reading_id, id);
