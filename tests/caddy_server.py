"""Caddy with the Caddyfile of server/deploy, in front of replicas on loopback; the rest of the file is as it ships."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CADDYFILE = Path(__file__).resolve().parent.parent / "server" / "deploy" / "Caddyfile"
OLDEST = (2, 11, 2)


@cache
def caddy() -> str:
    """The program, of the version that the Caddyfile wants; empty where there is none."""
    for place in (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)):
        if program := shutil.which("caddy", path=place):
            version = subprocess.run([program, "version"], capture_output=True, text=True).stdout
            if (found := re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)) and tuple(map(int, found.groups())) >= OLDEST:
                return program
    return ""


needs_caddy = pytest.mark.skipif(not caddy(), reason="there is no caddy of 2.11.2 or newer on the PATH")


def adapted(host: str) -> dict[str, Any]:
    """The Caddyfile as Caddy reads it, for this name of the site."""
    command = [caddy(), "adapt", "--adapter", "caddyfile", "--config", str(CADDYFILE)]
    done = subprocess.run(command, env={"DARKROOM_HOST": host, "HOME": "/"}, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def proxying(config: dict[str, Any]) -> dict[str, Any]:
    """The part of it that passes requests on."""
    (server,) = config["apps"]["http"]["servers"].values()
    (subroute,) = server["routes"][0]["handle"]
    (proxy,) = subroute["routes"][0]["handle"]
    return proxy


@contextmanager
def behind_caddy(folder: Path, port: int, replicas: Sequence[int], token: str = "") -> Generator[str]:
    """Serves on a port of loopback, without TLS and with these ports for what `replica` leads to; its address.

    With a `token` it gives that to each request, and takes any name of a host.
    """
    origin = f"http://127.0.0.1:{port}"
    config = adapted(origin)
    proxy = proxying(config)
    assert proxy.pop("dynamic_upstreams") == {"source": "a", "name": "replica", "port": "8000", "refresh": 2 * 10**9}
    proxy["upstreams"] = [{"dial": f"127.0.0.1:{each}"} for each in replicas]
    if token:
        proxy["headers"] = {"request": {"set": {"Authorization": [f"Bearer {token}"]}}}
        (server,) = config["apps"]["http"]["servers"].values()
        del server["routes"][0]["match"]
    config["admin"] = {"disabled": True, "config": {"persist": False}}
    place = folder / "caddy.json"
    place.write_text(json.dumps(config))
    said = (folder / "caddy.log").open("wb")
    with said, subprocess.Popen([caddy(), "run", "--config", str(place)], env={"HOME": str(folder)}, stderr=said) as it:
        try:
            _until_it_listens(port, it)
            yield origin
        finally:
            it.kill()


def _until_it_listens(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(1000):
        assert process.poll() is None, "caddy has ended"
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("caddy does not listen")
