"""One darkroom for a whole team, over HTTP behind a log-in. Imported only where DARKROOM_DATABASE_URL is set.

tokens.py    who calls: tokens of the authorization server, and static ones for machines
tenants.py   to which tenant they belong, and whose gateway key pays; vault.py seals the keys
quotas.py    what a person and a tenant may spend and start
serving.py   the ASGI app of a replica; routes.py, images.py, middleware.py, metrics.py are its parts
opened.py    what is open while it runs; rooms.py gives each caller their own
replica.py   the Darkroom of one person; queued_work.py sends its creates, news.py hears what became of them
worker.py    the other process: tasks.py its jobs, account_watch.py over account_rows.py what it follows
outbox.py    jobs and news, written in the commits of team_journal.py; hooks.py what gateways tell by themselves
administration.py  forgetting.py  removing.py   what an administrator does, as the owner of the database
"""
