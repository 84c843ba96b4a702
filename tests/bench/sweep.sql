-- A month of many patients, as the judge reads it: what three programmes measure in a day, each patient at a level of their own,
-- a few far from it. In the order of arrival, not of patients: a patient's rows are as far apart as in real life.
create temporary table day as
select %(base)s + dense_rank() over (order by number, hour) as reading_no, one.*
from (
    select patient_id, number, hour, code, unit, decimals,
        %(day)s::timestamptz + hour * interval '1 hour' + (number * 7919 %% 3600) * interval '1 second' as measured_at,
        mean + spread * (random() + random() + random() - 1.5) * 2 + spread * ((number * 31 %% 100) / 100.0 - 0.5) as value
    from grown_patient
        join unnest(
            %(programmes)s::integer[], %(hours)s::integer[], %(codes)s::smallint[], %(units)s::smallint[],
            %(means)s::double precision[], %(spreads)s::double precision[], %(decimals)s::integer[]
        ) as measured (programme, hour, code, unit, mean, spread, decimals) on programme = number %% 3
) as one;

insert into reading_key (reading_id, reading_no, practice_id) overriding system value
select gen_random_uuid(), reading_no, %(practice_id)s from day group by reading_no;

insert into observation (measured_at, value, reading_no, patient_id, practice_id, code, unit, quality)
select measured_at, round(value::numeric, decimals), reading_no, patient_id, %(practice_id)s, code, unit, 0
from day order by measured_at;

drop table day;
