"""Crash points, for tests: the lines between what the world knows and what the journal knows."""

from enum import StrEnum


class CrashPoint(StrEnum):
    """In the order in which one prediction passes them; tests end the process at each."""

    INTENDED = "intents written, nothing claimed"
    BEFORE_CLAIM = "before the claim"
    CLAIMED = "claimed, before the POST"
    REFUSED = "refused, before it is marked"
    AMBIGUOUS = "ambiguous, before it is marked"
    CREATED = "created, before its id is written"
    ID_KEPT = "its id kept in a file, because the journal cannot be written"
    ID_WRITTEN = "id written"
    LISTED = "list read, before doubts are settled"
    SETTLED = "doubts settled, before they are followed"
    SEEN = "state seen, before it is noted"
    ENDED = "end noted"
    IMAGE_STORED = "image stored, before it is noted"
    IMAGE_NOTED = "image noted"
