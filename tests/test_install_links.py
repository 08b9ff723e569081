"""One-click links and the sections of the pages decode back to the entries that the install command writes."""

import base64
import json
import re
import shlex
import tomllib
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from darkroom_server.install.clients import CLIENTS, Client, client_named
from darkroom_server.install.entries import Launch, environment_for, fresh_entry
from darkroom_server.install.links import clients_section, one_click_links, one_click_section
from darkroom_server.install.remote import remote_hosts

LINKS = one_click_links()


def entry_of(name: str) -> dict[str, Any]:
    client = client_named(name)
    return fresh_entry(client, "darkroom", Launch(command="uvx", args=("darkroom-mcp",)), environment_for(client, ()))


def query_of(link: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(link).query, strict_parsing=True)


@pytest.mark.parametrize(
    ("client", "start"),
    [("cursor", "https://cursor.com/en/install-mcp?"), ("lm-studio", "https://lmstudio.ai/install-mcp?")],
)
def test_a_link_with_a_packed_entry_unpacks_to_it(client: str, start: str) -> None:
    query = query_of(LINKS[client])
    assert LINKS[client].startswith(start)
    assert query["name"] == ["darkroom"]
    assert json.loads(base64.b64decode(query["config"][0], validate=True)) == entry_of(client)


def test_the_vscode_link_holds_the_entry_and_its_questions() -> None:
    query = query_of(LINKS["vscode"])
    value, questions = json.loads(query["config"][0]), json.loads(query["inputs"][0])
    assert LINKS["vscode"].startswith("https://insiders.vscode.dev/redirect/mcp/install?")
    assert query["name"] == ["darkroom"]
    assert value == {"name": "darkroom", **entry_of("vscode")}
    assert [f"${{input:{each['id']}}}" for each in questions] == list(value["env"].values())
    assert [each.get("password", False) for each in questions] == [False, True]


def test_no_link_holds_a_space_or_a_quote() -> None:
    assert [name for name, link in LINKS.items() if re.search(r"[\s\"'<>()]", link)] == []


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_the_page_shows_each_client_with_an_entry_that_parses(client: Client) -> None:
    part = clients_section().partition(f"<summary>{client.title}</summary>")[2].partition("</details>")[0]
    parse = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[client.format]
    blocks = dict(re.findall(r"```(\w+)\n(.*?)\n```", part, flags=re.DOTALL))
    assert parse(blocks[client.format])[client.table] == {"darkroom": entry_of(client.name)}
    command = shlex.split(blocks["sh"])
    assert command[-2:] == ["install", client.name] or command[-3:] == ["--", "uvx", "darkroom-mcp"]


def test_the_readme_offers_only_links_that_a_web_page_keeps() -> None:
    links = re.findall(r"\]\(([^)]+)\)", one_click_section())
    assert len(links) == 3
    assert all(link.startswith("https://") and link in LINKS.values() for link in links)


def test_each_host_is_told_the_address_of_a_remote_darkroom() -> None:
    address = "https://d.example/mcp"
    hosts = {host.title: host for host in remote_hosts(address)}
    assert [title for title, host in hosts.items() if address not in host.copy] == ["Agents and scripts"]
    assert "{" not in "".join(host.steps for host in hosts.values())
    added = json.loads(shlex.split(hosts["VS Code"].copy)[-1])
    assert added == {"name": "darkroom", "type": "http", "url": address}
    assert json.loads(unquote(hosts["VS Code"].link.partition("?")[2])) == added
    assert json.loads(hosts["Cursor"].copy) == {"mcpServers": {"darkroom": {"url": address}}}
    packed = query_of(hosts["Cursor"].link)["config"][0]
    assert json.loads(base64.b64decode(packed)) == {"url": address}
