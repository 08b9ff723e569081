CREATE TABLE rates (
    name TEXT PRIMARY KEY,       -- what is bounded, for which account
    idle_at REAL NOT NULL,       -- when all that was let go has had its interval
    frozen_until REAL NOT NULL   -- the gateway wants to hear nothing before
)
