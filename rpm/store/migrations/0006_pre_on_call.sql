-- Who is called, as a practice itself keeps it: its own plan in place of the installation's file, and who stands in for whom.

-- Every plan a practice ever had: the newest counts. `text` is the TOML a person signed off, as written.
create table escalation_plan (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    text text not null,
    note text not null check (note <> ''),
    saved_by bigint not null references staff,
    saved_at timestamptz not null
);
create index escalation_plan_of_practice on escalation_plan (practice_id, id desc);

-- From `begins_at` to `ends_at` somebody is on duty, too, or in place of another; nobody in place of another: away.
create table rota_override (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    rota text not null,
    begins_at timestamptz not null,
    ends_at timestamptz not null,
    who bigint references staff,
    instead_of bigint references staff,
    reason text not null,
    made_by bigint not null references staff,
    made_at timestamptz not null,
    withdrawn_by bigint references staff,
    withdrawn_at timestamptz,
    check (ends_at > begins_at),
    check (who is not null or instead_of is not null),
    check (who is distinct from instead_of)
);
create index rota_override_of_practice on rota_override (practice_id, ends_at) where withdrawn_at is null;
