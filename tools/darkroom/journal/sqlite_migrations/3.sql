ALTER TABLE intents ADD COLUMN has_bound INTEGER NOT NULL DEFAULT 1

ALTER TABLE intents ADD COLUMN cost_basis TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN cost_note TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN gateway_request_id TEXT NOT NULL DEFAULT ''

ALTER TABLE accounts ADD COLUMN has_token_log INTEGER

CREATE INDEX intents_billed ON intents (origin, model, sent_at) WHERE cost_basis = 'billed'

CREATE INDEX intents_unbilled ON intents (origin, sent_at) WHERE is_adopted = 0 AND cost_basis <> 'billed'

DROP VIEW intent_sums

CREATE VIEW intent_sums AS
SELECT key,
    state = 'known' AS prediction_count,
    state IN ('sent', 'unknown') AS unresolved_count,
    CASE WHEN is_paid AND ended_at IS NOT NULL THEN coalesce(price, 0) ELSE 0 END AS settled_usd,
    CASE WHEN is_paid AND ended_at IS NULL THEN coalesce(price, 0) ELSE 0 END AS reserved_usd,
    is_paid AND price IS NULL AS unpriced_count
FROM (SELECT key, state, ended_at,
    is_adopted = 0 AND state IN ('sent', 'unknown', 'known') AS is_paid,
    coalesce(cost_usd, CASE status WHEN 'aborted' THEN 0 ELSE estimate_usd END) AS price
    FROM intents) AS creates
