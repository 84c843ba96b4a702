-- Generated from a migrated database (python -m rpm.store.schema). Do not edit: write a migration.


do $$ begin
    if not exists (select from pg_roles where rolname = 'rpm_practice') then create role rpm_practice nologin; end if;
end $$;

create schema own;

create extension if not exists timescaledb;

create extension if not exists btree_gist;

CREATE OR REPLACE FUNCTION public.add_own()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
    if new.practice_id is distinct from this_practice() then
        raise insufficient_privilege using message = format('a row of %s is of another practice', tg_table_name);
    end if;
    execute format('insert into public.%I select ($1).*', tg_table_name) using new;
    return new;
end $function$;

CREATE OR REPLACE FUNCTION public.audit_chain()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
    -- One writer at a time, or two rows would name the same predecessor.
    perform pg_advisory_xact_lock(20260001);
    -- Numbered under the lock: the order of numbers is the order of the chain.
    new.id := nextval(pg_get_serial_sequence('audit', 'id'));
    select hash into new.previous_hash from audit order by id desc limit 1;
    new.hash := sha256(convert_to(concat_ws('|', new.id, extract(epoch from new.at), new.practice_id, new.staff_id,
        new.patient_id, new.action, new.detail::text, encode(coalesce(new.previous_hash, ''), 'hex')), 'UTF8'));
    return new;
end $function$;

CREATE OR REPLACE PROCEDURE public.keep_apart(IN relation regclass, IN nobodys boolean DEFAULT false)
 LANGUAGE plpgsql
AS $procedure$
declare
    -- The sub-select is evaluated once a statement, not once a row.
    own text := 'practice_id = (select this_practice())';
begin
    if nobodys then
        own := own || ' or practice_id = 0 and (select this_practice()) is not null';
    end if;
    execute format('alter table %s enable row level security', relation);
    execute format('create policy kept_apart on %s to rpm_practice using (%s) with check (%s)', relation, own, own);
    execute format('grant select, insert, update, delete on %s to rpm_practice', relation);
end $procedure$;

CREATE OR REPLACE PROCEDURE public.keep_apart_hypertable(IN relation regclass, IN nobodys boolean DEFAULT false)
 LANGUAGE plpgsql
AS $procedure$
declare
    name text := (select relname from pg_class where oid = relation);
    own text := 'practice_id = (select this_practice())';
    given record;
begin
    if nobodys then
        own := own || ' or practice_id = 0 and (select this_practice()) is not null';
    end if;
    execute format('create or replace view own.%I as select * from %s where %s with check option', name, relation, own);
    -- What was measured is corrected, never deleted.
    execute format('grant select, insert, update on own.%I to rpm_practice', name);
    for given in
        select attname, pg_get_expr(adbin, adrelid) as said
        from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
        where adrelid = relation
    loop
        execute format('alter view own.%I alter column %I set default %s', name, given.attname, given.said);
    end loop;
end $procedure$;

CREATE OR REPLACE FUNCTION public.mark_patient_for_rollup()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    insert into rollup_mark (patient_id, practice_id) values (new.id, new.practice_id);
    return null;
end $function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if tg_op = 'UPDATE' and tg_table_name in ('alert_event', 'record_change')
        and current_setting('rpm.purge', true) = 'on' then
        return null;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
end $function$;

CREATE OR REPLACE FUNCTION public.remember_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    -- What somebody measured stands in the message itself.
    insert into record_change (practice_id, relation, before, after)
    values (coalesce(new.practice_id, old.practice_id), tg_table_name, to_jsonb(old) - 'item' - 'raw',
        to_jsonb(new) - 'item' - 'raw');
    return null;
end $function$;

CREATE OR REPLACE FUNCTION public.this_practice()
 RETURNS integer
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(current_setting('rpm.practice', true), '')::integer $function$;

create table alert (
    id bigint not null generated always as identity,
    public_id uuid not null default gen_random_uuid(),
    practice_id integer not null,
    patient_id bigint,
    held_id bigint,
    kind text not null,
    rule_id text not null,
    rule_version text not null,
    band text not null,
    severity smallint not null,
    status text not null default 'open'::text,
    confirmed boolean not null default true,
    late boolean not null default false,
    reason text not null,
    evidence jsonb not null,
    measured_at timestamp with time zone not null,
    opened_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    back_in_range_at timestamp with time zone,
    acknowledged_at timestamp with time zone,
    acknowledged_by bigint,
    closed_at timestamp with time zone,
    closed_by bigint,
    disposition text,
    note text,
    step smallint not null default 0,
    next_step_at timestamp with time zone,
    armed smallint not null default 0,
    version integer not null default 1,
    snoozed_until timestamp with time zone,
    snooze_reason text,
    constraint alert_kind_check CHECK ((kind = ANY (ARRAY['clinical'::text, 'verify'::text, 'review'::text, 'technical'::text]))),
    constraint alert_pkey PRIMARY KEY (id),
    constraint alert_public_id_key UNIQUE (public_id),
    constraint alert_severity_check CHECK (((severity >= 1) AND (severity <= 3))),
    constraint alert_status_check CHECK ((status = ANY (ARRAY['open'::text, 'acknowledged'::text, 'closed'::text])))
);

create table alert_event (
    id bigint not null generated always as identity,
    practice_id integer not null,
    alert_id bigint not null,
    at timestamp with time zone not null,
    kind text not null,
    staff_id bigint,
    reason text not null,
    detail jsonb not null default '{}'::jsonb,
    constraint alert_event_pkey PRIMARY KEY (id)
);

create table answer_target (
    practice_id integer not null,
    severity smallint not null,
    had_minutes integer not null,
    closed_minutes integer not null,
    set_by bigint not null,
    set_at timestamp with time zone not null,
    constraint answer_target_check CHECK ((closed_minutes >= had_minutes)),
    constraint answer_target_had_minutes_check CHECK ((had_minutes > 0)),
    constraint answer_target_pkey PRIMARY KEY (practice_id, severity),
    constraint answer_target_severity_check CHECK (((severity >= 1) AND (severity <= 3)))
);

create table audit (
    id bigint not null generated always as identity,
    at timestamp with time zone not null,
    practice_id integer not null,
    staff_id bigint,
    patient_id bigint,
    action text not null,
    detail jsonb not null default '{}'::jsonb,
    previous_hash bytea,
    hash bytea,
    constraint audit_pkey PRIMARY KEY (id)
);

create table certificate (
    serial text not null,
    authority text not null,
    practice_id integer not null,
    name text not null,
    role text not null,
    public_key bytea not null,
    pem text not null,
    issued_at timestamp with time zone not null,
    not_after timestamp with time zone not null,
    seen_at timestamp with time zone,
    granted_at timestamp with time zone,
    revoked_at timestamp with time zone,
    revoked_why text,
    cut_at timestamp with time zone,
    constraint certificate_authority_check CHECK ((authority = ANY (ARRAY['gateways'::text, 'services'::text]))),
    constraint certificate_check CHECK ((not_after > issued_at)),
    constraint certificate_check1 CHECK (((revoked_at IS NULL) = (revoked_why IS NULL))),
    constraint certificate_pkey PRIMARY KEY (serial),
    constraint certificate_revoked_why_check CHECK ((revoked_why = ANY (ARRAY['revoked'::text, 'replaced'::text, 'superseded'::text]))),
    constraint certificate_role_check CHECK ((role = ANY (ARRAY['gateway'::text, 'worker'::text, 'guard'::text])))
);

create table claim_adjustment (
    id bigint not null generated always as identity,
    practice_id integer not null,
    month_id bigint not null,
    patient_id bigint not null,
    episode_id bigint not null,
    noticed_at timestamp with time zone not null,
    changes_codes boolean not null,
    before jsonb not null,
    after jsonb not null,
    causes jsonb not null,
    constraint claim_adjustment_pkey PRIMARY KEY (id)
);

create table closed_month (
    id bigint not null generated always as identity,
    practice_id integer not null,
    month date not null,
    closed_at timestamp with time zone not null,
    closed_by bigint not null,
    report bytea not null,
    csv bytea not null,
    "json" bytea not null,
    sha256 bytea not null,
    constraint closed_month_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric)),
    constraint closed_month_pkey PRIMARY KEY (id),
    constraint closed_month_practice_id_month_key UNIQUE (practice_id, month),
    constraint closed_month_sha256_check CHECK ((length(sha256) = 32))
);

create table contact (
    id bigint not null generated always as identity,
    practice_id integer not null,
    staff_id bigint not null,
    channel text not null,
    address text not null,
    "position" smallint not null default 1,
    verified_at timestamp with time zone,
    code_hash bytea,
    code_sent_at timestamp with time zone,
    code_tries smallint not null default 0,
    created_at timestamp with time zone not null,
    removed_at timestamp with time zone,
    stopped_at timestamp with time zone,
    constraint contact_address_check CHECK ((address <> ''::text)),
    constraint contact_channel_check CHECK ((channel = ANY (ARRAY['email'::text, 'sms'::text, 'voice'::text, 'chat'::text, 'push'::text, 'webhook'::text]))),
    constraint contact_pkey PRIMARY KEY (id)
);

create table correction (
    id bigint not null generated always as identity,
    practice_id integer not null,
    reading_id uuid not null,
    kind text not null,
    patient_before bigint not null,
    patient_after bigint not null,
    reason text not null,
    corrected_by bigint not null,
    corrected_at timestamp with time zone not null,
    constraint correction_check CHECK (((kind = 'move'::text) = (patient_before <> patient_after))),
    constraint correction_kind_check CHECK ((kind = ANY (ARRAY['void'::text, 'restore'::text, 'move'::text]))),
    constraint correction_pkey PRIMARY KEY (id),
    constraint correction_reason_check CHECK ((reason <> ''::text))
);

create table delivery (
    gateway_id text not null,
    epoch text not null,
    seq bigint not null,
    reading_id uuid,
    outcome text not null,
    constraint delivery_outcome_check CHECK ((outcome = ANY (ARRAY['stored'::text, 'duplicate'::text, 'unassigned'::text, 'quarantined'::text]))),
    constraint delivery_pkey PRIMARY KEY (gateway_id, epoch, seq)
);

create table device (
    id bigint not null generated always as identity,
    practice_id integer not null,
    address text not null,
    kind text not null,
    label text not null,
    manufacturer text,
    model text,
    serial text,
    firmware text,
    single_person boolean not null default true,
    created_at timestamp with time zone not null,
    seen_at timestamp with time zone,
    gateway_id text,
    constraint device_pkey PRIMARY KEY (id),
    constraint device_practice_id_address_key UNIQUE (practice_id, address)
);

create table device_assignment (
    id bigint not null generated always as identity,
    practice_id integer not null,
    device_id bigint not null,
    user_slot smallint,
    patient_id bigint not null,
    during tstzrange not null,
    assigned_by bigint,
    returned_by bigint,
    pending boolean not null default false,
    confirmed_at timestamp with time zone,
    confirmed_by bigint,
    confirmed_how text,
    confirmed_reading uuid,
    wiped_at timestamp with time zone,
    wiped_by bigint,
    wiped_how text,
    constraint device_assignment_check CHECK (((wiped_at IS NULL) OR ((upper(during) <= wiped_at) AND (wiped_by IS NOT NULL) AND (wiped_how IS NOT NULL)))),
    constraint device_assignment_confirmed_how_check CHECK ((confirmed_how = ANY (ARRAY['patient'::text, 'second person'::text, 'claim'::text]))),
    constraint device_assignment_device_id_coalesce_during_excl EXCLUDE USING gist (device_id WITH =, COALESCE((user_slot)::integer, '-1'::integer) WITH =, during WITH &&),
    constraint device_assignment_during_check CHECK ((NOT isempty(during))),
    constraint device_assignment_pkey PRIMARY KEY (id),
    constraint device_assignment_user_slot_check CHECK (((user_slot >= 0) AND (user_slot <= 254))),
    constraint device_assignment_wiped_how_check CHECK ((wiped_how = ANY (ARRAY['memory cleared'::text, 'factory reset'::text, 'keeps no memory'::text])))
);

create table enrolment (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    established_patient boolean not null,
    consented_at timestamp with time zone,
    ordered_at timestamp with time zone,
    ordered_by text,
    condition_icd10 text,
    set_up_at timestamp with time zone,
    payer_profile text not null default 'medicare_ffs'::text,
    started_at timestamp with time zone not null,
    ended_at timestamp with time zone,
    set_up_reading uuid,
    claimed_anchor date,
    anchor_claimed_at timestamp with time zone,
    constraint enrolment_anchor_claimed CHECK (((claimed_anchor IS NULL) = (anchor_claimed_at IS NULL))),
    constraint enrolment_patient_id_tstzrange_excl EXCLUDE USING gist (patient_id WITH =, tstzrange(started_at, ended_at) WITH &&),
    constraint enrolment_pkey PRIMARY KEY (id)
);

create table escalation_plan (
    id bigint not null generated always as identity,
    practice_id integer not null,
    text text not null,
    note text not null,
    saved_by bigint not null,
    saved_at timestamp with time zone not null,
    constraint escalation_plan_note_check CHECK ((note <> ''::text)),
    constraint escalation_plan_pkey PRIMARY KEY (id)
);

create table gateway (
    id text not null,
    practice_id integer not null,
    label text not null,
    created_at timestamp with time zone not null,
    retired_at timestamp with time zone,
    constraint gateway_pkey PRIMARY KEY (id)
);

create table gateway_claim (
    id bigint not null generated always as identity,
    practice_id integer not null,
    gateway_id text not null,
    code_hash bytea not null,
    opened_by bigint not null,
    opened_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    withdrawn_at timestamp with time zone,
    used_at timestamp with time zone,
    serial text,
    constraint gateway_claim_check CHECK ((expires_at > opened_at)),
    constraint gateway_claim_check1 CHECK (((used_at IS NULL) = (serial IS NULL))),
    constraint gateway_claim_code_hash_key UNIQUE (code_hash),
    constraint gateway_claim_pkey PRIMARY KEY (id)
);

create table gateway_event (
    id bigint not null generated always as identity,
    practice_id integer not null,
    gateway_id text not null,
    at timestamp with time zone not null,
    heard_at timestamp with time zone not null,
    name text not null,
    address text,
    value text,
    request_id text,
    constraint gateway_event_gateway_id_at_name_address_request_id_key UNIQUE NULLS NOT DISTINCT (gateway_id, at, name, address, request_id),
    constraint gateway_event_pkey PRIMARY KEY (id)
);

create table gateway_event_latest (
    gateway_id text not null,
    name text not null,
    address text not null default ''::text,
    practice_id integer not null,
    at timestamp with time zone not null,
    heard_at timestamp with time zone not null,
    value text,
    constraint gateway_event_latest_pkey PRIMARY KEY (gateway_id, name, address)
);

create table gateway_request (
    id uuid not null default gen_random_uuid(),
    practice_id integer not null,
    gateway_id text not null,
    patient_id bigint,
    kind text not null,
    arguments jsonb not null,
    asked_by bigint,
    asked_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    state text not null default 'asked'::text,
    sends integer not null default 0,
    next_send_at timestamp with time zone,
    answered_at timestamp with time zone,
    constraint gateway_request_check CHECK ((expires_at > asked_at)),
    constraint gateway_request_pkey PRIMARY KEY (id),
    constraint gateway_request_state_check CHECK ((state = ANY (ARRAY['asked'::text, 'sent'::text, 'shown'::text, 'done'::text, 'expired'::text, 'unknown'::text, 'withdrawn'::text])))
);

create table gateway_status (
    gateway_id text not null,
    practice_id integer not null,
    heard_at timestamp with time zone not null,
    kind text not null,
    sent_at timestamp with time zone,
    version text not null,
    uptime_s double precision not null,
    epoch text,
    outbox_depth integer not null,
    outbox_oldest_s double precision not null,
    outbox_dropped bigint not null,
    buffer_days double precision,
    adapter text not null,
    recoveries integer not null default 0,
    clock text,
    rssi_dbm integer,
    certificate_not_after timestamp with time zone,
    constraint gateway_status_pkey PRIMARY KEY (gateway_id)
);

create table heartbeat (
    stage text not null,
    beat_at timestamp with time zone not null,
    detail jsonb not null default '{}'::jsonb,
    constraint heartbeat_pkey PRIMARY KEY (stage)
);

create table held (
    id bigint not null generated always as identity,
    practice_id integer not null,
    state text not null default 'held'::text,
    why text not null,
    reason text not null,
    pointer text not null default ''::text,
    item jsonb,
    raw bytea,
    topic text not null,
    gateway_id text,
    epoch text,
    seq bigint,
    reading_id uuid,
    device_id bigint,
    patient_id bigint,
    measured_at timestamp with time zone,
    held_at timestamp with time zone not null,
    judged_at timestamp with time zone,
    decided_by bigint,
    decided_at timestamp with time zone,
    decision text,
    settled_no bigint,
    message_place smallint,
    item_place smallint,
    constraint held_pkey PRIMARY KEY (id),
    constraint held_state_check CHECK ((state = ANY (ARRAY['held'::text, 'released'::text, 'claimed'::text, 'void'::text, 'replayed'::text]))),
    constraint held_why_check CHECK ((why = ANY (ARRAY['quarantined'::text, 'unassigned'::text])))
);

create table latest (
    patient_id bigint not null,
    code smallint not null,
    practice_id integer not null,
    measured_at timestamp with time zone not null,
    value double precision not null,
    unit smallint not null,
    reading_no bigint not null,
    constraint latest_pkey PRIMARY KEY (patient_id, code)
);

create table limit_decision (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    rule_id text not null,
    rule_version text not null,
    band text not null,
    quantity text not null,
    unit text not null,
    value double precision not null,
    instead_of double precision not null,
    instead_of_layer text not null,
    decision text not null,
    reason text not null,
    decided_by bigint not null,
    decided_at timestamp with time zone not null,
    constraint limit_decision_band_check CHECK ((band = ANY (ARRAY['routine'::text, 'priority'::text]))),
    constraint limit_decision_decision_check CHECK ((decision = ANY (ARRAY['approved'::text, 'declined'::text]))),
    constraint limit_decision_pkey PRIMARY KEY (id)
);

create table login_failure (
    key bytea not null,
    count integer not null,
    last_at timestamp with time zone not null,
    constraint login_failure_pkey PRIMARY KEY (key)
);

create table message (
    settled_no bigint not null,
    place smallint not null,
    practice_id integer not null,
    received_at timestamp with time zone not null,
    topic text not null,
    payload bytea compression lz4 not null,
    sha256 bytea not null,
    constraint message_sha256_check CHECK ((length(sha256) = 32))
);

select create_hypertable('message', by_range('received_at', interval '7 days'), create_default_indexes => false);

create table notification (
    id bigint not null generated always as identity,
    practice_id integer not null,
    alert_id bigint not null,
    step smallint not null,
    recipient_id bigint not null,
    channel text not null,
    address text not null,
    severity smallint not null,
    key text not null,
    state text not null default 'pending'::text,
    attempts smallint not null default 0,
    reason text not null,
    answer text,
    created_at timestamp with time zone not null,
    due_at timestamp with time zone not null,
    lease_until timestamp with time zone,
    sent_at timestamp with time zone,
    contact_id bigint,
    token text,
    code text,
    provider text,
    delivered_at timestamp with time zone,
    told_in bigint,
    keys_heard smallint not null default 0,
    reports jsonb not null default '[]'::jsonb,
    message_ids text[] not null default '{}'::text[],
    constraint notification_key_key UNIQUE (key),
    constraint notification_pkey PRIMARY KEY (id),
    constraint notification_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'cancelled'::text]))),
    constraint notification_token_key UNIQUE (token)
);

create table observation (
    measured_at timestamp with time zone not null,
    value double precision not null,
    reading_no bigint not null,
    patient_id bigint not null,
    practice_id integer not null,
    code smallint not null,
    unit smallint not null,
    quality smallint not null
);

select create_hypertable('observation', by_range('measured_at', interval '7 days'), create_default_indexes => false);

create table patient (
    id bigint not null generated always as identity,
    public_id uuid not null default gen_random_uuid(),
    practice_id integer not null,
    given_name text not null,
    family_name text not null,
    birth_date date not null,
    phone text,
    language text not null default 'en'::text,
    time_zone text not null,
    program text not null default 'standard'::text,
    synthetic boolean not null default false,
    created_at timestamp with time zone not null,
    constraint patient_pkey PRIMARY KEY (id),
    constraint patient_public_id_key UNIQUE (public_id),
    constraint patient_time_zone_check CHECK ((timezone(time_zone, created_at) IS NOT NULL))
);

create table patient_fact (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    kind text not null,
    value double precision,
    unit text,
    from_on date not null,
    until_on date,
    entered_by bigint not null,
    entered_at timestamp with time zone not null,
    ended_by bigint,
    withdrawn_by bigint,
    withdrawn_at timestamp with time zone,
    constraint patient_fact_days CHECK (((from_on > '1900-01-01'::date) AND (from_on < '2200-01-01'::date) AND ((until_on IS NULL) OR ((until_on >= from_on) AND (until_on < '2200-01-01'::date))))),
    constraint patient_fact_kind_check CHECK ((kind = ANY (ARRAY['dry_weight'::text, 'pregnancy'::text]))),
    constraint patient_fact_one_at_a_time EXCLUDE USING gist (patient_id WITH =, kind WITH =, daterange(from_on, until_on, '[]'::text) WITH &&) WHERE ((withdrawn_at IS NULL)),
    constraint patient_fact_pkey PRIMARY KEY (id),
    constraint patient_fact_weight CHECK ((((kind = 'pregnancy'::text) AND (value IS NULL) AND (unit IS NULL)) OR ((kind = 'dry_weight'::text) AND (value > (0)::double precision) AND (value < (1000)::double precision) AND (unit IS NOT NULL))))
);

create table patient_limit (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    rule_id text not null,
    band text not null,
    quantity text not null,
    value double precision not null,
    unit text not null,
    approved_by text not null,
    approved_at timestamp with time zone not null,
    constraint patient_limit_patient_id_rule_id_band_quantity_unit_key UNIQUE (patient_id, rule_id, band, quantity, unit),
    constraint patient_limit_pkey PRIMARY KEY (id)
);

create table patient_news (
    patient_id bigint not null,
    practice_id integer not null,
    since timestamp with time zone not null,
    count integer not null default 1,
    constraint patient_news_pkey PRIMARY KEY (patient_id)
);

create table patient_pause (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    reason text not null,
    note text not null default ''::text,
    begins_at timestamp with time zone not null,
    ends_at timestamp with time zone not null,
    made_by bigint not null,
    ended_at timestamp with time zone,
    ended_by bigint,
    made_at timestamp with time zone not null,
    withdrawn_at timestamp with time zone,
    withdrawn_by bigint,
    constraint patient_pause_check CHECK ((ends_at > begins_at)),
    constraint patient_pause_pkey PRIMARY KEY (id),
    constraint patient_pause_reason_check CHECK ((reason = ANY (ARRAY['hospital'::text, 'travel'::text, 'other'::text])))
);

create table practice (
    id integer not null generated by default as identity,
    name text not null,
    time_zone text not null,
    created_at timestamp with time zone not null,
    constraint practice_pkey PRIMARY KEY (id)
);

create table purge (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    reason text not null,
    purged_by bigint not null,
    begun_at timestamp with time zone not null,
    names uuid[] not null default '{}'::uuid[],
    certificate jsonb,
    constraint purge_patient_id_key UNIQUE (patient_id),
    constraint purge_pkey PRIMARY KEY (id),
    constraint purge_reason_check CHECK ((reason <> ''::text))
);

create table reading (
    reading_no bigint not null,
    reading_id uuid not null,
    practice_id integer not null,
    patient_id bigint not null,
    device_id bigint not null,
    gateway_id text not null,
    epoch text not null,
    seq bigint not null,
    kind text not null,
    characteristic text not null,
    user_slot smallint,
    measured_at timestamp with time zone not null,
    device_time text,
    time_source text not null,
    clock_offset_s double precision,
    sequence_number integer,
    received_at timestamp with time zone not null,
    admitted_at timestamp with time zone not null,
    backfill boolean not null,
    late boolean not null,
    automatic boolean not null default true,
    status text[] not null,
    flags text[] not null,
    context jsonb not null,
    raw bytea not null,
    raw_context bytea,
    voided_at timestamp with time zone,
    released_by bigint,
    uncertainty_s double precision,
    settled_no bigint,
    message_place smallint,
    item_place smallint,
    constraint reading_uncertainty_s_check CHECK ((uncertainty_s >= (0)::double precision))
);

select create_hypertable('reading', by_range('measured_at', interval '7 days'), create_default_indexes => false);

create table reading_key (
    reading_id uuid not null,
    reading_no bigint not null generated always as identity,
    practice_id integer not null,
    constraint reading_key_pkey PRIMARY KEY (reading_id)
);

create table record_change (
    no bigint not null generated always as identity,
    transaction xid8 not null default pg_current_xact_id(),
    practice_id integer not null,
    relation text not null,
    before jsonb,
    after jsonb,
    constraint record_change_pkey PRIMARY KEY (no),
    constraint record_change_relation_check CHECK ((relation = ANY (ARRAY['gateway'::text, 'device'::text, 'device_assignment'::text, 'held'::text, 'correction'::text])))
);

create table repeat_wait (
    patient_id bigint not null,
    reading_no bigint not null,
    practice_id integer not null,
    rule_id text not null,
    severity smallint not null,
    measured_at timestamp with time zone not null,
    began_at timestamp with time zone not null,
    until_at timestamp with time zone not null,
    due_at timestamp with time zone,
    asked_at timestamp with time zone,
    request_id uuid,
    ended_at timestamp with time zone,
    outcome text,
    constraint repeat_wait_check CHECK (((ended_at IS NULL) = (outcome IS NULL))),
    constraint repeat_wait_outcome_check CHECK ((outcome = ANY (ARRAY['confirmed'::text, 'not_confirmed'::text, 'unanswered'::text, 'gone'::text]))),
    constraint repeat_wait_pkey PRIMARY KEY (patient_id, reading_no)
);

create table retention (
    id bigint not null generated always as identity,
    relation text not null,
    dropped_before timestamp with time zone not null,
    constraint retention_pkey PRIMARY KEY (id),
    constraint retention_relation_check CHECK ((relation = ANY (ARRAY['message'::text, 'reading'::text])))
);

create table revocation_list (
    authority text not null,
    number bigint not null,
    issued_at timestamp with time zone not null,
    next_update timestamp with time zone not null,
    serials text[] not null,
    pem text not null,
    constraint revocation_list_authority_check CHECK ((authority = ANY (ARRAY['gateways'::text, 'services'::text]))),
    constraint revocation_list_pkey PRIMARY KEY (authority, number)
);

create table rollup (
    patient_id bigint not null,
    practice_id integer not null,
    code smallint not null,
    unit smallint not null,
    grain text not null,
    starts_on date not null,
    count integer not null,
    minimum double precision not null,
    maximum double precision not null,
    mean double precision not null,
    first double precision not null,
    first_at timestamp with time zone not null,
    last double precision not null,
    last_at timestamp with time zone not null,
    constraint rollup_count_check CHECK ((count > 0)),
    constraint rollup_grain_check CHECK ((grain = ANY (ARRAY['day'::text, 'week'::text]))),
    constraint rollup_pkey PRIMARY KEY (patient_id, grain, code, starts_on, unit)
);

create table rollup_mark (
    patient_id bigint not null,
    practice_id integer not null,
    measured_on date
);

create table rota_override (
    id bigint not null generated always as identity,
    practice_id integer not null,
    rota text not null,
    begins_at timestamp with time zone not null,
    ends_at timestamp with time zone not null,
    who bigint,
    instead_of bigint,
    reason text not null,
    made_by bigint not null,
    made_at timestamp with time zone not null,
    withdrawn_by bigint,
    withdrawn_at timestamp with time zone,
    constraint rota_override_check CHECK ((ends_at > begins_at)),
    constraint rota_override_check1 CHECK (((who IS NOT NULL) OR (instead_of IS NOT NULL))),
    constraint rota_override_check2 CHECK ((who IS DISTINCT FROM instead_of)),
    constraint rota_override_pkey PRIMARY KEY (id)
);

create table session (
    token_hash bytea not null,
    staff_id bigint not null,
    csrf_token text not null,
    created_at timestamp with time zone not null,
    seen_at timestamp with time zone not null,
    expires_at timestamp with time zone not null,
    constraint session_pkey PRIMARY KEY (token_hash)
);

create table staff (
    id bigint not null generated always as identity,
    practice_id integer not null,
    username text not null,
    display_name text not null,
    role text not null,
    email text,
    password_hash text not null,
    active boolean not null default true,
    created_at timestamp with time zone not null,
    constraint staff_pkey PRIMARY KEY (id),
    constraint staff_role_check CHECK ((role = ANY (ARRAY['nurse'::text, 'support'::text, 'biller'::text, 'admin'::text]))),
    constraint staff_username_check CHECK ((username = lower(username))),
    constraint staff_username_key UNIQUE (username)
);

create table time_entry (
    id bigint not null generated always as identity,
    practice_id integer not null,
    patient_id bigint not null,
    staff_id bigint not null,
    alert_id bigint,
    started_at timestamp with time zone not null,
    ended_at timestamp with time zone not null,
    service text not null default 'RPM'::text,
    activity text not null,
    interactive boolean not null,
    manual boolean not null default false,
    note text not null default ''::text,
    reverses bigint,
    created_at timestamp with time zone not null,
    constraint time_entry_check CHECK ((ended_at > started_at)),
    constraint time_entry_pkey PRIMARY KEY (id),
    constraint time_entry_reverses_key UNIQUE (reverses)
);

create table timer (
    staff_id bigint not null,
    practice_id integer not null,
    patient_id bigint not null,
    alert_id bigint,
    started_at timestamp with time zone not null,
    constraint timer_pkey PRIMARY KEY (staff_id)
);

alter table alert add constraint alert_acknowledged_by_fkey FOREIGN KEY (acknowledged_by) REFERENCES staff(id);

alter table alert add constraint alert_closed_by_fkey FOREIGN KEY (closed_by) REFERENCES staff(id);

alter table alert add constraint alert_held_id_fkey FOREIGN KEY (held_id) REFERENCES held(id);

alter table alert add constraint alert_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table alert add constraint alert_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table alert_event add constraint alert_event_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id);

alter table alert_event add constraint alert_event_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table alert_event add constraint alert_event_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(id);

alter table answer_target add constraint answer_target_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table answer_target add constraint answer_target_set_by_fkey FOREIGN KEY (set_by) REFERENCES staff(id);

alter table audit add constraint audit_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table certificate add constraint certificate_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table claim_adjustment add constraint claim_adjustment_month_id_fkey FOREIGN KEY (month_id) REFERENCES closed_month(id);

alter table claim_adjustment add constraint claim_adjustment_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table claim_adjustment add constraint claim_adjustment_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table closed_month add constraint closed_month_closed_by_fkey FOREIGN KEY (closed_by) REFERENCES staff(id);

alter table closed_month add constraint closed_month_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table contact add constraint contact_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table contact add constraint contact_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(id);

alter table correction add constraint correction_corrected_by_fkey FOREIGN KEY (corrected_by) REFERENCES staff(id);

alter table correction add constraint correction_patient_after_fkey FOREIGN KEY (patient_after) REFERENCES patient(id);

alter table correction add constraint correction_patient_before_fkey FOREIGN KEY (patient_before) REFERENCES patient(id);

alter table correction add constraint correction_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table device add constraint device_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id);

alter table device add constraint device_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table device_assignment add constraint device_assignment_assigned_by_fkey FOREIGN KEY (assigned_by) REFERENCES staff(id);

alter table device_assignment add constraint device_assignment_confirmed_by_fkey FOREIGN KEY (confirmed_by) REFERENCES staff(id);

alter table device_assignment add constraint device_assignment_device_id_fkey FOREIGN KEY (device_id) REFERENCES device(id);

alter table device_assignment add constraint device_assignment_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table device_assignment add constraint device_assignment_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table device_assignment add constraint device_assignment_returned_by_fkey FOREIGN KEY (returned_by) REFERENCES staff(id);

alter table device_assignment add constraint device_assignment_wiped_by_fkey FOREIGN KEY (wiped_by) REFERENCES staff(id);

alter table enrolment add constraint enrolment_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table enrolment add constraint enrolment_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table escalation_plan add constraint escalation_plan_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table escalation_plan add constraint escalation_plan_saved_by_fkey FOREIGN KEY (saved_by) REFERENCES staff(id);

alter table gateway add constraint gateway_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table gateway_claim add constraint gateway_claim_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id);

alter table gateway_claim add constraint gateway_claim_opened_by_fkey FOREIGN KEY (opened_by) REFERENCES staff(id);

alter table gateway_claim add constraint gateway_claim_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table gateway_claim add constraint gateway_claim_serial_fkey FOREIGN KEY (serial) REFERENCES certificate(serial);

alter table gateway_event add constraint gateway_event_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id);

alter table gateway_event add constraint gateway_event_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table gateway_event_latest add constraint gateway_event_latest_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id);

alter table gateway_event_latest add constraint gateway_event_latest_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table gateway_request add constraint gateway_request_asked_by_fkey FOREIGN KEY (asked_by) REFERENCES staff(id);

alter table gateway_request add constraint gateway_request_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id);

alter table gateway_request add constraint gateway_request_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table gateway_request add constraint gateway_request_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table gateway_status add constraint gateway_status_gateway_id_fkey FOREIGN KEY (gateway_id) REFERENCES gateway(id);

alter table gateway_status add constraint gateway_status_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table held add constraint held_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES staff(id);

alter table held add constraint held_device_id_fkey FOREIGN KEY (device_id) REFERENCES device(id);

alter table held add constraint held_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table held add constraint held_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table limit_decision add constraint limit_decision_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES staff(id);

alter table limit_decision add constraint limit_decision_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table limit_decision add constraint limit_decision_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table notification add constraint notification_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id);

alter table notification add constraint notification_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES contact(id);

alter table notification add constraint notification_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table notification add constraint notification_recipient_id_fkey FOREIGN KEY (recipient_id) REFERENCES staff(id);

alter table notification add constraint notification_told_in_fkey FOREIGN KEY (told_in) REFERENCES notification(id);

alter table patient add constraint patient_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table patient_fact add constraint patient_fact_ended_by_fkey FOREIGN KEY (ended_by) REFERENCES staff(id);

alter table patient_fact add constraint patient_fact_entered_by_fkey FOREIGN KEY (entered_by) REFERENCES staff(id);

alter table patient_fact add constraint patient_fact_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table patient_fact add constraint patient_fact_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table patient_fact add constraint patient_fact_withdrawn_by_fkey FOREIGN KEY (withdrawn_by) REFERENCES staff(id);

alter table patient_limit add constraint patient_limit_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table patient_limit add constraint patient_limit_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table patient_pause add constraint patient_pause_ended_by_fkey FOREIGN KEY (ended_by) REFERENCES staff(id);

alter table patient_pause add constraint patient_pause_made_by_fkey FOREIGN KEY (made_by) REFERENCES staff(id);

alter table patient_pause add constraint patient_pause_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table patient_pause add constraint patient_pause_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table patient_pause add constraint patient_pause_withdrawn_by_fkey FOREIGN KEY (withdrawn_by) REFERENCES staff(id);

alter table purge add constraint purge_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table purge add constraint purge_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table purge add constraint purge_purged_by_fkey FOREIGN KEY (purged_by) REFERENCES staff(id);

alter table record_change add constraint record_change_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table repeat_wait add constraint repeat_wait_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table repeat_wait add constraint repeat_wait_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table repeat_wait add constraint repeat_wait_request_id_fkey FOREIGN KEY (request_id) REFERENCES gateway_request(id);

alter table rollup add constraint rollup_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table rollup add constraint rollup_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table rota_override add constraint rota_override_instead_of_fkey FOREIGN KEY (instead_of) REFERENCES staff(id);

alter table rota_override add constraint rota_override_made_by_fkey FOREIGN KEY (made_by) REFERENCES staff(id);

alter table rota_override add constraint rota_override_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table rota_override add constraint rota_override_who_fkey FOREIGN KEY (who) REFERENCES staff(id);

alter table rota_override add constraint rota_override_withdrawn_by_fkey FOREIGN KEY (withdrawn_by) REFERENCES staff(id);

alter table session add constraint session_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(id) ON DELETE CASCADE;

alter table staff add constraint staff_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table time_entry add constraint time_entry_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id);

alter table time_entry add constraint time_entry_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table time_entry add constraint time_entry_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table time_entry add constraint time_entry_reverses_fkey FOREIGN KEY (reverses) REFERENCES time_entry(id);

alter table time_entry add constraint time_entry_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(id);

alter table timer add constraint timer_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id);

alter table timer add constraint timer_patient_id_fkey FOREIGN KEY (patient_id) REFERENCES patient(id);

alter table timer add constraint timer_practice_id_fkey FOREIGN KEY (practice_id) REFERENCES practice(id);

alter table timer add constraint timer_staff_id_fkey FOREIGN KEY (staff_id) REFERENCES staff(id);

CREATE INDEX alert_by_patient ON public.alert USING btree (patient_id, opened_at DESC);

CREATE INDEX alert_due ON public.alert USING btree (next_step_at) WHERE (next_step_at IS NOT NULL);

CREATE INDEX alert_open ON public.alert USING btree (practice_id, severity DESC, opened_at) WHERE (status <> 'closed'::text);

CREATE INDEX alert_snoozed ON public.alert USING btree (snoozed_until) WHERE ((status = 'acknowledged'::text) AND (snoozed_until IS NOT NULL));

CREATE UNIQUE INDEX alert_one_open_episode ON public.alert USING btree (patient_id, rule_id) WHERE ((status <> 'closed'::text) AND (held_id IS NULL));

CREATE UNIQUE INDEX alert_one_open_technical ON public.alert USING btree (practice_id, rule_id) WHERE ((status <> 'closed'::text) AND (patient_id IS NULL) AND (held_id IS NULL));

CREATE UNIQUE INDEX alert_one_per_held ON public.alert USING btree (held_id) WHERE (held_id IS NOT NULL);

CREATE INDEX alert_event_by_alert ON public.alert_event USING btree (alert_id, id);

CREATE TRIGGER alert_event_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.alert_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE INDEX audit_by_patient ON public.audit USING btree (patient_id, id);

CREATE INDEX audit_by_shown ON public.audit USING gin (((detail -> 'patients'::text)));

CREATE TRIGGER audit_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_chained BEFORE INSERT ON public.audit FOR EACH ROW EXECUTE FUNCTION audit_chain();

CREATE INDEX certificate_by_name ON public.certificate USING btree (name, issued_at);

CREATE INDEX certificate_revoked ON public.certificate USING btree (revoked_at) WHERE (revoked_at IS NOT NULL);

CREATE INDEX certificate_to_grant ON public.certificate USING btree (issued_at) WHERE (granted_at IS NULL);

CREATE INDEX claim_adjustment_by_month ON public.claim_adjustment USING btree (month_id, episode_id, id);

CREATE TRIGGER claim_adjustment_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.claim_adjustment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER closed_month_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.closed_month FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE UNIQUE INDEX contact_once ON public.contact USING btree (staff_id, channel, address) WHERE (removed_at IS NULL);

CREATE INDEX correction_by_reading ON public.correction USING btree (reading_id, id);

CREATE TRIGGER correction_remembered AFTER INSERT ON public.correction FOR EACH ROW EXECUTE FUNCTION remember_change();

CREATE TRIGGER device_change_remembered AFTER UPDATE ON public.device FOR EACH ROW WHEN (((old.practice_id IS DISTINCT FROM new.practice_id) OR (old.address IS DISTINCT FROM new.address) OR (old.kind IS DISTINCT FROM new.kind) OR (old.label IS DISTINCT FROM new.label) OR (old.single_person IS DISTINCT FROM new.single_person) OR (old.serial IS DISTINCT FROM new.serial))) EXECUTE FUNCTION remember_change();

CREATE TRIGGER device_remembered AFTER INSERT OR DELETE ON public.device FOR EACH ROW EXECUTE FUNCTION remember_change();

CREATE INDEX device_assignment_by_patient ON public.device_assignment USING btree (patient_id);

CREATE INDEX device_assignment_pending ON public.device_assignment USING btree (practice_id) WHERE pending;

CREATE TRIGGER device_assignment_remembered AFTER INSERT OR DELETE OR UPDATE ON public.device_assignment FOR EACH ROW EXECUTE FUNCTION remember_change();

CREATE INDEX escalation_plan_of_practice ON public.escalation_plan USING btree (practice_id, id DESC);

CREATE TRIGGER gateway_remembered AFTER INSERT OR DELETE OR UPDATE ON public.gateway FOR EACH ROW EXECUTE FUNCTION remember_change();

CREATE INDEX gateway_claim_by_gateway ON public.gateway_claim USING btree (gateway_id, opened_at);

CREATE INDEX gateway_event_by_age ON public.gateway_event USING btree (heard_at);

CREATE INDEX gateway_event_of_device ON public.gateway_event USING btree (practice_id, address, name, id) WHERE (address IS NOT NULL);

CREATE INDEX gateway_event_of_gateway ON public.gateway_event USING btree (gateway_id, id);

CREATE INDEX gateway_event_of_name ON public.gateway_event USING btree (practice_id, name, heard_at) WHERE (name = 'radio_recovery'::text);

CREATE INDEX gateway_request_of_gateway ON public.gateway_request USING btree (gateway_id, asked_at);

CREATE INDEX gateway_request_of_patient ON public.gateway_request USING btree (patient_id, asked_at) WHERE (patient_id IS NOT NULL);

CREATE INDEX gateway_request_open ON public.gateway_request USING btree (expires_at) WHERE (state = ANY (ARRAY['asked'::text, 'sent'::text, 'shown'::text]));

CREATE INDEX gateway_request_waiting ON public.gateway_request USING btree (next_send_at) WHERE (state = ANY (ARRAY['asked'::text, 'sent'::text]));

CREATE INDEX held_by_device ON public.held USING btree (device_id) WHERE (state = 'held'::text);

CREATE INDEX held_open ON public.held USING btree (practice_id, held_at) WHERE (state = 'held'::text);

CREATE INDEX held_unjudged ON public.held USING btree (id) WHERE (judged_at IS NULL);

CREATE UNIQUE INDEX held_reading ON public.held USING btree (practice_id, reading_id) WHERE (reading_id IS NOT NULL);

CREATE TRIGGER held_change_remembered AFTER UPDATE ON public.held FOR EACH ROW WHEN (((old.practice_id IS DISTINCT FROM new.practice_id) OR (old.state IS DISTINCT FROM new.state) OR (old.why IS DISTINCT FROM new.why) OR (old.reason IS DISTINCT FROM new.reason) OR (old.pointer IS DISTINCT FROM new.pointer) OR (old.patient_id IS DISTINCT FROM new.patient_id) OR (old.device_id IS DISTINCT FROM new.device_id))) EXECUTE FUNCTION remember_change();

CREATE TRIGGER held_remembered AFTER DELETE ON public.held FOR EACH ROW EXECUTE FUNCTION remember_change();

CREATE INDEX limit_decision_of_patient ON public.limit_decision USING btree (patient_id, id);

CREATE INDEX message_by_number ON public.message USING btree (settled_no, place);

CREATE INDEX notification_by_alert ON public.notification USING btree (alert_id, id);

CREATE INDEX notification_by_code ON public.notification USING btree (recipient_id, code) WHERE (code IS NOT NULL);

CREATE INDEX notification_by_contact ON public.notification USING btree (contact_id, sent_at DESC);

CREATE INDEX notification_due ON public.notification USING btree (due_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));

CREATE INDEX notification_told_in ON public.notification USING btree (told_in) WHERE (told_in IS NOT NULL);

CREATE INDEX observation_by_patient ON public.observation USING btree (patient_id, code, measured_at DESC);

CREATE INDEX patient_by_practice ON public.patient USING btree (practice_id, family_name);

CREATE INDEX patient_synthetic ON public.patient USING btree (id) WHERE synthetic;

CREATE TRIGGER patient_moved_house AFTER UPDATE ON public.patient FOR EACH ROW WHEN ((old.time_zone IS DISTINCT FROM new.time_zone)) EXECUTE FUNCTION mark_patient_for_rollup();

CREATE INDEX patient_pause_of_patient ON public.patient_pause USING btree (patient_id, begins_at);

CREATE UNIQUE INDEX patient_pause_once ON public.patient_pause USING btree (patient_id) WHERE (ended_at IS NULL);

CREATE INDEX reading_by_number ON public.reading USING btree (reading_no);

CREATE INDEX reading_by_patient ON public.reading USING btree (patient_id, measured_at DESC);

CREATE TRIGGER record_change_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.record_change FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE INDEX repeat_wait_due ON public.repeat_wait USING btree (due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX repeat_wait_of_request ON public.repeat_wait USING btree (request_id) WHERE (request_id IS NOT NULL);

CREATE INDEX repeat_wait_open ON public.repeat_wait USING btree (patient_id) WHERE (ended_at IS NULL);

CREATE INDEX repeat_wait_to_ask ON public.repeat_wait USING btree (began_at) WHERE ((ended_at IS NULL) AND (asked_at IS NULL));

CREATE INDEX rota_override_of_practice ON public.rota_override USING btree (practice_id, ends_at) WHERE (withdrawn_at IS NULL);

CREATE INDEX time_entry_by_patient ON public.time_entry USING btree (patient_id, started_at);

CREATE TRIGGER time_entry_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.time_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create view own.message as SELECT settled_no,
    place,
    practice_id,
    received_at,
    topic,
    payload,
    sha256
   FROM message
  WHERE ((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL))) with cascaded check option;

create view own.observation as SELECT measured_at,
    value,
    reading_no,
    patient_id,
    practice_id,
    code,
    unit,
    quality
   FROM observation
  WHERE (practice_id = ( SELECT this_practice() AS this_practice)) with cascaded check option;

CREATE TRIGGER observation_added INSTEAD OF INSERT ON own.observation FOR EACH ROW EXECUTE FUNCTION add_own();

create view own.reading as SELECT reading_no,
    reading_id,
    practice_id,
    patient_id,
    device_id,
    gateway_id,
    epoch,
    seq,
    kind,
    characteristic,
    user_slot,
    measured_at,
    device_time,
    time_source,
    clock_offset_s,
    sequence_number,
    received_at,
    admitted_at,
    backfill,
    late,
    automatic,
    status,
    flags,
    context,
    raw,
    raw_context,
    voided_at,
    released_by,
    uncertainty_s,
    settled_no,
    message_place,
    item_place
   FROM reading
  WHERE (practice_id = ( SELECT this_practice() AS this_practice)) with cascaded check option;

alter view own.reading alter column automatic set default true;

CREATE TRIGGER reading_added INSTEAD OF INSERT ON own.reading FOR EACH ROW EXECUTE FUNCTION add_own();

alter table alert enable row level security;

create policy kept_apart on alert to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table alert_event enable row level security;

create policy kept_apart on alert_event to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table answer_target enable row level security;

create policy kept_apart on answer_target to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table audit enable row level security;

create policy kept_apart on audit to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table certificate enable row level security;

create policy kept_apart on certificate to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table claim_adjustment enable row level security;

create policy kept_apart on claim_adjustment to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table closed_month enable row level security;

create policy kept_apart on closed_month to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table contact enable row level security;

create policy kept_apart on contact to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table correction enable row level security;

create policy kept_apart on correction to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table device enable row level security;

create policy kept_apart on device to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table device_assignment enable row level security;

create policy kept_apart on device_assignment to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table enrolment enable row level security;

create policy kept_apart on enrolment to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table escalation_plan enable row level security;

create policy kept_apart on escalation_plan to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table gateway enable row level security;

create policy kept_apart on gateway to rpm_practice using (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL)))) with check (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL))));

alter table gateway_claim enable row level security;

create policy kept_apart on gateway_claim to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table gateway_event enable row level security;

create policy kept_apart on gateway_event to rpm_practice using (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL)))) with check (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL))));

alter table gateway_event_latest enable row level security;

create policy kept_apart on gateway_event_latest to rpm_practice using (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL)))) with check (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL))));

alter table gateway_request enable row level security;

create policy kept_apart on gateway_request to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table gateway_status enable row level security;

create policy kept_apart on gateway_status to rpm_practice using (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL)))) with check (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL))));

alter table held enable row level security;

create policy kept_apart on held to rpm_practice using (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL)))) with check (((practice_id = ( SELECT this_practice() AS this_practice)) OR ((practice_id = 0) AND (( SELECT this_practice() AS this_practice) IS NOT NULL))));

alter table latest enable row level security;

create policy kept_apart on latest to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table limit_decision enable row level security;

create policy kept_apart on limit_decision to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table notification enable row level security;

create policy kept_apart on notification to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table patient enable row level security;

create policy kept_apart on patient to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table patient_fact enable row level security;

create policy kept_apart on patient_fact to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table patient_limit enable row level security;

create policy kept_apart on patient_limit to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table patient_news enable row level security;

create policy kept_apart on patient_news to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table patient_pause enable row level security;

create policy kept_apart on patient_pause to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table practice enable row level security;

create policy kept_apart on practice to rpm_practice using ((id = ( SELECT this_practice() AS this_practice)));

alter table purge enable row level security;

create policy kept_apart on purge to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table reading_key enable row level security;

create policy kept_apart on reading_key to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table record_change enable row level security;

create policy kept_apart on record_change to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table repeat_wait enable row level security;

create policy kept_apart on repeat_wait to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table rollup enable row level security;

create policy kept_apart on rollup to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table rollup_mark enable row level security;

create policy kept_apart on rollup_mark to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table rota_override enable row level security;

create policy kept_apart on rota_override to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table session enable row level security;

create policy kept_apart on session to rpm_practice using ((staff_id IN ( SELECT staff.id
   FROM staff)));

alter table staff enable row level security;

create policy kept_apart on staff to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table time_entry enable row level security;

create policy kept_apart on time_entry to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

alter table timer enable row level security;

create policy kept_apart on timer to rpm_practice using ((practice_id = ( SELECT this_practice() AS this_practice))) with check ((practice_id = ( SELECT this_practice() AS this_practice)));

grant usage on schema own to rpm_practice;

grant insert, select, update on own.message to rpm_practice;

grant insert, select, update on own.observation to rpm_practice;

grant insert, select, update on own.reading to rpm_practice;

grant delete, insert, select, update on alert to rpm_practice;

grant delete, insert, select, update on alert_event to rpm_practice;

grant delete, insert, select, update on answer_target to rpm_practice;

grant delete, insert, select, update on audit to rpm_practice;

grant delete, insert, select, update on certificate to rpm_practice;

grant delete, insert, select, update on claim_adjustment to rpm_practice;

grant delete, insert, select, update on closed_month to rpm_practice;

grant delete, insert, select, update on contact to rpm_practice;

grant delete, insert, select, update on correction to rpm_practice;

grant insert, select on delivery to rpm_practice;

grant delete, insert, select, update on device to rpm_practice;

grant delete, insert, select, update on device_assignment to rpm_practice;

grant delete, insert, select, update on enrolment to rpm_practice;

grant delete, insert, select, update on escalation_plan to rpm_practice;

grant delete, insert, select, update on gateway to rpm_practice;

grant delete, insert, select, update on gateway_claim to rpm_practice;

grant delete, insert, select, update on gateway_event to rpm_practice;

grant delete, insert, select, update on gateway_event_latest to rpm_practice;

grant delete, insert, select, update on gateway_request to rpm_practice;

grant delete, insert, select, update on gateway_status to rpm_practice;

grant select on heartbeat to rpm_practice;

grant delete, insert, select, update on held to rpm_practice;

grant delete, insert, select, update on latest to rpm_practice;

grant delete, insert, select, update on limit_decision to rpm_practice;

grant delete, insert, select, update on notification to rpm_practice;

grant delete, insert, select, update on patient to rpm_practice;

grant delete, insert, select, update on patient_fact to rpm_practice;

grant delete, insert, select, update on patient_limit to rpm_practice;

grant delete, insert, select, update on patient_news to rpm_practice;

grant delete, insert, select, update on patient_pause to rpm_practice;

grant select, update on practice to rpm_practice;

grant delete, insert, select, update on purge to rpm_practice;

grant delete, insert, select, update on reading_key to rpm_practice;

grant delete, insert, select, update on record_change to rpm_practice;

grant delete, insert, select, update on repeat_wait to rpm_practice;

grant delete, insert, select, update on rollup to rpm_practice;

grant delete, insert, select, update on rollup_mark to rpm_practice;

grant delete, insert, select, update on rota_override to rpm_practice;

grant delete, select on session to rpm_practice;

grant delete, insert, select, update on staff to rpm_practice;

grant delete, insert, select, update on time_entry to rpm_practice;

grant delete, insert, select, update on timer to rpm_practice;
