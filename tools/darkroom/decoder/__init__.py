"""What runs in a process of its own, started by `outputs.decoding` for one request: untrusted bytes meet decoders.

    program.py   the process: its limits, one request in, one answer out
    frames.py    how requests and answers look on a pipe; the only module that the parent uses too
    raster.py    what Pillow does with one image
    encoding.py  a picture made small for the chat
    drawing.py   SVG, cleaned first, then drawn by resvg
    sheet.py     many small pictures on one contact sheet

Only the standard library, Pillow and resvg can be imported here.
"""
