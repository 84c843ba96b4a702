-- Who gateways and services are: certificates, the claims by which boxes are let in, the lists of what is revoked.
-- Runs before the code: nothing that is there is touched.

-- Every certificate that was ever signed. A service's practice is 0, the installation's.
create table certificate (
    serial text primary key,
    authority text not null check (authority in ('gateways', 'services')),
    practice_id integer not null references practice,
    name text not null,
    role text not null check (role in ('gateway', 'worker', 'guard')),
    public_key bytea not null,
    pem text not null,
    issued_at timestamptz not null,
    not_after timestamptz not null check (not_after > issued_at),
    -- Its owner was born at the broker with it.
    seen_at timestamptz,
    -- The broker has an account of this name with its role.
    granted_at timestamptz,
    -- From then on it is on the list. In the future for one whose successor was seen.
    revoked_at timestamptz,
    revoked_why text check (revoked_why in ('revoked', 'replaced', 'superseded')),
    -- The broker has the list, and has thrown its owner out.
    cut_at timestamptz,
    check ((revoked_at is null) = (revoked_why is null))
);
create index certificate_by_name on certificate (name, issued_at);
create index certificate_to_grant on certificate (issued_at) where granted_at is null;
create index certificate_revoked on certificate (revoked_at) where revoked_at is not null;

-- A box is let in once, by a code. Only the hash of the code is kept.
create table gateway_claim (
    id bigint generated always as identity primary key,
    practice_id integer not null references practice,
    gateway_id text not null references gateway,
    code_hash bytea not null unique,
    opened_by bigint not null references staff,
    opened_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > opened_at),
    withdrawn_at timestamptz,
    used_at timestamptz,
    serial text references certificate,
    check ((used_at is null) = (serial is null))
);
create index gateway_claim_by_gateway on gateway_claim (gateway_id, opened_at);

-- The newest few lists of each authority; the broker's guard fetches the newest.
create table revocation_list (
    authority text not null check (authority in ('gateways', 'services')),
    number bigint not null,
    issued_at timestamptz not null,
    next_update timestamptz not null,
    serials text[] not null,
    pem text not null,
    primary key (authority, number)
);
