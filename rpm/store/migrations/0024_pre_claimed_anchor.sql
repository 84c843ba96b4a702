-- Where an episode's periods of device supply begin, once a closed month has claimed one: they stay there, whatever becomes of that day.
alter table enrolment add column claimed_anchor date;
alter table enrolment add column anchor_claimed_at timestamptz;
alter table enrolment add constraint enrolment_anchor_claimed check ((claimed_anchor is null) = (anchor_claimed_at is null));

-- As the months that are closed already have it: the first to be closed stands.
update enrolment set claimed_anchor = claimed.anchor, anchor_claimed_at = claimed.closed_at
from (
    select distinct on (episode_id) (one -> 'episode' ->> 'episode_id')::bigint as episode_id,
        (one -> 'result' ->> 'anchor')::date as anchor, closed_month.practice_id, closed_month.closed_at
    from closed_month, jsonb_array_elements(convert_from(closed_month.report, 'UTF8')::jsonb -> 'rows') as one
    where one -> 'result' ->> 'anchor' is not null
        and jsonb_path_exists(one, '$.codes[*] ? (@.code == "99454" || @.code == "99445")')
    order by episode_id, closed_month.closed_at
) as claimed
where enrolment.id = claimed.episode_id and enrolment.practice_id = claimed.practice_id;
