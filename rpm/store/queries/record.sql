-- patient
-- Who it is.
select to_jsonb(row) as row from (
    select public_id, given_name, family_name, birth_date, phone, language, time_zone, program, synthetic, created_at
    from patient where id = %(patient_id)s and practice_id = %(practice_id)s
) as row;

-- enrolment
-- Episodes of monitoring, with consent and order.
select to_jsonb(row) as row from (
    select started_at, ended_at, established_patient, consented_at, ordered_at, ordered_by, condition_icd10, set_up_at,
        payer_profile
    from enrolment where patient_id = %(patient_id)s and practice_id = %(practice_id)s order by started_at
) as row;

-- device_assignment
-- Devices, from when to when.
select to_jsonb(row) as row from (
    select device.address, device.kind, device.label, device.manufacturer, device.model, device.serial,
        device_assignment.user_slot, lower(device_assignment.during) as since, upper(device_assignment.during) as until,
        device_assignment.confirmed_at, device_assignment.confirmed_how
    from device_assignment join device on device.id = device_assignment.device_id
    where device_assignment.patient_id = %(patient_id)s and device_assignment.practice_id = %(practice_id)s
    order by since, address
) as row;

-- reading
-- Readings: the device's own bytes, every time that is known of them, and how they stand.
select to_jsonb(row) as row from (
    select reading.reading_id, device.address as device, reading.gateway_id, reading.kind, reading.characteristic,
        reading.user_slot, reading.measured_at, reading.device_time, reading.time_source, reading.clock_offset_s,
        reading.uncertainty_s, reading.received_at, reading.admitted_at, reading.sequence_number, reading.backfill,
        reading.late, reading.automatic, reading.status, reading.flags, reading.context, encode(reading.raw, 'hex') as raw,
        encode(reading.raw_context, 'hex') as raw_context, reading.voided_at, message.sha256 is not null as message_kept,
        encode(message.sha256, 'hex') as message_sha256, reading.item_place as place_in_message
    from reading left join device on device.id = reading.device_id
        left join message on message.settled_no = reading.settled_no and message.place = reading.message_place
    where reading.patient_id = %(patient_id)s and reading.practice_id = %(practice_id)s
    order by reading.measured_at, reading.reading_no
) as row;

-- observation
-- Their values, by the number of the quantity and of the unit.
select to_jsonb(row) as row from (
    select reading_key.reading_id, observation.measured_at, observation.code, observation.value, observation.unit,
        observation.quality
    from observation join reading_key on reading_key.reading_no = observation.reading_no
    where observation.patient_id = %(patient_id)s and observation.practice_id = %(practice_id)s
    order by observation.measured_at, reading_key.reading_id, observation.code
) as row;

-- held
-- What is or was held of the patient, as it arrived, and what was decided.
select to_jsonb(row) as row from (
    select held.reading_id, held.state, held.why, held.reason, held.pointer, held.item, encode(held.raw, 'hex') as raw,
        held.gateway_id, held.measured_at, held.held_at, staff.display_name as decided_by, held.decided_at, held.decision
    from held left join staff on staff.id = held.decided_by
    where held.patient_id = %(patient_id)s and held.practice_id = %(practice_id)s order by held.id
) as row;

-- correction
-- Readings that were set aside, put back, or given to whose they are.
select to_jsonb(row) as row from (
    select correction.reading_id, correction.kind, correction.reason, staff.display_name as corrected_by,
        correction.corrected_at
    from correction join staff on staff.id = correction.corrected_by
    where %(patient_id)s in (correction.patient_before, correction.patient_after)
        and correction.practice_id = %(practice_id)s
    order by correction.id
) as row;

-- patient_limit
-- Limits of the patient's own, and who approved them.
select to_jsonb(row) as row from (
    select rule_id, band, quantity, value, unit, approved_by, approved_at
    from patient_limit where patient_id = %(patient_id)s and practice_id = %(practice_id)s order by id
) as row;

-- limit_decision
-- What was decided on limits made of what is usual, by whom and why.
select to_jsonb(row) as row from (
    select rule_id, rule_version, band, quantity, unit, value, instead_of, instead_of_layer, decision, reason,
        staff.display_name as decided_by, decided_at
    from limit_decision join staff on staff.id = limit_decision.decided_by
    where patient_id = %(patient_id)s and limit_decision.practice_id = %(practice_id)s
    order by limit_decision.id
) as row;

-- patient_fact
-- Dry weights and pregnancies, as they were entered, ended and withdrawn.
select to_jsonb(row) as row from (
    select patient_fact.kind, value, unit, from_on, until_on, staff.display_name as entered_by, entered_at, withdrawn_at
    from patient_fact join staff on staff.id = patient_fact.entered_by
    where patient_id = %(patient_id)s and patient_fact.practice_id = %(practice_id)s
    order by patient_fact.id
) as row;

-- alert
-- Alerts with their lives: what happened, when, by whom.
select to_jsonb(row) as row from (
    select alert.public_id, alert.kind, alert.rule_id, alert.rule_version, alert.band, alert.severity, alert.status,
        alert.confirmed, alert.late, alert.reason, alert.evidence, alert.measured_at, alert.opened_at,
        alert.back_in_range_at, alert.acknowledged_at, owner.display_name as acknowledged_by, alert.closed_at,
        closer.display_name as closed_by, alert.disposition, alert.note, (
            select jsonb_agg(
                jsonb_build_object('at', alert_event.at, 'kind', alert_event.kind, 'by', staff.display_name,
                    'reason', alert_event.reason) order by alert_event.id
            )
            from alert_event left join staff on staff.id = alert_event.staff_id where alert_event.alert_id = alert.id
        ) as events
    from alert
        left join staff as owner on owner.id = alert.acknowledged_by
        left join staff as closer on closer.id = alert.closed_by
    where alert.patient_id = %(patient_id)s and alert.practice_id = %(practice_id)s order by alert.id
) as row;

-- notification
-- Who was called about them, by what and whom, whether it went out and arrived.
select to_jsonb(row) as row from (
    select alert.public_id as alert, staff.display_name as recipient, notification.channel, notification.state,
        notification.provider, notification.created_at, notification.sent_at, notification.delivered_at
    from notification
        join alert on alert.id = notification.alert_id
        left join staff on staff.id = notification.recipient_id
    where alert.patient_id = %(patient_id)s and alert.practice_id = %(practice_id)s order by notification.id
) as row;

-- patient_pause
-- When and why the patient was away.
select to_jsonb(row) as row from (
    select patient_pause.reason, patient_pause.note, patient_pause.begins_at, patient_pause.ends_at,
        staff.display_name as made_by, patient_pause.made_at, patient_pause.ended_at, ender.display_name as ended_by,
        patient_pause.withdrawn_at, withdrawer.display_name as withdrawn_by
    from patient_pause
        join staff on staff.id = patient_pause.made_by
        left join staff as ender on ender.id = patient_pause.ended_by
        left join staff as withdrawer on withdrawer.id = patient_pause.withdrawn_by
    where patient_pause.patient_id = %(patient_id)s and patient_pause.practice_id = %(practice_id)s
    order by patient_pause.begins_at
) as row;

-- repeat_wait
-- Readings out of range that waited for a second one, and what came of it.
select to_jsonb(row) as row from (
    select repeat_wait.reading_no, repeat_wait.rule_id, repeat_wait.severity, repeat_wait.measured_at, repeat_wait.began_at,
        repeat_wait.until_at, repeat_wait.asked_at, repeat_wait.ended_at, repeat_wait.outcome
    from repeat_wait
    where repeat_wait.patient_id = %(patient_id)s and repeat_wait.practice_id = %(practice_id)s
    order by repeat_wait.began_at
) as row;

-- gateway_request
-- What the patient was asked at the box.
select to_jsonb(row) as row from (
    select gateway_request.kind, gateway_request.asked_at, staff.display_name as asked_by, gateway_request.state,
        gateway_request.answered_at
    from gateway_request left join staff on staff.id = gateway_request.asked_by
    where gateway_request.patient_id = %(patient_id)s and gateway_request.practice_id = %(practice_id)s
    order by gateway_request.asked_at
) as row;

-- time_entry
-- Minutes of work for the patient; those that take another back say so.
select to_jsonb(row) as row from (
    select time_entry.id as number, staff.display_name as who, time_entry.started_at, time_entry.ended_at, time_entry.service,
        time_entry.activity, time_entry.interactive, time_entry.manual, time_entry.note, time_entry.reverses,
        time_entry.created_at
    from time_entry join staff on staff.id = time_entry.staff_id
    where time_entry.patient_id = %(patient_id)s and time_entry.practice_id = %(practice_id)s order by time_entry.id
) as row;

-- claim_adjustment
-- What changed in a month after it was closed.
select to_jsonb(row) as row from (
    select closed_month.month, claim_adjustment.noticed_at, claim_adjustment.changes_codes, claim_adjustment.before,
        claim_adjustment.after, claim_adjustment.causes
    from claim_adjustment join closed_month on closed_month.id = claim_adjustment.month_id
    where claim_adjustment.patient_id = %(patient_id)s and claim_adjustment.practice_id = %(practice_id)s
    order by claim_adjustment.id
) as row;

-- audit
-- Who saw or changed what; a list that showed the patient among others counts.
select to_jsonb(row) as row from (
    select audit.at, staff.display_name as who, audit.action
    from audit left join staff on staff.id = audit.staff_id
    where audit.practice_id = %(practice_id)s
        and (audit.patient_id = %(patient_id)s
            or audit.detail -> 'patients' @> to_jsonb(%(patient_id)s::bigint))
    order by audit.id
) as row;
