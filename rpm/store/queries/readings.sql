-- stored_names
-- Which of these names were claimed before.
select reading_id from reading_key where reading_id = any(%(ids)s::uuid[]);

-- insert_keys
-- Claim the names of these readings; returns only those nobody had claimed before, and nobody of their practice has set aside
-- for good. Sorted: two workers never cross.
insert into reading_key (reading_id, practice_id)
select reading_id, practice_id
from unnest(%(ids)s::uuid[], %(practices)s::integer[]) as row (reading_id, practice_id)
where not exists (
    select from held
    where held.practice_id = row.practice_id and held.reading_id = row.reading_id and held.state = 'void'
)
order by reading_id
on conflict (reading_id) do nothing
returning reading_id, reading_no;

-- copy_readings
-- The envelopes of accepted readings. What every row has stands first: its columns are packed together.
copy reading (reading_no, reading_id, practice_id, patient_id, device_id, seq, measured_at, received_at, admitted_at,
    backfill, late, gateway_id, epoch, kind, characteristic, time_source, user_slot, device_time, clock_offset_s,
    uncertainty_s, sequence_number, status, flags, context, raw, raw_context, released_by,
    settled_no, message_place, item_place)
from stdin (format binary);

-- copy_observations
-- Their values.
copy observation (measured_at, reading_no, patient_id, practice_id, value, code, unit, quality)
from stdin (format binary);

-- save_latest
-- The newest value per patient and code; older ones change nothing. Of one instant, the later record of a device, else the
-- greater name: whichever comes first.
insert into latest (patient_id, code, practice_id, measured_at, value, unit, reading_no)
select patient_id, code, practice_id, measured_at, value, unit, reading_no
from unnest(%(patients)s::bigint[], %(codes)s::smallint[], %(practices)s::integer[], %(instants)s::timestamptz[],
    %(values)s::double precision[], %(units)s::smallint[], %(numbers)s::bigint[])
    as row (patient_id, code, practice_id, measured_at, value, unit, reading_no)
order by patient_id, code
on conflict (patient_id, code) do update
set measured_at = excluded.measured_at, value = excluded.value, unit = excluded.unit, reading_no = excluded.reading_no,
    practice_id = excluded.practice_id
where excluded.measured_at > latest.measured_at
    or excluded.measured_at = latest.measured_at and (
        select (coalesce(reading.sequence_number, -1), reading.reading_id) from reading
        where reading.reading_no = excluded.reading_no and reading.measured_at = excluded.measured_at
    ) > (
        select (coalesce(reading.sequence_number, -1), reading.reading_id) from reading
        where reading.reading_no = latest.reading_no and reading.measured_at = latest.measured_at
    );

-- save_news
-- Mark these patients as having something new to judge, and the days of which roll-ups are to be made anew.
with marked as (
    insert into rollup_mark (patient_id, practice_id, measured_on)
    select patient_id, practice_id, measured_on
    from unnest(%(marked)s::bigint[], %(marked_practices)s::integer[], %(days)s::date[])
        as row (patient_id, practice_id, measured_on)
)
insert into patient_news (patient_id, practice_id, since, count)
select patient_id, practice_id, %(now)s, count
from unnest(%(patients)s::bigint[], %(practices)s::integer[], %(counts)s::integer[]) as row (patient_id, practice_id, count)
order by patient_id
on conflict (patient_id) do update set count = patient_news.count + excluded.count;

-- tell
-- Wake who judges. Only a hint: whoever misses it looks again by itself.
select pg_notify('patient_news', '');

-- add_context
-- A glucose context that came after its measurement completes the reading, once.
update reading
set context = %(context)s, raw_context = %(raw_context)s
from reading_key
where reading_key.reading_id = %(reading_id)s and reading.reading_no = reading_key.reading_no
    and reading.measured_at between %(earliest)s and %(latest)s and reading.raw_context is null
returning reading.patient_id, reading.practice_id;

-- saw_devices
-- When and by whom these devices were last heard, and what they say of themselves. Rows another worker holds are left for
-- its word.
with free as (
    select device.id, row.seen_at, row.gateway_id, row.manufacturer, row.model, row.serial, row.firmware
    from unnest(%(devices)s::bigint[], %(seen)s::timestamptz[], %(gateways)s::text[], %(manufacturers)s::text[],
        %(models)s::text[], %(serials)s::text[], %(firmwares)s::text[])
        as row (id, seen_at, gateway_id, manufacturer, model, serial, firmware)
        join device on device.id = row.id
    for no key update of device skip locked
)
update device
set seen_at = greatest(device.seen_at, free.seen_at),
    gateway_id = case when device.seen_at > free.seen_at then coalesce(device.gateway_id, free.gateway_id)
        else free.gateway_id end,
    manufacturer = coalesce(free.manufacturer, device.manufacturer),
    model = coalesce(free.model, device.model),
    -- The first one stays until the device is handed out anew or somebody vouches for another: what comes meanwhile is held.
    serial = coalesce(device.serial, free.serial),
    firmware = coalesce(free.firmware, device.firmware)
from free
where device.id = free.id;
