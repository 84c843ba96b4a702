-- practice
-- One practice and the zone its days and months are counted in.
select id, name, time_zone from practice where id = %(practice_id)s;

-- practices
-- Every practice that can bill.
select id, name, time_zone from practice where id > 0 order by id;

-- episodes
-- Episodes of monitoring that touch a span of time; patients made up for trials are never billed.
select enrolment.id as episode_id, enrolment.patient_id, patient.public_id, patient.given_name, patient.family_name,
    patient.birth_date, enrolment.established_patient, enrolment.consented_at, enrolment.ordered_at,
    enrolment.ordered_by, enrolment.condition_icd10, enrolment.set_up_at, enrolment.payer_profile,
    enrolment.started_at, enrolment.ended_at,
    case when enrolment.anchor_claimed_at <= %(now)s then enrolment.claimed_anchor end as claimed_anchor
from enrolment join patient on patient.id = enrolment.patient_id
where enrolment.practice_id = %(practice_id)s and not patient.synthetic
    and (%(public_id)s::uuid is null or patient.public_id = %(public_id)s)
    and enrolment.started_at < %(until)s and (enrolment.ended_at is null or enrolment.ended_at > %(since)s)
order by patient.family_name, patient.given_name, patient.id, enrolment.started_at;

-- data_days
-- For some episodes, the practice's local days with countable data, and when the first of each day's had been admitted.
with span as (
    select episode_id, patient_id, since, until
    from unnest(%(episode_ids)s::bigint[], %(patient_ids)s::bigint[], %(sinces)s::timestamptz[],
        %(untils)s::timestamptz[]) as row (episode_id, patient_id, since, until)
), data_day as (
    select span.episode_id, (reading.measured_at at time zone %(zone)s)::date as day,
        min(reading.admitted_at) as admitted_at
    from reading join span on span.patient_id = reading.patient_id
        and reading.measured_at >= span.since and reading.measured_at < span.until
    where reading.practice_id = %(practice_id)s
        and reading.measured_at >= %(since)s and reading.measured_at <= %(now)s and reading.admitted_at <= %(now)s
        and reading.automatic and reading.voided_at is null
        and 'control_solution' not in (coalesce(reading.context ->> 'sample_location', ''),
            coalesce(reading.context ->> 'sample_type', ''))
        and not exists (
            select from patient_pause
            where patient_pause.patient_id = reading.patient_id and patient_pause.reason = 'hospital'
                and patient_pause.made_at <= %(now)s and (withdrawn_at is null or withdrawn_at > %(now)s)
                and reading.measured_at >= begins_at
                and reading.measured_at < case when ended_at <= %(now)s then ended_at else ends_at end
        )
    group by span.episode_id, day
)
select episode_id, array_agg(day order by day) as days, array_agg(admitted_at order by day) as admitted
from data_day
group by episode_id;

-- away
-- When some patients were away, as it was known at an instant; one that runs lasts as long as it was said to.
select patient_id, reason, begins_at, case when ended_at <= %(now)s then ended_at else ends_at end as ends_at
from patient_pause
where practice_id = %(practice_id)s and patient_id = any(%(patients)s) and made_at <= %(now)s
    and (withdrawn_at is null or withdrawn_at > %(now)s) and begins_at < coalesce(ended_at, ends_at)
order by patient_id, begins_at, id;

-- readings
-- One patient's readings of a span with what decides whether they count, each with its device.
select reading.reading_id, reading.measured_at, reading.admitted_at, reading.kind, reading.time_source, reading.late,
    reading.automatic, reading.voided_at is not null as voided,
    'control_solution' in (coalesce(reading.context ->> 'sample_location', ''),
        coalesce(reading.context ->> 'sample_type', '')) as test,
    reading.released_by is not null as released, device.label as device, device.model, device.serial
from reading left join device on device.id = reading.device_id
where reading.patient_id = %(patient_id)s and reading.practice_id = %(practice_id)s
    and reading.measured_at >= %(since)s and reading.measured_at < %(until)s
    and reading.measured_at <= %(now)s and reading.admitted_at <= %(now)s
order by reading.measured_at, reading.reading_no
limit %(limit)s;

-- entries
-- A practice's standing time entries that touch a span: those taken back, and the rows that take them back, are gone.
-- Where one patient is asked for: theirs, and what the same people were doing for somebody else at the same moments.
with own as materialized (
    select time_entry.staff_id, time_entry.started_at, time_entry.ended_at
    from time_entry join patient on patient.id = time_entry.patient_id
    where patient.public_id = %(public_id)s and time_entry.started_at < %(until)s and time_entry.ended_at > %(since)s
)
select time_entry.id, time_entry.patient_id, time_entry.staff_id, staff.display_name, staff.role,
    time_entry.started_at, time_entry.ended_at, time_entry.service, time_entry.activity, time_entry.interactive,
    time_entry.manual, time_entry.note, time_entry.created_at
from time_entry join staff on staff.id = time_entry.staff_id
where time_entry.practice_id = %(practice_id)s
    and time_entry.started_at < %(until)s and time_entry.ended_at > %(since)s
    and time_entry.created_at <= %(now)s
    and time_entry.reverses is null
    and not exists (select from time_entry as later where later.reverses = time_entry.id)
    and (
        %(public_id)s::uuid is null or time_entry.patient_id = (select id from patient where public_id = %(public_id)s)
        or exists (
            select from own
            where own.staff_id = time_entry.staff_id and own.started_at < time_entry.ended_at
                and own.ended_at > time_entry.started_at
        )
    )
order by time_entry.id;
