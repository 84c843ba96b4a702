-- open_alerts
-- Every open alert of a practice with whom it is about, who has it, and who is with that patient right now. Not those of a
-- synthetic patient, who is nobody.
select alert.id, alert.public_id, alert.patient_id, alert.held_id, alert.kind, alert.rule_id, alert.band,
    alert.severity, alert.armed, alert.status, alert.confirmed, alert.late, alert.reason, alert.evidence, alert.measured_at,
    alert.opened_at, alert.back_in_range_at, alert.acknowledged_at,
    case when alert.status = 'acknowledged' then alert.snoozed_until end as snoozed_until, alert.snooze_reason,
    away.ends_at as away_until,
    patient.public_id as patient_public_id, patient.given_name, patient.family_name, patient.birth_date,
    patient.time_zone,
    owner.id as owner_id, owner.display_name as owner_name,
    with_patient.staff_id as timer_staff_id, with_patient.display_name as timer_name,
    with_patient.started_at as timer_started_at
from alert
    left join patient on patient.id = alert.patient_id
    left join staff as owner on owner.id = alert.acknowledged_by
    left join patient_pause as away on away.patient_id = alert.patient_id and away.ended_at is null
    left join lateral (
        select timer.staff_id, timer.started_at, staff.display_name
        from timer join staff on staff.id = timer.staff_id
        where timer.patient_id = alert.patient_id
        order by timer.started_at
        limit 1
    ) as with_patient on true
where alert.practice_id = %(practice_id)s and alert.status <> 'closed' and patient.synthetic is not true
order by alert.severity desc, alert.opened_at, alert.id;

-- recent_values
-- The newest values of some patients' quantities, for sparklines: at most %(points)s each, oldest first.
select wanted.patient_id, wanted.code, found.measured_at, found.value, found.unit
from unnest(%(patients)s::bigint[], %(codes)s::smallint[]) as wanted (patient_id, code)
    cross join lateral (
        select measured_at, value, unit
        from observation
        where observation.patient_id = wanted.patient_id and observation.code = wanted.code
            and observation.practice_id = %(practice_id)s
            and measured_at > %(since)s and quality & 8 = 0
        order by measured_at desc
        limit %(points)s
    ) as found
order by wanted.patient_id, wanted.code, found.measured_at;

-- standing
-- One line per practice that has open alerts or running timers: what changes when its worklist does.
select practice_id, sum(urgent)::integer as urgent, sum(alerts)::integer as alerts,
    md5(string_agg(mark, '|' order by mark)) as version
from (
    select practice_id, count(*) filter (where severity = 3) as urgent, count(*) as alerts,
        concat_ws('/', 'alert', count(*), max(id), sum(version), max(updated_at), max(acknowledged_at)) as mark
    from alert
    where status <> 'closed'
        and not exists (select from patient where patient.id = alert.patient_id and patient.synthetic)
    group by practice_id
    union all
    select practice_id, 0, 0,
        concat_ws('/', 'timer', string_agg(concat_ws(':', staff_id, patient_id, started_at), ',' order by staff_id))
    from timer
    group by practice_id
) as parts
group by practice_id;

-- announce
-- Tell every web process that a worklist changed, when this transaction commits.
select pg_notify('worklist', %(practice_id)s::text);
