"""The page for people, behind the team's own log-in; served where DARKROOM_OAUTH_CLIENT_ID is set.

visitor.py     who looks at it, and the sealed cookie that says so to any replica
log_in.py      the log-in: authorization code with PKCE, as a public client of the authorization server
routes.py      /login, /callback, /logout, and the pages
connecting.py  how to connect a host, and pictures of a person's own computer
shell.py       these pages as HTML
views.py       the page of pictures and spending, which is the gallery's, with a view for administrators
data_routes.py the data that it asks for, each time for one person alone
spending.py    what they have spent and what their limits leave
tenant_rows.py what an administrator sees of a tenant: sums, limits, what is open and the audit; never a prompt
thumbnails.py  small pictures, kept beside the images of their owner and forgotten with them
"""
