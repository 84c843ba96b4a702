-- keep
-- Messages as they came, all settled in this transaction; returns the number they have in common: `number`, or the next.
with settlement as materialized (
    select coalesce(%(number)s::bigint, nextval(pg_get_serial_sequence('record_change', 'no'))) as number
), kept as (
    insert into message (settled_no, place, practice_id, received_at, topic, payload, sha256)
    select settlement.number, row.place - 1, row.practice_id, %(now)s, row.topic, row.payload, row.sha256
    from settlement cross join unnest(%(practices)s::integer[], %(topics)s::text[], %(payloads)b::bytea[],
        %(hashes)b::bytea[]) with ordinality as row (practice_id, topic, payload, sha256, place)
)
select number from settlement;

-- message_of
-- The message that brought a reading, as it came. It may be older than its practice's word for the gateway.
select message.settled_no, message.place, message.received_at, message.topic, message.payload, message.sha256
from message
where settled_no = %(settled_no)s and place = %(place)s and practice_id = any(%(practices)s::integer[])
    and received_at <= %(until)s;
