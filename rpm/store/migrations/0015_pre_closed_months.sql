-- A month of billing that somebody closed, and what would be otherwise in it by what is known later.

-- A practice's month as it was reported, exactly: what somebody billed by it can be shown again, byte for byte, whatever is
-- corrected later and however this program counts by then.
create table closed_month (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    month date not null check (extract(day from month) = 1),
    closed_at timestamptz not null,
    closed_by bigint not null references staff,
    -- The report for this program to read again, for a spreadsheet and for other programs; hashed together.
    report bytea not null,
    csv bytea not null,
    json bytea not null,
    sha256 bytea not null check (length(sha256) = 32),
    unique (practice_id, month)
);
create trigger closed_month_append_only before update or delete or truncate on closed_month
    for each statement execute function refuse_change();

-- What one patient's closed month would be by what is known later: before, after, why, and what made the difference.
create table claim_adjustment (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    month_id bigint not null references closed_month,
    patient_id bigint not null references patient,
    episode_id bigint not null,
    noticed_at timestamptz not null,
    -- Whether the codes themselves differ, or only the days and minutes they rest on.
    changes_codes boolean not null,
    before jsonb not null,
    after jsonb not null,
    causes jsonb not null
);
create index claim_adjustment_by_month on claim_adjustment (month_id, episode_id, id);
create trigger claim_adjustment_append_only before update or delete or truncate on claim_adjustment
    for each statement execute function refuse_change();

call keep_apart('closed_month');
call keep_apart('claim_adjustment');
