"""Everything that touches images on disk: saving outputs, previews of them, and input images.

    places.py      OutputStores: the store of each place that a row of the journal names
    store.py       OutputStore: streams an output into its place; local.py and cloud.py are the two targets
    naming.py      the names of files; whole.py: whether a file has its end
    preview.py     small images for the chat
    inputs.py      image references of the assistant -> what the gateway accepts; local_files.py opens paths safely,
                   input_images.py makes the bytes fit to send
    formats.py     type and size out of the first bytes, without decoding; metadata.py drops EXIF and the like
    decoding.py    the only way to Pillow: a short-lived process that runs render.py under limits

Only the stores are imported here; previews and inputs are imported where they are needed.
"""

from darkroom.outputs.naming import ImageName
from darkroom.outputs.places import OutputStores, open_target
from darkroom.outputs.store import OutputStore, Saved

__all__ = ["ImageName", "OutputStore", "OutputStores", "Saved", "open_target"]
