-- beat
-- A stage of the pipeline is alive.
insert into heartbeat (stage, beat_at, detail)
values (%(stage)s, %(now)s, %(detail)s)
on conflict (stage) do update set beat_at = greatest(heartbeat.beat_at, excluded.beat_at), detail = excluded.detail;

-- list
-- When each stage was last alive.
select stage, beat_at, detail from heartbeat order by stage;

-- since
-- When one stage was last alive.
select beat_at from heartbeat where stage = %(stage)s;
