-- real_patients
-- Whether anybody here is not made up.
select exists (select from patient where not synthetic) as found;

-- practice
-- The practice of made-up patients, and whether somebody real is among them.
select practice.id, exists (select from patient where patient.practice_id = practice.id and not synthetic) as real
from practice
where practice.id > 0 and name = %(name)s
order by practice.id
limit 1;

-- add_gateways
-- Enter simulated gateways, or take them out of retirement; how many are this practice's now.
with entered as (
    insert into gateway (id, practice_id, label, created_at)
    select id, %(practice_id)s, 'Simulated', %(now)s from unnest(%(gateways)s::text[]) as row (id)
    on conflict (id) do update set retired_at = null where gateway.practice_id = excluded.practice_id
    returning id
)
select count(*) as entered from entered;

-- add_people
-- A made-up patient for each cuff that is not here yet, and the cuff in their hands. No enrolment: nobody looks after them.
with wanted as (
    select address, row_number() over (order by address) as place
    from unnest(%(addresses)s::text[]) as row (address)
    where not exists (
        select from device where device.practice_id = %(practice_id)s and device.address = row.address
    )
), people as (
    insert into patient (practice_id, given_name, family_name, birth_date, time_zone, synthetic, created_at)
    select %(practice_id)s, 'Load', 'Made-up ' || address, '1950-03-01', %(time_zone)s, true, %(now)s
    from wanted order by place
    returning id
), devices as (
    insert into device (practice_id, address, kind, label, created_at)
    select %(practice_id)s, address, 'blood_pressure', 'simulated cuff', %(now)s from wanted order by place
    returning id
)
insert into device_assignment (practice_id, device_id, user_slot, patient_id, during)
select %(practice_id)s, device.id, 1, person.id, tstzrange(%(since)s, null)
from (select id, row_number() over (order by id) as place from devices) as device
    join (select id, row_number() over (order by id) as place from people) as person using (place);

-- take_time
-- In this transaction a statement may take so long, and wait so long for whoever judges or sums up meanwhile.
select set_config('statement_timeout', %(limit)s, true), set_config('lock_timeout', %(limit)s, true);

-- last_number
-- The number of the newest reading: what comes later has a higher one.
select coalesce(max(reading_no), 0) as number from reading_key;

-- readings_of
-- What is stored of one run. Bounded by number and time: the time finds the chunks, the number the rows.
select reading_no, gateway_id, seq
from reading
where reading_no > %(after)s and measured_at > %(since)s and measured_at <= %(until)s and epoch = %(epoch)s;

-- values_of
-- How many values the readings of a practice have, of those numbered from a number on.
select reading_no, count(*) as count
from observation
where practice_id = %(practice_id)s and reading_no > %(after)s and measured_at > %(since)s and measured_at <= %(until)s
group by reading_no;

-- held_of
-- How many rows of one run are held, by reason.
select reason, count(*) as count from held where practice_id = %(practice_id)s and epoch = %(epoch)s group by reason;

-- forget_readings
-- What was measured of made-up patients, with its names and deliveries; how many readings.
with gone as (
    delete from reading where practice_id = %(practice_id)s returning reading_id, gateway_id, epoch, seq
), keys as (
    delete from reading_key using gone where reading_key.reading_id = gone.reading_id
), told as (
    delete from delivery using gone
    where delivery.gateway_id = gone.gateway_id and delivery.epoch = gone.epoch and delivery.seq = gone.seq
)
select count(*) as count from gone;

-- forget_observations
-- Their values.
delete from observation where practice_id = %(practice_id)s;

-- forget_latest
-- The newest of them.
delete from latest where practice_id = %(practice_id)s;

-- forget_news
-- That there is something new to judge.
delete from patient_news where practice_id = %(practice_id)s;

-- forget_rollups
-- What their days came to.
delete from rollup where practice_id = %(practice_id)s;

-- forget_rollup_marks
-- That days are to be summed anew.
delete from rollup_mark where practice_id = %(practice_id)s;

-- forget_messages
-- The bytes in which it came.
delete from message where practice_id = %(practice_id)s;

-- forget_held
-- What was held, unless somebody was told of it.
delete from held
where practice_id = %(practice_id)s and not exists (select from alert where alert.held_id = held.id);

-- retire_gateways
-- Simulated gateways are silent from now on, and that is as it should be.
update gateway set retired_at = %(now)s where practice_id = %(practice_id)s and retired_at is null;
