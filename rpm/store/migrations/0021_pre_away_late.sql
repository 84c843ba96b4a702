-- A pause may be written down afterwards: when that was, and that it was taken back, decide what a bill knew of it.
alter table patient_pause add column made_at timestamptz;
update patient_pause set made_at = begins_at;
alter table patient_pause alter column made_at set not null;
alter table patient_pause add column withdrawn_at timestamptz;
alter table patient_pause add column withdrawn_by bigint references staff (id);

-- Within what time a practice wants its alerts had and closed; none: the defaults of alerts/review.py.
create table answer_target (
    practice_id integer not null references practice,
    severity smallint not null check (severity between 1 and 3),
    had_minutes integer not null check (had_minutes > 0),
    closed_minutes integer not null check (closed_minutes >= had_minutes),
    set_by bigint not null references staff,
    set_at timestamptz not null,
    primary key (practice_id, severity)
);
call keep_apart('answer_target');
