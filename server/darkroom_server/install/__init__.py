"""Putting darkroom into the programs that can start it: their entries, their settings files, their one-click links.

Pure but for `writing`, `removing`, `launching` and `starting`: where the person's folders are and what time it is come
in as arguments.
"""

from darkroom_server.install.clients import CLIENTS, Client, Machine, client_named
from darkroom_server.install.entries import Launch, environment_for, fresh_entry, launch_for
from darkroom_server.install.links import clients_section, one_click_links, one_click_section
from darkroom_server.install.remote import RemoteHost, remote_hosts, remote_section
from darkroom_server.install.removing import Uninstalled, remove_entry
from darkroom_server.install.writing import Installed, shown_entry, write_entry

__all__ = [
    "CLIENTS",
    "Client",
    "Installed",
    "Launch",
    "Machine",
    "RemoteHost",
    "Uninstalled",
    "client_named",
    "clients_section",
    "environment_for",
    "fresh_entry",
    "launch_for",
    "one_click_links",
    "one_click_section",
    "remote_hosts",
    "remote_section",
    "remove_entry",
    "shown_entry",
    "write_entry",
]
