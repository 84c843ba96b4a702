-- one_at_a_time
-- Whether this transaction may let go.
select pg_try_advisory_xact_lock(%(key)s) as mine;

-- oldest_chunks
-- The oldest chunks of a table that lie before an instant with all they may hold.
select range_start, range_end
from timescaledb_information.chunks
where hypertable_schema = 'public' and hypertable_name = %(relation)s and range_end <= %(before)s
order by range_end
limit %(limit)s;

-- rows_of_message
-- How many messages of each practice are from before an instant.
select practice_id, count(*) as number from message where received_at < %(before)s group by practice_id order by practice_id;

-- rows_of_reading
-- How many readings of each practice are from before an instant.
select practice_id, count(*) as number from reading where measured_at < %(before)s group by practice_id order by practice_id;

-- drop_chunks
-- Let go of every chunk of a table that ends before an instant.
select drop_chunks(%(relation)s::regclass, older_than => %(before)s::timestamptz);

-- remember
-- Since when a table is complete.
insert into retention (relation, dropped_before) values (%(relation)s, %(before)s);

-- dropped_before
-- Since when a table is complete; null: since ever.
select max(dropped_before) as dropped_before from retention where relation = %(relation)s;
