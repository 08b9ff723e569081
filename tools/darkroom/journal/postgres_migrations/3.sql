-- min_reader: 1
-- What workers do: the queue of procrastinate, and which gateway accounts have something open. Neither is bound to a
-- tenant, and neither holds more than names: a worker asks for both before it knows whose turn it is.
-- A later procrastinate brings its own migrations in a step of their own.

-- include: procrastinate.sql/schema.sql

CREATE TABLE busy_accounts (
    tenant TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    look_at DOUBLE PRECISION NOT NULL,  -- when it is to be watched again
    PRIMARY KEY (tenant, account)
);

CREATE INDEX intents_open_of_account ON intents (tenant, account, known_at)
    WHERE state = 'known' AND ended_at IS NULL;
CREATE INDEX intents_doubtful_of_account ON intents (tenant, account, sent_at)
    WHERE state IN ('sent', 'unknown', 'absent');

GRANT SELECT, INSERT, UPDATE, DELETE ON busy_accounts, procrastinate_jobs, procrastinate_events,
    procrastinate_periodic_defers, procrastinate_workers TO :"app", :"worker";
GRANT USAGE, SELECT ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq,
    procrastinate_periodic_defers_id_seq, procrastinate_workers_id_seq TO :"app", :"worker";
