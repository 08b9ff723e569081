"""Everything that touches pictures on disk: bringing outputs home, previews of them, and input images.

    store.py       OutputStore: streams an output into the output folder; local.py and cloud.py are the two targets
    preview.py     small pictures for the chat
    inputs.py      image references of the assistant -> what the gateway accepts; references.py reads them, local_files.py
                   opens paths safely, input_images.py makes the bytes fit to send
    formats.py     type and size out of the first bytes, without decoding; metadata.py drops EXIF and the like
    decoding.py    the only way to Pillow: a short-lived process that runs render.py under limits

Only the store is imported here; previews and inputs are imported where they are needed.
"""

from darkroom.outputs.store import BringHome, OutputStore, open_target

__all__ = ["BringHome", "OutputStore", "open_target"]
