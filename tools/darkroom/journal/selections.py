"""Which intents the journal reads, as the ends of its statements."""

from darkroom.journal.states import DOUBTFUL, in_list

# What waits for its images or its end. A prediction without an image yet is taken to expire an hour after it was known.
UNFINISHED = """WHERE key IN (SELECT key FROM intents WHERE origin = ? AND state = 'known' AND ended_at IS NULL
    UNION SELECT intents.key FROM images CROSS JOIN intents
    WHERE images.state = 'wanted' AND intents.prediction_id = images.prediction_id AND intents.origin = ?)
    ORDER BY coalesce((SELECT min(expires_at) FROM images WHERE prediction_id = intents.prediction_id
    AND state = 'wanted'), known_at + 3600), key"""
UNRESOLVED = f"WHERE origin = ? AND state <> 'known' AND state IN {in_list(DOUBTFUL)} ORDER BY sent_at, key"
ABSENT = "WHERE origin = ? AND state <> 'known' AND state = 'absent' AND sent_at >= ? ORDER BY sent_at, key"
SECONDS = """SELECT total_s FROM intents WHERE gateway = ? AND model = ? AND total_s IS NOT NULL
    ORDER BY ended_at DESC, key DESC LIMIT ?"""
NEWEST_FIRST = "ORDER BY intended_at DESC, key DESC LIMIT ?"
OF_CONVERSATION = f"WHERE conversation = ? AND is_adopted = 0 {NEWEST_FIRST}"
OLDER = "WHERE (intended_at, key) < (SELECT intended_at, key FROM intents WHERE key = ?)"
