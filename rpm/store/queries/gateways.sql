-- meet
-- Gateways nobody has registered yet belong to practice 0 until somebody claims them.
insert into gateway (id, practice_id, label, created_at)
select id, 0, '', %(now)s from unnest(%(gateways)s::text[]) as row (id)
order by id
on conflict (id) do nothing;

-- register
-- A gateway of this practice; one that nobody had claimed becomes it. No row where it is another practice's.
insert into gateway (id, practice_id, label, created_at)
values (%(gateway_id)s, %(practice_id)s, %(label)s, %(now)s)
on conflict (id) do update set practice_id = excluded.practice_id, label = excluded.label
where gateway.practice_id in (0, excluded.practice_id)
returning id;

-- adopt_status
-- What an unclaimed gateway told goes with it to its practice.
update gateway_status set practice_id = %(practice_id)s where gateway_id = %(gateway_id)s and practice_id = 0;

-- adopt_events
-- The same for its events.
update gateway_event set practice_id = %(practice_id)s where gateway_id = %(gateway_id)s and practice_id = 0;

-- adopt_latest
-- The same for the newest of them.
update gateway_event_latest set practice_id = %(practice_id)s where gateway_id = %(gateway_id)s and practice_id = 0;

-- adopt_held
-- The same for what of it is held, but for readings its practice holds already, by another gateway.
update held set practice_id = %(practice_id)s
where gateway_id = %(gateway_id)s and practice_id = 0
    and not exists (
        select from held as own where own.practice_id = %(practice_id)s and own.reading_id = held.reading_id
    );

-- forget_held
-- What is held by its practice already is nothing to decide on a second time.
update held set state = 'void', decided_at = %(now)s, decision = 'held already, as another gateway sent it'
where gateway_id = %(gateway_id)s and practice_id = 0 and state = 'held';

-- save_status
-- A birth or heartbeat: when heard, and what it tells. One that was sent before the one we have changes nothing, unless
-- that came from the future: then the gateway's clock was ahead, and has been set since.
insert into gateway_status (gateway_id, practice_id, heard_at, kind, sent_at, version, uptime_s, epoch, outbox_depth,
    outbox_oldest_s, outbox_dropped, buffer_days, adapter, recoveries, clock, rssi_dbm, certificate_not_after)
select %(gateway_id)s, gateway.practice_id, %(now)s, %(kind)s, %(sent_at)s, %(version)s, %(uptime_s)s, %(epoch)s,
    %(outbox_depth)s, %(outbox_oldest_s)s, %(outbox_dropped)s, %(buffer_days)s, %(adapter)s, %(recoveries)s, %(clock)s,
    %(rssi_dbm)s, %(certificate_not_after)s
from gateway where gateway.id = %(gateway_id)s
on conflict (gateway_id) do update
set heard_at = excluded.heard_at, kind = excluded.kind, sent_at = excluded.sent_at, version = excluded.version,
    uptime_s = excluded.uptime_s, epoch = excluded.epoch, outbox_depth = excluded.outbox_depth,
    outbox_oldest_s = excluded.outbox_oldest_s, outbox_dropped = excluded.outbox_dropped,
    buffer_days = excluded.buffer_days, adapter = excluded.adapter, recoveries = excluded.recoveries,
    clock = excluded.clock, rssi_dbm = excluded.rssi_dbm, certificate_not_after = excluded.certificate_not_after
where gateway_status.sent_at is null or excluded.sent_at is null or excluded.sent_at >= gateway_status.sent_at
    or gateway_status.sent_at > %(now)s;

-- save_will
-- The broker says that a gateway is gone: what it told before still stands, and so does when it was heard.
update gateway_status set kind = 'will' where gateway_id = %(gateway_id)s;

-- list
-- A practice's gateways (an administrator's with those nobody claimed): when last heard, what waits in the outbox.
select gateway.id, gateway.practice_id, gateway.label, gateway.created_at, gateway_status.heard_at, gateway_status.kind,
    gateway_status.version, gateway_status.uptime_s, gateway_status.outbox_depth, gateway_status.outbox_oldest_s,
    gateway_status.outbox_dropped, gateway_status.epoch, gateway_status.buffer_days, gateway_status.adapter,
    gateway_status.recoveries, gateway_status.clock, gateway_status.rssi_dbm, gateway_status.certificate_not_after,
    latest_event.name as event_name, latest_event.at as event_at
from gateway
    left join gateway_status on gateway_status.gateway_id = gateway.id
    left join lateral (
        select name, at from gateway_event where gateway_id = gateway.id order by id desc limit 1
    ) as latest_event on true
where gateway.retired_at is null and (%(gateway_id)s::text is null or gateway.id = %(gateway_id)s)
    and (gateway.practice_id = %(practice_id)s or (%(unclaimed)s and gateway.practice_id = 0))
order by gateway.practice_id desc, gateway.id;
