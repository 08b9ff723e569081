ALTER TABLE intents ADD COLUMN has_bound INTEGER NOT NULL DEFAULT 1

ALTER TABLE intents ADD COLUMN cost_basis TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN cost_note TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN gateway_request_id TEXT NOT NULL DEFAULT ''

ALTER TABLE accounts ADD COLUMN has_token_log INTEGER

CREATE INDEX intents_billed ON intents (origin, model, sent_at) WHERE cost_basis = 'billed'

CREATE INDEX intents_unbilled ON intents (origin, sent_at) WHERE is_adopted = 0 AND cost_basis <> 'billed'
