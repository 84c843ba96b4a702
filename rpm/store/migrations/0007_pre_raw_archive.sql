-- What gateways sent, as it came, and what was known and decided when it was settled: enough to make every reading again.

-- What the answer to a message depends on, and what people decided, in the order in which it was so. Append-only. The
-- numbers are shared with settled messages: one order for both.
create table record_change (
    no bigint generated always as identity primary key,
    -- Changes of one transaction were decided together.
    transaction xid8 not null default pg_current_xact_id(),
    practice_id integer not null references practice,
    relation text not null check (relation in ('gateway', 'device', 'device_assignment', 'held', 'correction')),
    before jsonb,
    after jsonb
);
create trigger record_change_append_only before update or delete or truncate on record_change
    for each statement execute function refuse_change();

-- A message that brought readings, or that nobody could read. Messages of one settled_no were settled in one transaction,
-- in the order of `place`.
create table message (
    settled_no bigint not null,
    place smallint not null,
    practice_id integer not null,
    -- By the database's clock, when a worker took it in.
    received_at timestamptz not null,
    topic text not null,
    payload bytea compression lz4 not null,
    -- Of the payload, computed by the worker: what the disk gives back is what the broker handed over.
    sha256 bytea not null check (length(sha256) = 32)
);
select create_hypertable('message', by_range('received_at', interval '7 days'), create_default_indexes => false);
create index message_by_number on message (settled_no, place);

-- Where a reading stands in what was received: message_place of the settlement, item_place of the message. Null: from before
-- messages were kept.
alter table reading add column settled_no bigint, add column message_place smallint, add column item_place smallint;
alter table held add column settled_no bigint, add column message_place smallint, add column item_place smallint;

create function remember_change() returns trigger language plpgsql as $$
begin
    -- What somebody measured stands in the message itself.
    insert into record_change (practice_id, relation, before, after)
    values (coalesce(new.practice_id, old.practice_id), tg_table_name, to_jsonb(old) - 'item' - 'raw',
        to_jsonb(new) - 'item' - 'raw');
    return null;
end $$;

create trigger gateway_remembered after insert or update or delete on gateway
    for each row execute function remember_change();
create trigger device_remembered after insert or delete on device for each row execute function remember_change();
-- When it was heard last, and what else it says of itself, decides nothing and changes all the time.
create trigger device_change_remembered after update on device for each row
    when (old.practice_id is distinct from new.practice_id or old.address is distinct from new.address or old.kind
        is distinct from new.kind or old.label is distinct from new.label or old.single_person is distinct from
        new.single_person or old.serial is distinct from new.serial)
    execute function remember_change();
create trigger device_assignment_remembered after insert or update or delete on device_assignment
    for each row execute function remember_change();
create trigger held_remembered after delete on held for each row execute function remember_change();
create trigger held_change_remembered after update on held for each row
    when (old.practice_id is distinct from new.practice_id or old.state is distinct from new.state or old.why is
        distinct from new.why or old.reason is distinct from new.reason or old.pointer is distinct from new.pointer or
        old.patient_id is distinct from new.patient_id or old.device_id is distinct from new.device_id)
    execute function remember_change();
create trigger correction_remembered after insert on correction for each row execute function remember_change();

-- What is known on the day this begins.
insert into record_change (practice_id, relation, after) select practice_id, 'gateway', to_jsonb(gateway) from gateway;
insert into record_change (practice_id, relation, after) select practice_id, 'device', to_jsonb(device) from device;
insert into record_change (practice_id, relation, after)
select practice_id, 'device_assignment', to_jsonb(device_assignment) from device_assignment;
