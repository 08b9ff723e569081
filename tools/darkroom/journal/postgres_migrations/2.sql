-- min_reader: 1
-- Tenants and who belongs to them: gateway accounts with sealed keys, limits, tokens of machines, and the audit.
-- The owner administers them. Row-level security binds the roles of replicas and workers, not the owner, so it is not
-- forced here.

CREATE TABLE tenants (
    name TEXT COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    zone TEXT COLLATE "C" NOT NULL DEFAULT 'UTC',  -- in which its spending day begins
    usd_per_day DOUBLE PRECISION CHECK (usd_per_day >= 0 AND usd_per_day < 'Infinity'),
    added_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE principals (
    tenant TEXT COLLATE "C" NOT NULL REFERENCES tenants (name),
    principal TEXT COLLATE "C" NOT NULL CHECK (principal NOT IN ('', '*')),  -- the hash that names them elsewhere
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    usd_per_day DOUBLE PRECISION CHECK (usd_per_day >= 0 AND usd_per_day < 'Infinity'),
    first_seen_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, principal)
);

CREATE TABLE gateway_accounts (
    id TEXT COLLATE "C" PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL REFERENCES tenants (name),
    principal TEXT COLLATE "C" NOT NULL DEFAULT '',  -- whose own it is; '' for the team's
    gateway TEXT COLLATE "C" NOT NULL,
    base_url TEXT COLLATE "C" NOT NULL DEFAULT '',   -- '' for the gateway's own
    sealed_key BYTEA NOT NULL,
    sealed_secret BYTEA,                             -- of its webhooks
    creates_per_minute INTEGER CHECK (creates_per_minute > 0),
    set_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant, principal, gateway, base_url)
);

CREATE TABLE tokens (
    sha256 BYTEA PRIMARY KEY,
    tenant TEXT COLLATE "C" NOT NULL REFERENCES tenants (name),
    subject TEXT COLLATE "C" NOT NULL,
    made_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at TIMESTAMPTZ
);

-- Who did what, when, and to which: no prompt and no key. Replicas only add rows.
CREATE TABLE audit (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    tenant TEXT COLLATE "C" NOT NULL,
    who TEXT COLLATE "C" NOT NULL,   -- a principal's hash, or an administrator
    act TEXT COLLATE "C" NOT NULL,
    which TEXT COLLATE "C" NOT NULL
);

-- What forgotten persons have spent still counts for their tenant's day.
CREATE TABLE forgotten_spending (
    tenant TEXT COLLATE "C" NOT NULL REFERENCES tenants (name),
    spent_at DOUBLE PRECISION NOT NULL,
    usd DOUBLE PRECISION NOT NULL
);

CREATE INDEX forgotten_spending_by_time ON forgotten_spending (tenant, spent_at);

-- Each create that is sent, whoever writes the statement.
CREATE FUNCTION audit_create() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (tenant, who, act, which) VALUES (NEW.tenant, NEW.principal, 'create', NEW.key);
    RETURN NULL;
END $$;

CREATE TRIGGER intents_audit AFTER UPDATE OF state ON intents FOR EACH ROW
    WHEN (NEW.state = 'sent' AND OLD.state <> 'sent') EXECUTE FUNCTION audit_create();

-- What is asked before the tenant is known. They run as the owner and give no more than is needed.
CREATE FUNCTION tenant_names() RETURNS SETOF TEXT LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT name FROM tenants ORDER BY name $$;

CREATE FUNCTION token_owner(hash BYTEA) RETURNS TABLE (tenant TEXT, subject TEXT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT tenant, subject FROM tokens WHERE sha256 = hash AND (expires_at IS NULL OR expires_at > now()) $$;

CREATE FUNCTION account_places() RETURNS TABLE (id TEXT, tenant TEXT, principal TEXT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT id, tenant, principal FROM gateway_accounts ORDER BY id $$;

REVOKE ALL ON FUNCTION tenant_names(), token_owner(BYTEA), account_places() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_names(), token_owner(BYTEA), account_places() TO :"app", :"worker";

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants USING (name = current_setting('darkroom.tenant', true));
ALTER TABLE principals ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON principals USING (tenant = current_setting('darkroom.tenant', true)
    AND current_setting('darkroom.principal', true) IN ('*', principal));
ALTER TABLE gateway_accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON gateway_accounts USING (tenant = current_setting('darkroom.tenant', true)
    AND (principal = '' OR current_setting('darkroom.principal', true) IN ('*', principal)));
ALTER TABLE tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON audit FOR INSERT WITH CHECK (tenant = current_setting('darkroom.tenant', true));
ALTER TABLE forgotten_spending ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON forgotten_spending USING (tenant = current_setting('darkroom.tenant', true));

GRANT SELECT ON tenants, gateway_accounts, forgotten_spending TO :"app", :"worker";
GRANT SELECT, INSERT ON principals TO :"app", :"worker";
GRANT INSERT ON audit TO :"app", :"worker";
