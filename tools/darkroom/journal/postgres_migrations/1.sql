-- min_reader: 1
-- The tables of the journal, as sqlite_migrations/1.sql to 6.sql make them, for many tenants and principals.
-- Text compares byte by byte, as in SQLite; booleans are integers, as there.

CREATE TABLE intents (
    tenant TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.tenant', true),
    principal TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.principal', true),
    rowid BIGINT GENERATED ALWAYS AS IDENTITY,
    key TEXT COLLATE "C" PRIMARY KEY,
    request_id TEXT COLLATE "C" NOT NULL,
    part INTEGER NOT NULL,
    gateway TEXT COLLATE "C" NOT NULL,
    origin TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL DEFAULT '',
    model TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    output_place TEXT COLLATE "C" NOT NULL DEFAULT '',
    conversation TEXT COLLATE "C" NOT NULL DEFAULT '',
    input TEXT COLLATE "C",                -- whole JSON; NULL once it can no longer be sent
    input_shown TEXT COLLATE "C" NOT NULL, -- the same with data URIs shortened
    file_fields TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    seed TEXT COLLATE "C",                 -- text, because seeds may pass 64 bits
    image_count INTEGER NOT NULL,
    estimate_usd DOUBLE PRECISION,
    has_bound INTEGER NOT NULL DEFAULT 1,
    cost_usd DOUBLE PRECISION,
    cost_basis TEXT COLLATE "C" NOT NULL DEFAULT '',
    cost_note TEXT COLLATE "C" NOT NULL DEFAULT '',
    gateway_request_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('intent', 'sent', 'known', 'refused', 'unknown', 'absent')),
    prediction_id TEXT COLLATE "C",
    status TEXT COLLATE "C",
    prediction TEXT COLLATE "C",           -- the last state seen, JSON of the format
    possible TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    reason TEXT COLLATE "C" NOT NULL DEFAULT '',
    problem TEXT COLLATE "C" NOT NULL DEFAULT '',
    intended_at DOUBLE PRECISION NOT NULL,
    sent_at DOUBLE PRECISION,
    -- Below row-level security no index answers coalesce, which is not proven to leak nothing; statements get this.
    sent_or_intended_at DOUBLE PRECISION GENERATED ALWAYS AS (coalesce(sent_at, intended_at)) STORED,
    known_at DOUBLE PRECISION,
    ended_at DOUBLE PRECISION,
    total_s DOUBLE PRECISION,
    tries INTEGER NOT NULL DEFAULT 0,
    claimed_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_adopted INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT COLLATE "C" NOT NULL DEFAULT '',
    lease_until DOUBLE PRECISION NOT NULL DEFAULT 0,
    wish TEXT COLLATE "C" NOT NULL DEFAULT '',
    called_at DOUBLE PRECISION NOT NULL DEFAULT 0,
    caller TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_left INTEGER NOT NULL DEFAULT 0,
    joined_at DOUBLE PRECISION,
    answered_at DOUBLE PRECISION,
    CHECK ((state = 'known') = (prediction_id IS NOT NULL)),
    CHECK (tenant <> '' AND principal NOT IN ('', '*'))
);

-- One owner in a tenant: whoever is given the prediction first.
CREATE UNIQUE INDEX intents_by_prediction ON intents (tenant, prediction_id);
-- A name of any length, hashed because an entry of an index has at most 2,700 bytes.
CREATE UNIQUE INDEX intents_by_request ON intents (tenant, principal, md5(request_id), part) WHERE request_id <> '';
CREATE INDEX intents_of_request ON intents USING hash (request_id) WHERE request_id <> '';
CREATE INDEX intents_newest ON intents (tenant, intended_at, key);
CREATE INDEX intents_of_conversation ON intents (tenant, conversation, intended_at, key) WHERE is_adopted = 0;
CREATE INDEX intents_by_spending_time ON intents (tenant, sent_or_intended_at, key);
CREATE INDEX intents_timed ON intents (tenant, gateway, model, ended_at) WHERE total_s IS NOT NULL;
CREATE INDEX intents_running ON intents (tenant, origin) WHERE state = 'known' AND ended_at IS NULL;
CREATE INDEX intents_not_known ON intents (tenant, origin, state, sent_at) WHERE state <> 'known';
CREATE INDEX intents_known ON intents (tenant, origin, known_at);
CREATE INDEX intents_billed ON intents (tenant, origin, model, sent_at) WHERE cost_basis = 'billed';
CREATE INDEX intents_unbilled ON intents (tenant, origin, sent_at) WHERE is_adopted = 0 AND cost_basis <> 'billed';
CREATE INDEX intents_unanswered ON intents (tenant, wish, called_at) WHERE wish <> '' AND answered_at IS NULL;

CREATE TABLE images (
    tenant TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.tenant', true),
    principal TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.principal', true),
    prediction_id TEXT COLLATE "C" NOT NULL,
    idx INTEGER NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('wanted', 'stored', 'expired', 'refused')),
    expires_at DOUBLE PRECISION,
    location TEXT COLLATE "C" NOT NULL DEFAULT '',
    raster_location TEXT COLLATE "C" NOT NULL DEFAULT '', -- of an SVG: the PNG beside it
    mime_type TEXT COLLATE "C" NOT NULL DEFAULT '',
    width_px INTEGER NOT NULL DEFAULT 0,
    height_px INTEGER NOT NULL DEFAULT 0,
    size_bytes BIGINT NOT NULL DEFAULT 0,
    sha256 TEXT COLLATE "C" NOT NULL DEFAULT '',
    is_transparent INTEGER,                               -- NULL where nobody has looked
    problem TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, prediction_id, idx),
    CHECK (tenant <> '' AND principal NOT IN ('', '*'))
);

CREATE INDEX images_wanted ON images (tenant, prediction_id) WHERE state = 'wanted';
CREATE INDEX images_refused ON images (tenant, prediction_id) WHERE state = 'refused';

-- What the principals of a tenant share: the secret of its account names, turns, accounts and their rates.
CREATE TABLE meta (
    tenant TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.tenant', true) CHECK (tenant <> ''),
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE accounts (
    tenant TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.tenant', true) CHECK (tenant <> ''),
    account TEXT COLLATE "C" NOT NULL,   -- a keyed hash of the key
    origin TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL DEFAULT '',
    seen_at DOUBLE PRECISION NOT NULL,
    has_token_log INTEGER,
    PRIMARY KEY (tenant, account)
);

CREATE TABLE rates (
    tenant TEXT COLLATE "C" NOT NULL DEFAULT current_setting('darkroom.tenant', true) CHECK (tenant <> ''),
    name TEXT COLLATE "C" NOT NULL,          -- what is bounded, for which account
    idle_at DOUBLE PRECISION NOT NULL,       -- when all that was let go has had its interval
    frozen_until DOUBLE PRECISION NOT NULL,  -- the gateway wants to hear nothing before
    noted_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (tenant, name)
);

-- Sums over all time of one principal, kept by the triggers below.
CREATE TABLE tallies (
    tenant TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    prediction_count INTEGER NOT NULL DEFAULT 0,
    unresolved_count INTEGER NOT NULL DEFAULT 0,
    settled_usd DOUBLE PRECISION NOT NULL DEFAULT 0,
    reserved_usd DOUBLE PRECISION NOT NULL DEFAULT 0,
    unpriced_count INTEGER NOT NULL DEFAULT 0,
    stored_count INTEGER NOT NULL DEFAULT 0,
    expired_count INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, principal)
);

-- An image belongs to whoever has its prediction, also where a worker writes it down.
CREATE FUNCTION image_gets_its_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.principal := coalesce((SELECT principal FROM intents WHERE tenant = NEW.tenant
        AND prediction_id = NEW.prediction_id), NEW.principal);
    RETURN NEW;
END $$;

CREATE TRIGGER images_owner BEFORE INSERT ON images FOR EACH ROW EXECUTE FUNCTION image_gets_its_owner();

CREATE FUNCTION images_follow_their_prediction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE images SET principal = NEW.principal WHERE tenant = NEW.tenant AND prediction_id = NEW.prediction_id
        AND principal <> NEW.principal;
    RETURN NULL;
END $$;

CREATE TRIGGER intents_owner AFTER UPDATE OF prediction_id ON intents FOR EACH ROW
    WHEN (NEW.prediction_id IS NOT NULL AND OLD.prediction_id IS NULL)
    EXECUTE FUNCTION images_follow_their_prediction();

CREATE FUNCTION add_intent(own intents, sign INTEGER) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    is_paid BOOLEAN := own.is_adopted = 0 AND own.state IN ('sent', 'unknown', 'known');
    price DOUBLE PRECISION := coalesce(own.cost_usd,
        CASE WHEN own.status = 'aborted' THEN 0 ELSE own.estimate_usd END);
    settled DOUBLE PRECISION :=
        CASE WHEN is_paid AND own.ended_at IS NOT NULL THEN sign * coalesce(price, 0) ELSE 0 END;
    reserved DOUBLE PRECISION :=
        CASE WHEN is_paid AND own.ended_at IS NULL THEN sign * coalesce(price, 0) ELSE 0 END;
    unpriced INTEGER := CASE WHEN is_paid AND price IS NULL THEN sign ELSE 0 END;
    predictions INTEGER := CASE WHEN own.state = 'known' THEN sign ELSE 0 END;
    unresolved INTEGER := CASE WHEN own.state IN ('sent', 'unknown') THEN sign ELSE 0 END;
BEGIN
    INSERT INTO tallies AS sums
        (tenant, principal, prediction_count, unresolved_count, settled_usd, reserved_usd, unpriced_count)
    VALUES (own.tenant, own.principal, predictions, unresolved, settled, reserved, unpriced)
    ON CONFLICT (tenant, principal) DO UPDATE SET
        prediction_count = sums.prediction_count + predictions,
        unresolved_count = sums.unresolved_count + unresolved,
        settled_usd = sums.settled_usd + settled,
        reserved_usd = sums.reserved_usd + reserved,
        unpriced_count = sums.unpriced_count + unpriced;
END $$;

CREATE FUNCTION tally_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM add_intent(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM add_intent(NEW, 1); END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER intents_tally AFTER INSERT OR DELETE OR UPDATE OF
    state, status, cost_usd, estimate_usd, ended_at, is_adopted, principal
    ON intents FOR EACH ROW EXECUTE FUNCTION tally_intent();

CREATE FUNCTION add_image(own images, sign INTEGER) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stored INTEGER := CASE WHEN own.state = 'stored' THEN sign ELSE 0 END;
    expired INTEGER := CASE WHEN own.state = 'expired' THEN sign ELSE 0 END;
BEGIN
    IF stored = 0 AND expired = 0 THEN RETURN; END IF;
    INSERT INTO tallies AS sums (tenant, principal, stored_count, expired_count)
    VALUES (own.tenant, own.principal, stored, expired)
    ON CONFLICT (tenant, principal) DO UPDATE SET
        stored_count = sums.stored_count + stored, expired_count = sums.expired_count + expired;
END $$;

CREATE FUNCTION tally_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM add_image(OLD, -1); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM add_image(NEW, 1); END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER images_tally AFTER INSERT OR DELETE OR UPDATE OF state, principal ON images
    FOR EACH ROW EXECUTE FUNCTION tally_image();

-- Whose rows they are: set for one transaction; '*' is every principal of the tenant, and nothing set is nobody.
ALTER TABLE intents ENABLE ROW LEVEL SECURITY;
ALTER TABLE intents FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON intents USING (tenant = current_setting('darkroom.tenant', true)
    AND current_setting('darkroom.principal', true) IN ('*', principal));
ALTER TABLE images ENABLE ROW LEVEL SECURITY;
ALTER TABLE images FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON images USING (tenant = current_setting('darkroom.tenant', true)
    AND current_setting('darkroom.principal', true) IN ('*', principal));
ALTER TABLE tallies ENABLE ROW LEVEL SECURITY;
ALTER TABLE tallies FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON tallies USING (tenant = current_setting('darkroom.tenant', true)
    AND current_setting('darkroom.principal', true) IN ('*', principal));
ALTER TABLE meta ENABLE ROW LEVEL SECURITY;
ALTER TABLE meta FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON meta USING (tenant = current_setting('darkroom.tenant', true));
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts USING (tenant = current_setting('darkroom.tenant', true));
ALTER TABLE rates ENABLE ROW LEVEL SECURITY;
ALTER TABLE rates FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON rates USING (tenant = current_setting('darkroom.tenant', true));

GRANT SELECT, INSERT, UPDATE, DELETE ON intents, images, meta, accounts, rates, tallies TO :"app", :"worker";
