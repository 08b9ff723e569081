"""What runs in processes of its own, started and kept by `outputs.decoders`: untrusted bytes meet decoders.

    program.py   the process: its limits, and a copy of it for each request
    frames.py    how requests and answers look on a pipe; the only module that the parent uses too
    raster.py    what Pillow does with one image
    webp.py      a WebP decoded into the wanted size, by the libwebp of Pillow
    encoding.py  a picture made small for the chat
    drawing.py   SVG, cleaned first, then drawn by resvg
    sheet.py     many small pictures on one contact sheet

Only the standard library, Pillow and resvg can be imported here.
"""
