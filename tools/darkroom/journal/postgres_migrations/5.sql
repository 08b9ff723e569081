-- min_reader: 1
-- What one person has spent is summed out of this index alone, each time they look at it.
CREATE INDEX intents_spent_by_person ON intents (tenant, principal, sent_or_intended_at)
    INCLUDE (model, state, status, cost_usd, estimate_usd) WHERE is_adopted = 0 AND state IN ('sent', 'unknown', 'known');
