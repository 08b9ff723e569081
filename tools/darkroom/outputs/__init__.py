"""Everything that touches pictures on disk: bringing outputs home, previews of them, and input images.

Nothing is imported here, so that the start of the server pays for none of it:

    store.py       OutputStore: streams an output into the output folder; local.py and cloud.py are the two targets
    preview.py     small pictures for the chat
    inputs.py      image references of the assistant -> what the gateway accepts; local_files.py opens paths safely
    formats.py     type and size out of the first bytes, without decoding; metadata.py drops EXIF and the like
    decoding.py    the only way to Pillow: a short-lived process that runs render.py under limits
"""
