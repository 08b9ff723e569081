"""`darkroom-mcp gallery`: a web page on this computer with every picture that was made, for people.

    pictures.py     what the page is told of a picture, out of a row of the journal or a sidecar
    catalogue.py    all pictures and the spending: the journal, and files of the folder that it does not know
    thumbnails.py   small pictures, made by the guarded decoder and kept in the data folder
    routes.py       the routes behind the secret; guard.py refuses every request that is not the page's own. A team's
                    page (team/people) serves the same data to each person for themselves
    reveal.py       shows a file in the system's file manager
    document.py     the HTML: page.html, page.css and page.js in one, also as a file that needs no server
    serving.py      opens the journal and serves until Ctrl-C

It reads only; nothing is sent to a gateway.
"""
