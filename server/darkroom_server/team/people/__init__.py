"""What the people of a team see in a browser: the gallery's page over the rows of whoever is logged in.

data_routes.py   the data that the page asks for, each time for one person alone
spending.py      what they have spent and what their limits leave
tenant_rows.py   what an administrator sees of a tenant: sums, limits, what is open and the audit; never a prompt
thumbnails.py    small pictures, kept beside the images of their owner and forgotten with them
views.py         the views that this page has besides, as HTML, style and script
"""
