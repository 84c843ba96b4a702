-- One day of many patients, as ingest would have stored it: a blood pressure each (systolic, diastolic, mean, pulse), and a
-- weight every fourth day. In the order of arrival, not of patients: a patient's rows are as far apart as in real life.
create temporary table day on commit drop as
select %(base)s + row_number() over (order by measured_at) as reading_no, gen_random_uuid() as reading_id, one.*
from (
    select patient_id, device_id, gateway_id, seq * 2 + extra as seq, extra,
        %(day)s::timestamptz + interval '6 hours' + (patient_id * 7919 %% 14400) * interval '1 second'
            + random() * interval '1 hour' + extra * interval '10 minutes' as measured_at
    from (
        select patient_id, device_id, gateway_id, %(number)s::bigint as seq, extra
        from grown_patient
            cross join generate_series(0, case when (patient_id + %(number)s) %% 4 = 0 then 1 else 0 end) as extra
        where number > %(first)s and number <= %(last)s
    ) as person
) as one;

insert into reading_key (reading_id, reading_no, practice_id) overriding system value
select reading_id, reading_no, %(practice_id)s from day;

insert into reading (reading_no, reading_id, practice_id, patient_id, device_id, gateway_id, epoch, seq, kind, characteristic,
    user_slot, measured_at, device_time, time_source, clock_offset_s, received_at, admitted_at, backfill, late, status, flags,
    context, raw)
select reading_no, reading_id, %(practice_id)s, patient_id, device_id, gateway_id, '000000006704177e', seq,
    case extra when 0 then 'blood_pressure' else 'body_weight' end, case extra when 0 then '2A35' else '2A9D' end, 1,
    measured_at, to_char(measured_at, 'YYYY-MM-DD"T"HH24:MI:SS'), 'device_corrected', 1.5, measured_at + interval '2 seconds',
    measured_at + interval '3 seconds', false, false, '{}', '{}', '{}', decode(md5(reading_no::text), 'hex')
from day order by measured_at;

insert into observation (measured_at, value, reading_no, patient_id, practice_id, code, unit, quality)
select measured_at, case when extra = 1 then 60 + patient_id %% 50 + random() else level + patient_id %% 13 + floor(random() * 15) end,
    reading_no, patient_id, %(practice_id)s, code, unit, 0
from day join (
        select extra, code, unit, level
        from unnest(%(extras)s::integer[], %(codes)s::smallint[], %(units)s::smallint[], %(levels)s::double precision[])
            as row (extra, code, unit, level)
    ) as measured using (extra)
order by measured_at;

insert into delivery (gateway_id, epoch, seq, reading_id, outcome)
select gateway_id, '000000006704177e', seq, reading_id, 'stored' from day;
