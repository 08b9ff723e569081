"""One darkroom for a whole team, over HTTP behind a log-in. Imported only where DARKROOM_DATABASE_URL is set.

tokens.py    who calls: tokens of the authorization server, and static ones for machines
"""
