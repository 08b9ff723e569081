CREATE TABLE intents (
    key TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    origin TEXT NOT NULL,
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    input TEXT,                  -- whole JSON; NULL once it can no longer be sent
    input_shown TEXT NOT NULL,   -- the same with data URIs shortened
    file_fields TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request TEXT NOT NULL,
    seed TEXT,                   -- text, because seeds may pass 64 bits
    image_count INTEGER NOT NULL,
    estimate_usd REAL,
    cost_usd REAL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'sent', 'known', 'refused', 'unknown', 'absent')),
    prediction_id TEXT UNIQUE,
    status TEXT,
    prediction TEXT,             -- the last state seen, JSON of the format
    reason TEXT NOT NULL DEFAULT '',
    intended_at REAL NOT NULL,
    sent_at REAL,
    known_at REAL,
    ended_at REAL,
    total_s REAL,
    tries INTEGER NOT NULL DEFAULT 0,
    claimed_by TEXT NOT NULL DEFAULT '',
    is_adopted INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT NOT NULL DEFAULT '',
    lease_until REAL NOT NULL DEFAULT 0,
    lease_token INTEGER NOT NULL DEFAULT 0,
    CHECK ((state = 'known') = (prediction_id IS NOT NULL))
)

CREATE UNIQUE INDEX intents_by_request ON intents (request_id, part) WHERE request_id <> ''

CREATE INDEX intents_open ON intents (origin, state) WHERE state <> 'known' OR ended_at IS NULL

CREATE INDEX intents_by_time ON intents (intended_at)

CREATE INDEX intents_by_spending_time ON intents (coalesce(sent_at, intended_at))

CREATE INDEX intents_timed ON intents (gateway, model, ended_at) WHERE total_s IS NOT NULL

CREATE TABLE images (
    prediction_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'stored', 'expired')),
    expires_at REAL,
    location TEXT NOT NULL DEFAULT '',
    mime_type TEXT NOT NULL DEFAULT '',
    width_px INTEGER NOT NULL DEFAULT 0,
    height_px INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    sha256 TEXT NOT NULL DEFAULT '',
    problem TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (prediction_id, idx)
)

CREATE INDEX images_wanted ON images (prediction_id) WHERE state = 'wanted'

CREATE TABLE writers (format INTEGER PRIMARY KEY, version TEXT NOT NULL)
