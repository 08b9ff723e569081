"""One darkroom for a whole team, over HTTP behind a log-in. Imported only where DARKROOM_DATABASE_URL is set.

tokens.py    who calls: tokens of the authorization server, and static ones for machines
tenants.py   to which tenant they belong, and whose gateway key pays; vault.py seals the keys
quotas.py    what a person and a tenant may spend and start
administration.py  forgetting.py   what an administrator does, as the owner of the database
"""
