"""The page for people, behind the team's own log-in; served where DARKROOM_OAUTH_CLIENT_ID is set.

visitor.py    who looks at it, and the sealed cookie that says so to any replica
log_in.py     the log-in: authorization code with PKCE, as a public client of the authorization server
sessions.py   /login, /callback, /logout
connecting.py how to connect a host, and pictures of a person's own computer
shell.py      these pages as HTML
"""
