-- alerts
-- A practice's alerts that came since then: when somebody first had each, and whether it came to the last of several steps.
-- Questions and what is late call nobody and are left out; so is the synthetic patient.
select alert.public_id, alert.severity, alert.kind = 'technical' as technical, alert.opened_at, alert.closed_at,
    least(had.at, case when alert.closed_by is not null then alert.closed_at end) as had_at,
    exists (
        select from alert_event
        where alert_event.alert_id = alert.id and alert_event.kind in ('called', 'nobody_to_call')
            and alert_event.detail -> 'next_step_at' = 'null' and (alert_event.detail ->> 'step')::integer > 1
    ) as last_step
from alert
    left join patient on patient.id = alert.patient_id
    left join lateral (
        select min(alert_event.at) as at from alert_event
        where alert_event.alert_id = alert.id and alert_event.kind in ('acknowledged', 'snoozed')
    ) as had on true
where alert.practice_id = %(practice_id)s and alert.opened_at > %(since)s and alert.armed > 0
    and patient.synthetic is not true
order by alert.opened_at desc
limit %(limit)s;

-- closed
-- How many clinical alerts of each rule were closed in which month of the practice, by what was done; made-up patients' left out.
select alert.rule_id, date_trunc('month', alert.closed_at at time zone practice.time_zone)::date as month,
    alert.disposition, count(*)::integer as count
from alert
    join practice on practice.id = alert.practice_id
    left join patient on patient.id = alert.patient_id
where alert.practice_id = %(practice_id)s and alert.status = 'closed' and alert.kind = 'clinical'
    and alert.closed_at >= %(since)s and alert.disposition is not null and patient.synthetic is not true
group by alert.rule_id, month, alert.disposition;

-- targets
-- Within what time a practice wants its alerts of each severity had and closed.
select severity, had_minutes, closed_minutes from answer_target where practice_id = %(practice_id)s;

-- set_target
-- Another time for one severity.
insert into answer_target (practice_id, severity, had_minutes, closed_minutes, set_by, set_at)
values (%(practice_id)s, %(severity)s, %(had_minutes)s, %(closed_minutes)s, %(staff_id)s, %(now)s)
on conflict (practice_id, severity) do update
set had_minutes = excluded.had_minutes, closed_minutes = excluded.closed_minutes, set_by = excluded.set_by,
    set_at = excluded.set_at;
