-- min_reader: 1
-- What the page for people shows to administrators of a tenant: who they are, and the audit of their tenant.

CREATE TABLE administrators (
    tenant TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    since TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, principal),
    FOREIGN KEY (tenant, principal) REFERENCES principals (tenant, principal)
);

-- No role but the owner reads or writes the table; a replica asks about one person.
ALTER TABLE administrators ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION administered_by(hash TEXT) RETURNS SETOF TEXT LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path FROM CURRENT AS $$ SELECT tenant FROM administrators WHERE principal = hash ORDER BY tenant $$;

REVOKE ALL ON FUNCTION administered_by(TEXT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION administered_by(TEXT) TO :"app", :"worker";

CREATE INDEX audit_of_tenant ON audit (tenant, number);

-- Of the tenant whose whole rows the transaction sees.
CREATE FUNCTION latest_acts(most INTEGER) RETURNS TABLE (at TIMESTAMPTZ, who TEXT, act TEXT, which TEXT)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT at, who, act, which FROM audit WHERE tenant = current_setting('darkroom.tenant', true)
        AND current_setting('darkroom.principal', true) = '*' ORDER BY number DESC LIMIT most $$;

REVOKE ALL ON FUNCTION latest_acts(INTEGER) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION latest_acts(INTEGER) TO :"app";
