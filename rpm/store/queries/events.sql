-- save
-- Something a gateway tells, once.
insert into gateway_event (practice_id, gateway_id, at, heard_at, name, address, value, request_id)
select gateway.practice_id, gateway.id, %(at)s, %(now)s, %(name)s, %(address)s, %(value)s, %(request_id)s
from gateway where gateway.id = %(gateway_id)s
on conflict do nothing;

-- save_latest
-- The newest of its name and device, unless what we have was told later. A gateway that spoke from the future has been
-- set since.
insert into gateway_event_latest (gateway_id, name, address, practice_id, at, heard_at, value)
select gateway.id, %(name)s, coalesce(%(address)s, ''), gateway.practice_id, %(at)s, %(now)s, %(value)s
from gateway where gateway.id = %(gateway_id)s
on conflict (gateway_id, name, address) do update
set at = excluded.at, heard_at = excluded.heard_at, value = excluded.value, practice_id = excluded.practice_id
where excluded.at >= gateway_event_latest.at or gateway_event_latest.at > %(now)s;

-- latest
-- The newest events of some names, by gateway and device: of one gateway, or of all that the practice has or may claim.
select gateway_id, name, address, at, heard_at, value
from gateway_event_latest
where name = any(%(names)s) and (%(gateway_id)s::text is null or gateway_id = %(gateway_id)s)
    and (practice_id = %(practice_id)s or (%(unclaimed)s and practice_id = 0))
order by gateway_id, name, address;

-- recoveries
-- How often each gateway of the practice had to mend its radio since then.
select gateway_id, count(*) as times
from gateway_event
where practice_id = %(practice_id)s and name = 'radio_recovery' and heard_at > %(since)s
group by gateway_id;

-- of_gateway
-- What a gateway told, the newest first; the page before `before`, where that is given.
select id, at, heard_at, name, coalesce(address, '') as address, value, request_id
from gateway_event
where gateway_id = %(gateway_id)s and practice_id = %(practice_id)s
    and (%(before)s::bigint is null or id < %(before)s)
order by id desc
limit %(limit)s;

-- of_devices
-- What the practice's gateways told of some devices under one name, oldest first; the newest `limit` of each.
select row.address, told.at, told.value
from unnest(%(addresses)s::text[]) as row (address)
    cross join lateral (
        select id, at, value from gateway_event
        where practice_id = %(practice_id)s and address = row.address and name = %(name)s and heard_at > %(since)s
        order by id desc
        limit %(limit)s
    ) as told
order by row.address, told.at, told.id;

-- forget_old
-- Forget what was heard before; `limit` at a time.
delete from gateway_event where id in (
    select id from gateway_event where heard_at < %(before)s order by heard_at limit %(limit)s
);

-- forget_old_latest
-- The same for what was the newest then.
delete from gateway_event_latest where heard_at < %(before)s;

-- forget_crowded
-- Of each gateway, name and device keep only the newest; `limit` at a time go.
delete from gateway_event where id in (
    select old.id
    from (
        select gateway_id, name, address from gateway_event group by gateway_id, name, address having count(*) > %(keep)s
    ) as crowded
        cross join lateral (
            select id from gateway_event
            where gateway_event.gateway_id = crowded.gateway_id and gateway_event.name = crowded.name
                and gateway_event.address is not distinct from crowded.address
            order by id desc
            offset %(keep)s
        ) as old
    limit %(limit)s
);
