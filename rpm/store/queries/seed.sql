-- practices
-- Who is here already, beside nobody's practice.
select id, name from practice where id > 0 order by id;

-- add_practice
-- Found a practice.
insert into practice (name, time_zone, created_at) values (%(name)s, %(time_zone)s, %(now)s) returning id;

-- add_patient
-- Enter a patient.
insert into patient (practice_id, given_name, family_name, birth_date, phone, language, time_zone, program, created_at)
values (%(practice_id)s, %(given_name)s, %(family_name)s, %(birth_date)s, %(phone)s, %(language)s, %(time_zone)s, %(program)s,
    %(now)s)
returning id;

-- add_enrolment
-- Begin an episode of monitoring with what an auditor asks for.
insert into enrolment (practice_id, patient_id, established_patient, consented_at, ordered_at, ordered_by, condition_icd10,
    set_up_at, payer_profile, started_at)
values (%(practice_id)s, %(patient_id)s, %(established_patient)s, %(consented_at)s, %(ordered_at)s, %(ordered_by)s,
    %(condition_icd10)s, %(set_up_at)s, %(payer_profile)s, %(started_at)s);

-- add_gateway
-- Enter a gateway.
insert into gateway (id, practice_id, label, created_at) values (%(id)s, %(practice_id)s, %(label)s, %(now)s);

-- add_device
-- Enter a device with what it says of itself.
insert into device (practice_id, address, kind, label, manufacturer, model, serial, firmware, single_person, created_at)
values (%(practice_id)s, %(address)s, %(kind)s, %(label)s, %(manufacturer)s, %(model)s, %(serial)s, %(firmware)s,
    %(single_person)s, %(now)s)
returning id;

-- add_assignment
-- Give a slot of a device to a patient from a day on.
insert into device_assignment (practice_id, device_id, user_slot, patient_id, during)
values (%(practice_id)s, %(device_id)s, %(user_slot)s, %(patient_id)s, tstzrange(%(start)s, null));

-- add_time_entry
-- Enter a nurse's time of the past.
insert into time_entry (practice_id, patient_id, staff_id, started_at, ended_at, activity, interactive, note, created_at)
values (%(practice_id)s, %(patient_id)s, %(staff_id)s, %(started_at)s, %(ended_at)s, %(activity)s, %(interactive)s, %(note)s,
    %(ended_at)s);

-- old_alerts
-- Alerts still open that were raised before a time.
select id from alert
where practice_id = %(practice_id)s and status <> 'closed' and opened_at < %(before)s and kind = any(%(kinds)s)
order by id;

-- opened_since
-- Whether an alert about a patient was raised after a time.
select exists (
    select 1 from alert where opened_at >= %(since)s and patient_id is not null and kind <> 'technical'
) as found;
