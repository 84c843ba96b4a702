-- close
-- Keep a month as it is reported; no row where it is closed already.
insert into closed_month (practice_id, month, closed_at, closed_by, report, csv, json, sha256)
values (%(practice_id)s, %(month)s, %(now)s, %(staff_id)s, %(report)s, %(csv)s, %(json)s, %(sha256)s)
on conflict (practice_id, month) do nothing
returning id;

-- claim_anchors
-- Some episodes claim device supply in a month that is closed now: their periods stay where they are. The first time stands.
update enrolment set claimed_anchor = claimed.anchor, anchor_claimed_at = %(now)s
from unnest(%(episode_ids)s::bigint[], %(anchors)s::date[]) as claimed (episode_id, anchor)
where enrolment.id = claimed.episode_id and enrolment.practice_id = %(practice_id)s and enrolment.claimed_anchor is null;

-- closed
-- A practice's month as it was closed, and by whom.
select closed_month.id, closed_month.closed_at, staff.display_name as closed_by, closed_month.report, closed_month.csv,
    closed_month.json, closed_month.sha256
from closed_month join staff on staff.id = closed_month.closed_by
where closed_month.practice_id = %(practice_id)s and closed_month.month = %(month)s;

-- lock
-- One at a time looks for what is otherwise in a closed month.
select id from closed_month where id = %(month_id)s and practice_id = %(practice_id)s for no key update;

-- months
-- The newest closed months of a practice.
select month from closed_month where practice_id = %(practice_id)s order by month desc limit %(limit)s;

-- last_claims
-- How each episode's claim in a closed month was noticed last, and when.
select distinct on (episode_id) episode_id, after, noticed_at
from claim_adjustment
where month_id = %(month_id)s and practice_id = %(practice_id)s
order by episode_id, id desc;

-- corrected
-- What was done to readings of a patient since an instant, that were measured within a span.
select correction.kind, correction.corrected_at as at, correction.reason, staff.display_name as by,
    (reading.measured_at at time zone %(zone)s)::date as on
from correction
    join staff on staff.id = correction.corrected_by
    join reading_key on reading_key.reading_id = correction.reading_id
    join reading on reading.reading_no = reading_key.reading_no
where correction.practice_id = %(practice_id)s and correction.corrected_at >= %(since)s and correction.corrected_at <= %(now)s
    and %(patient_id)s in (correction.patient_before, correction.patient_after)
    and reading.measured_at >= %(begins)s and reading.measured_at < %(ends)s
order by correction.id
limit %(limit)s;

-- came_late
-- Readings of a patient that were measured within a span and stored since an instant.
select count(*) as count, min(admitted_at) as at, (min(measured_at) at time zone %(zone)s)::date as on
from reading
where practice_id = %(practice_id)s and patient_id = %(patient_id)s and voided_at is null
    and measured_at >= %(begins)s and measured_at < %(ends)s
    and admitted_at >= %(since)s and admitted_at <= %(now)s;

-- entered_late
-- Time entries of a patient, and what takes them back, of a span and written since an instant.
select count(*) as count, min(created_at) as at, (min(started_at) at time zone %(zone)s)::date as on
from time_entry
where practice_id = %(practice_id)s and patient_id = %(patient_id)s
    and started_at < %(ends)s and ended_at > %(begins)s
    and created_at >= %(since)s and created_at <= %(now)s;

-- away_late
-- What was said, or taken back, since an instant of a patient's stays in hospital within a span.
select patient_pause.withdrawn_at is null as stands, coalesce(patient_pause.withdrawn_at, patient_pause.made_at) as at,
    (begins_at at time zone %(zone)s)::date as on, staff.display_name as by
from patient_pause join staff on staff.id = coalesce(patient_pause.withdrawn_by, patient_pause.made_by)
where patient_pause.practice_id = %(practice_id)s and patient_pause.patient_id = %(patient_id)s
    and patient_pause.reason = 'hospital'
    and patient_pause.begins_at < %(ends)s and coalesce(patient_pause.ended_at, patient_pause.ends_at) > %(begins)s
    and coalesce(patient_pause.withdrawn_at, patient_pause.made_at) between %(since)s and %(now)s
order by patient_pause.id
limit %(limit)s;

-- adjust
-- Write down what is otherwise in a closed month.
insert into claim_adjustment (practice_id, month_id, patient_id, episode_id, noticed_at, changes_codes, before, after, causes)
values (%(practice_id)s, %(month_id)s, %(patient_id)s, %(episode_id)s, %(now)s, %(changes_codes)s, %(before)s, %(after)s,
    %(causes)s);

-- adjustments
-- What was noticed of a practice's closed month, in order.
select closed_month.month, claim_adjustment.noticed_at, patient.public_id, patient.family_name, patient.given_name,
    claim_adjustment.patient_id, claim_adjustment.changes_codes, claim_adjustment.before, claim_adjustment.after,
    claim_adjustment.causes
from claim_adjustment
    join closed_month on closed_month.id = claim_adjustment.month_id
    join patient on patient.id = claim_adjustment.patient_id
where claim_adjustment.practice_id = %(practice_id)s and closed_month.month = %(month)s
order by claim_adjustment.id;
