-- points
-- A patient's values of some quantities in a span of time, oldest first; the newest where there are too many.
select measured_at, code, value, unit, quality, reading_id, device_time, time_source, clock_offset_s,
    uncertainty_s, received_at, admitted_at
from (
    select observation.measured_at, observation.code, observation.value, observation.unit, observation.quality,
        reading.reading_id, reading.device_time, reading.time_source, reading.clock_offset_s,
        reading.uncertainty_s, reading.received_at, reading.admitted_at
    from observation
        join reading on reading.reading_no = observation.reading_no and reading.measured_at = observation.measured_at
    where observation.patient_id = %(patient_id)s and observation.practice_id = %(practice_id)s
        and observation.code = any(%(codes)s) and observation.quality & 8 = 0
        and observation.measured_at > %(since)s and observation.measured_at <= %(until)s
    order by observation.measured_at desc
    limit %(limit)s
) as newest
order by measured_at, code;

-- latest
-- The newest value of each quantity.
select code, measured_at, value, unit from latest
where patient_id = %(patient_id)s and practice_id = %(practice_id)s
order by code;

-- readings
-- The newest readings in a span of time, each with its values.
select reading.reading_no, reading.reading_id, reading.kind, reading.measured_at, reading.received_at,
    reading.time_source, reading.late, reading.backfill, reading.status, reading.flags, reading.context,
    reading.voided_at, device.label as device_label,
    (
        select coalesce(jsonb_agg(jsonb_build_object('code', code, 'value', value, 'unit', unit, 'quality', quality)
            order by code), '[]'::jsonb)
        from observation
        where observation.reading_no = reading.reading_no and observation.measured_at = reading.measured_at
            and observation.patient_id = reading.patient_id
    ) as quantities
from reading join device on device.id = reading.device_id
where reading.patient_id = %(patient_id)s and reading.practice_id = %(practice_id)s
    and reading.measured_at > %(since)s and reading.measured_at <= %(until)s
order by reading.measured_at desc
limit %(limit)s;

-- provenance
-- Where one reading came from: every clock, the device, the gateway and the bytes.
select reading.reading_id, reading.kind, reading.characteristic, reading.user_slot, reading.measured_at,
    reading.device_time, reading.time_source, reading.clock_offset_s, reading.uncertainty_s, reading.sequence_number,
    reading.received_at, reading.admitted_at, reading.backfill, reading.late, reading.automatic, reading.status, reading.flags,
    reading.context, reading.raw, reading.raw_context, reading.voided_at, reading.gateway_id, reading.epoch,
    reading.seq, device.label as device_label, device.address, device.manufacturer, device.model, device.serial,
    device.firmware, staff.display_name as released_by, reading.settled_no, reading.message_place, reading.item_place
from reading
    join device on device.id = reading.device_id
    left join staff on staff.id = reading.released_by
where reading.reading_id = %(reading_id)s and reading.patient_id = %(patient_id)s
    and reading.practice_id = %(practice_id)s;

-- days_with_readings
-- Calendar days of the practice's zone on which a device sent something by itself.
select count(distinct (measured_at at time zone %(time_zone)s)::date) as days
from reading
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and automatic and voided_at is null
    and measured_at > %(since)s and measured_at <= %(until)s;
