ALTER TABLE intents ADD COLUMN wish TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN called_at REAL NOT NULL DEFAULT 0

ALTER TABLE intents ADD COLUMN caller TEXT NOT NULL DEFAULT ''

ALTER TABLE intents ADD COLUMN is_left INTEGER NOT NULL DEFAULT 0

ALTER TABLE intents ADD COLUMN joined_at REAL

ALTER TABLE intents ADD COLUMN answered_at REAL

CREATE INDEX intents_unanswered ON intents (wish, called_at) WHERE wish <> '' AND answered_at IS NULL
