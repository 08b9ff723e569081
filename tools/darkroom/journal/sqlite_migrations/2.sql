CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)

CREATE TABLE accounts (
    account TEXT PRIMARY KEY,    -- a keyed hash of the key
    origin TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    seen_at REAL NOT NULL
)

ALTER TABLE intents ADD COLUMN account TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN output_place TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN conversation TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN possible TEXT NOT NULL DEFAULT '[]'

ALTER TABLE intents ADD COLUMN problem TEXT NOT NULL DEFAULT ''

ALTER TABLE intents DROP COLUMN fingerprint

ALTER TABLE intents DROP COLUMN lease_token

DROP INDEX images_wanted

ALTER TABLE images RENAME TO old_images

CREATE TABLE images (
    prediction_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'stored', 'expired', 'refused')),
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

INSERT INTO images (prediction_id, idx, url, state, expires_at, location, mime_type, width_px, height_px, size_bytes, sha256, problem) SELECT prediction_id, idx, url, state, expires_at, location, mime_type, width_px, height_px, size_bytes, sha256, problem FROM old_images

DROP TABLE old_images

UPDATE images SET expires_at = (SELECT known_at + 3600 FROM intents WHERE prediction_id = images.prediction_id)
    WHERE expires_at IS NULL

CREATE INDEX images_wanted ON images (prediction_id) WHERE state = 'wanted'

CREATE INDEX images_refused ON images (prediction_id) WHERE state = 'refused'

DROP INDEX intents_open

DROP INDEX intents_by_time

CREATE INDEX intents_newest ON intents (intended_at, key)

CREATE INDEX intents_own_newest ON intents (intended_at, key) WHERE is_adopted = 0

CREATE INDEX intents_of_conversation ON intents (conversation, intended_at, key) WHERE is_adopted = 0

CREATE INDEX intents_running ON intents (origin, ended_at) WHERE state = 'known' AND ended_at IS NULL

CREATE INDEX intents_not_known ON intents (origin, state, sent_at) WHERE state <> 'known'

CREATE INDEX intents_known ON intents (origin, known_at)

CREATE VIEW intent_sums AS
SELECT key,
    state = 'known' AS prediction_count,
    state IN ('sent', 'unknown') AS unresolved_count,
    CASE WHEN is_paid AND ended_at IS NOT NULL THEN coalesce(price, 0) ELSE 0 END AS settled_usd,
    CASE WHEN is_paid AND ended_at IS NULL THEN coalesce(price, 0) ELSE 0 END AS reserved_usd,
    is_paid AND price IS NULL AS unpriced_count
FROM (SELECT key, state, ended_at,
    is_adopted = 0 AND state IN ('sent', 'unknown', 'known') AS is_paid,
    CASE status WHEN 'aborted' THEN 0 ELSE coalesce(cost_usd, estimate_usd) END AS price
    FROM intents) AS creates

CREATE VIEW image_sums AS
SELECT prediction_id, idx, state = 'stored' AS stored_count, state = 'expired' AS expired_count FROM images

CREATE TABLE tallies (
    prediction_count INTEGER NOT NULL,
    unresolved_count INTEGER NOT NULL,
    settled_usd REAL NOT NULL,
    reserved_usd REAL NOT NULL,
    unpriced_count INTEGER NOT NULL,
    stored_count INTEGER NOT NULL,
    expired_count INTEGER NOT NULL
)

INSERT INTO tallies SELECT
    coalesce(sum(prediction_count), 0), coalesce(sum(unresolved_count), 0), coalesce(sum(settled_usd), 0),
    coalesce(sum(reserved_usd), 0), coalesce(sum(unpriced_count), 0),
    (SELECT count(*) FROM images WHERE state = 'stored'), (SELECT count(*) FROM images WHERE state = 'expired')
FROM intent_sums

CREATE TRIGGER intents_come AFTER INSERT ON intents BEGIN
    UPDATE tallies SET prediction_count = tallies.prediction_count + sums.prediction_count,
    unresolved_count = tallies.unresolved_count + sums.unresolved_count,
    settled_usd = tallies.settled_usd + sums.settled_usd,
    reserved_usd = tallies.reserved_usd + sums.reserved_usd,
    unpriced_count = tallies.unpriced_count + sums.unpriced_count FROM intent_sums AS sums WHERE sums.key = NEW.key;
END

CREATE TRIGGER intents_change_from BEFORE UPDATE OF state, status, cost_usd, estimate_usd, ended_at, is_adopted ON intents BEGIN
    UPDATE tallies SET prediction_count = tallies.prediction_count - sums.prediction_count,
    unresolved_count = tallies.unresolved_count - sums.unresolved_count,
    settled_usd = tallies.settled_usd - sums.settled_usd,
    reserved_usd = tallies.reserved_usd - sums.reserved_usd,
    unpriced_count = tallies.unpriced_count - sums.unpriced_count FROM intent_sums AS sums WHERE sums.key = OLD.key;
END

CREATE TRIGGER intents_change_to AFTER UPDATE OF state, status, cost_usd, estimate_usd, ended_at, is_adopted ON intents BEGIN
    UPDATE tallies SET prediction_count = tallies.prediction_count + sums.prediction_count,
    unresolved_count = tallies.unresolved_count + sums.unresolved_count,
    settled_usd = tallies.settled_usd + sums.settled_usd,
    reserved_usd = tallies.reserved_usd + sums.reserved_usd,
    unpriced_count = tallies.unpriced_count + sums.unpriced_count FROM intent_sums AS sums WHERE sums.key = NEW.key;
END

CREATE TRIGGER intents_go BEFORE DELETE ON intents BEGIN
    UPDATE tallies SET prediction_count = tallies.prediction_count - sums.prediction_count,
    unresolved_count = tallies.unresolved_count - sums.unresolved_count,
    settled_usd = tallies.settled_usd - sums.settled_usd,
    reserved_usd = tallies.reserved_usd - sums.reserved_usd,
    unpriced_count = tallies.unpriced_count - sums.unpriced_count FROM intent_sums AS sums WHERE sums.key = OLD.key;
END

CREATE TRIGGER images_come AFTER INSERT ON images BEGIN
    UPDATE tallies SET stored_count = tallies.stored_count + sums.stored_count,
    expired_count = tallies.expired_count + sums.expired_count FROM image_sums AS sums WHERE sums.prediction_id = NEW.prediction_id AND sums.idx = NEW.idx;
END

CREATE TRIGGER images_change_from BEFORE UPDATE OF state ON images BEGIN
    UPDATE tallies SET stored_count = tallies.stored_count - sums.stored_count,
    expired_count = tallies.expired_count - sums.expired_count FROM image_sums AS sums WHERE sums.prediction_id = OLD.prediction_id AND sums.idx = OLD.idx;
END

CREATE TRIGGER images_change_to AFTER UPDATE OF state ON images BEGIN
    UPDATE tallies SET stored_count = tallies.stored_count + sums.stored_count,
    expired_count = tallies.expired_count + sums.expired_count FROM image_sums AS sums WHERE sums.prediction_id = NEW.prediction_id AND sums.idx = NEW.idx;
END

CREATE TRIGGER images_go BEFORE DELETE ON images BEGIN
    UPDATE tallies SET stored_count = tallies.stored_count - sums.stored_count,
    expired_count = tallies.expired_count - sums.expired_count FROM image_sums AS sums WHERE sums.prediction_id = OLD.prediction_id AND sums.idx = OLD.idx;
END
