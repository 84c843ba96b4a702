-- seen
-- How much of some patients was seen lately: the newest reading or return, and on how many whole days where they live something was
-- measured in the last two weeks and in the two before. Not of who is away, was within these weeks, or is looked after no more.
select patient.id as patient_id, greatest(newest.measured_at, away.ended_at) as seen_at,
    case when away.ended_at > %(now)s::timestamptz - interval '28 days' then null else days.lately end as lately,
    case when away.ended_at > %(now)s::timestamptz - interval '28 days' then null else days.before end as before
from patient
    join enrolment on enrolment.patient_id = patient.id and enrolment.ended_at is null
    cross join lateral (
        select (%(now)s::timestamptz at time zone patient.time_zone)::date as day
    ) as today
    left join lateral (
        select max(measured_at) as measured_at from latest where latest.patient_id = patient.id
    ) as newest on true
    left join lateral (
        select max(coalesce(ended_at, ends_at)) as ended_at from patient_pause
        where patient_pause.patient_id = patient.id and begins_at <= %(now)s and withdrawn_at is null
    ) as away on true
    left join lateral (
        select count(distinct starts_on) filter (where starts_on >= today.day - 14) as lately,
            count(distinct starts_on) filter (where starts_on < today.day - 14) as before
        from rollup
        where rollup.patient_id = patient.id and grain = 'day' and code = any(%(codes)s)
            -- No zone is further from UTC than a day. What a zone says is no condition the index may be asked by for this role.
            and starts_on >= %(since)s::date
            and starts_on >= today.day - 28 and starts_on < today.day
    ) as days on true
where patient.practice_id = %(practice_id)s and patient.id = any(%(patients)s::bigint[])
    and not exists (
        select from patient_pause
        where patient_pause.patient_id = patient.id and ended_at is null and withdrawn_at is null
            and begins_at <= %(now)s and ends_at > %(now)s
    );

-- trends
-- The days of some patients' quantities: the mean of the week up to the newest day, of the three weeks before it, and how the days of
-- those spread. Each unit apart; the one used last has the newest day.
select patient_id, code, unit, max(newest) as newest,
    count(*) filter (where starts_on > newest - 7) as days,
    avg(mean) filter (where starts_on > newest - 7) as mean,
    count(*) filter (where starts_on <= newest - 7) as days_before,
    avg(mean) filter (where starts_on <= newest - 7) as mean_before,
    stddev_samp(mean) filter (where starts_on <= newest - 7) as spread
from (
    select wanted.patient_id, wanted.code, found.unit, found.starts_on, found.mean,
        max(found.starts_on) over (partition by wanted.patient_id, wanted.code, found.unit) as newest
    from unnest(%(wanted_patients)s::bigint[], %(wanted_codes)s::smallint[]) as wanted (patient_id, code)
        cross join lateral (
            select unit, starts_on, mean from rollup
            where rollup.patient_id = wanted.patient_id and rollup.code = wanted.code
                and rollup.practice_id = %(practice_id)s and rollup.grain = 'day' and rollup.starts_on > %(since)s::date
            offset 0
        ) as found
) as day
where starts_on > newest - 28
group by patient_id, code, unit
order by patient_id, code, newest;
