-- one_at_a_time
-- Whether this transaction may roll up: two at once could write an older sum over a newer one.
select pg_try_advisory_xact_lock(%(key)s) as mine;

-- claim
-- What changed, no more than `limit` of it; gone with this transaction.
delete from rollup_mark
where ctid = any(array(select ctid from rollup_mark limit %(limit)s))
returning patient_id, measured_on;

-- touched
-- The days where the patients live that a change on these UTC days may touch.
select distinct patient.id as patient_id, patient.practice_id, patient.time_zone, here.day::date as day
from unnest(%(patients)s::bigint[], %(days)s::date[]) as mark (patient_id, day)
    join patient on patient.id = mark.patient_id
    cross join lateral generate_series(
        (mark.day::timestamp at time zone 'UTC' at time zone patient.time_zone)::date::timestamp,
        ((mark.day + 1)::timestamp at time zone 'UTC' at time zone patient.time_zone)::date::timestamp,
        interval '1 day'
    ) as here (day);

-- whole
-- Every day on which something of these patients was measured, where they live.
select distinct patient.id as patient_id, patient.practice_id, patient.time_zone,
    (observation.measured_at at time zone patient.time_zone)::date as day
from observation join patient on patient.id = observation.patient_id
where observation.patient_id = any(%(patients)s::bigint[]);

-- forget_whole
-- All roll-ups of these patients from a day on.
delete from rollup where patient_id = any(%(patients)s::bigint[]) and starts_on >= %(since)s;

-- forget
-- The buckets that are made anew.
delete from rollup
using (
    select patient_id, 'day' as grain, day as starts_on
    from unnest(%(patients)s::bigint[], %(days)s::date[]) as touched (patient_id, day)
    union
    select patient_id, 'week', date_trunc('week', day::timestamp)::date
    from unnest(%(patients)s::bigint[], %(days)s::date[]) as touched (patient_id, day)
) as bucket
where rollup.patient_id = bucket.patient_id and rollup.grain = bucket.grain and rollup.starts_on = bucket.starts_on;

-- roll_up
-- The buckets of these days, and of the weeks they are in, from the values as they stand. Values of one instant are taken in
-- their own order, so that the same values always give the same sum.
with touched as (
    select patient_id, practice_id, time_zone, day, date_trunc('week', day::timestamp)::date as week
    from unnest(%(patients)s::bigint[], %(practices)s::integer[], %(zones)s::text[], %(days)s::date[])
        as row (patient_id, practice_id, time_zone, day)
), bucket as (
    select patient_id, practice_id, time_zone, 'day' as grain, day as starts_on, day + 1 as ends_on from touched
    union
    select patient_id, practice_id, time_zone, 'week', week, week + 7 from touched
)
insert into rollup (patient_id, practice_id, code, unit, grain, starts_on, count, minimum, maximum, mean, first, first_at,
    last, last_at)
select bucket.patient_id, bucket.practice_id, observation.code, observation.unit, bucket.grain, bucket.starts_on,
    count(*), min(observation.value), max(observation.value),
    avg(observation.value order by observation.measured_at, observation.value),
    (array_agg(observation.value order by observation.measured_at, observation.value))[1],
    min(observation.measured_at),
    (array_agg(observation.value order by observation.measured_at desc, observation.value desc))[1],
    max(observation.measured_at)
from bucket
    join observation on observation.patient_id = bucket.patient_id
        -- No zone is further from UTC than a day: these two find the rows, the next two decide.
        and observation.measured_at >= (bucket.starts_on - 1)::timestamp at time zone 'UTC'
        and observation.measured_at < (bucket.ends_on + 1)::timestamp at time zone 'UTC'
        and (observation.measured_at at time zone bucket.time_zone)::date >= bucket.starts_on
        and (observation.measured_at at time zone bucket.time_zone)::date < bucket.ends_on
        -- The same for all together: what the planner leaves out whole chunks by.
        and observation.measured_at >= %(since)s and observation.measured_at < %(until)s
where observation.quality & 8 = 0
group by bucket.patient_id, bucket.practice_id, bucket.grain, bucket.starts_on, observation.code, observation.unit;

-- of_patient
-- What days or weeks of a patient came to, of one quantity, oldest first; each unit apart.
select starts_on, unit, count, minimum, maximum, mean, first, first_at, last, last_at
from rollup
where patient_id = %(patient_id)s and practice_id = %(practice_id)s and code = %(code)s and grain = %(grain)s
    and starts_on >= %(since)s and starts_on < %(until)s
order by starts_on, unit;
