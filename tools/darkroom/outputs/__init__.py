"""Everything that touches images on disk: saving outputs, previews of them, and input images.

    places.py    the store of each place that the journal names: store.py, on the two targets local.py and cloud.py
    incoming.py  an output while its bytes come in
    preview.py   small images for the chat, sheet_layout.py where they stand on a contact sheet; early_previews.py
                 begins with them while an image is saved
    appearance.py   whether an image is transparent, and the PNG beside an SVG
    inputs.py    image references -> what the gateway accepts, with local_files.py (paths) and input_images.py (bytes)
    uploads.py   pictures that the person has put in by hand
    links.py     links to images for people who cannot reach the place
    formats.py   what the bytes say, without decoding; whole.py finds their end, metadata.py drops EXIF and the like
    decoding.py  the only way to Pillow and resvg: decoders.py keeps processes that run `darkroom.decoder` under limits,
                 decoder_process.py is one of them

Only the stores are imported here; previews and inputs are imported where they are needed.
"""

from darkroom.outputs.naming import ImageName
from darkroom.outputs.places import OutputStores, open_target
from darkroom.outputs.store import OutputStore, Saved

__all__ = ["ImageName", "OutputStore", "OutputStores", "Saved", "open_target"]
