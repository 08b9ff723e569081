"""Models as the gateway itself describes them: asked once a day, kept in files, used for what nobody curated.

Theory of operation. A question has one of three answers: a description, "there is no such model", or "the gateway does
not tell" (a web page, a time-out, a schema that cannot be read). Only the second one refuses a call; the third leaves
the call to the caller's own words, unchecked, and says why. A community model is then run by the version whose schema
was checked, an official one by its name. A curated model is never asked for while its file fits.
"""

from darkroom.live_models.directory import Directory
from darkroom.live_models.running import as_described

__all__ = ["Directory", "as_described"]
