"""Drive our stdio server with real agent frameworks: one long and one quick job each, and no picture paid for twice.

Run: python tests/frameworks/run.py [--long-s 40] [NAME ...]. Each framework gets an environment of its own, a program
stands where its model would be, and one sandbox counts the predictions. Ends with 1 where anything is not as it should
be, and says what.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import httpx
from client_process import Client, Outcome, load_clients, sandbox

_AT_ONCE_INSTALLED = 3
_COLUMNS = "{:<16}{:<9}{:<12}{:<19}{:<19}{:<13}{:<10}{}"


async def main(names: list[str], long_s: int) -> int:
    """The exit code."""
    with tempfile.TemporaryDirectory() as folder:
        clients = [each for each in load_clients(Path(folder)) if not names or each.name in names]
        await _install(clients)
        async with sandbox() as address:
            outcomes = await _drive(clients, address, long_s)
            made = Counter(await _prompts(address))
        faults = {each.client.name: _faults(each, made, long_s) for each in outcomes}
        _show(outcomes, made)
    for name, words in faults.items():
        for each in words:
            print(f"{name}: {each}")
    failed = sum(bool(words) for words in faults.values())
    print(f"{len(faults) - failed} passed, {failed} failed")
    return 1 if failed or not faults else 0


async def _install(clients: list[Client]) -> None:
    limit = anyio.CapacityLimiter(_AT_ONCE_INSTALLED)

    async def install(client: Client) -> None:
        async with limit:
            await client.install()

    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(install, client)


async def _drive(clients: list[Client], address: str, long_s: int) -> list[Outcome]:
    """Each client starts when the one before it is connected: a start takes a whole core for seconds."""
    outcomes: list[Outcome] = []

    async def drive(client: Client, *, task_status: Any) -> None:
        outcomes.append(await client.drive(address, long_s, task_status.started))

    async with anyio.create_task_group() as tasks:
        for client in clients:
            await tasks.start(drive, client)
    return sorted(outcomes, key=lambda each: [client.name for client in clients].index(each.client.name))


async def _prompts(address: str) -> list[str]:
    """The prompt of every prediction that the gateway holds."""
    found: list[str] = []
    async with httpx.AsyncClient() as http:
        page: str | None = f"{address}/v1/predictions"
        while page:
            body = (await http.get(page)).raise_for_status().json()
            found += [(await _prediction(http, address, row["id"]))["input"]["prompt"] for row in body["results"]]
            page = body["next"]
    return found


async def _prediction(http: httpx.AsyncClient, address: str, id: str) -> dict[str, Any]:
    return (await http.get(f"{address}/v1/predictions/{id}")).raise_for_status().json()


def _faults(outcome: Outcome, made: Counter[str], long_s: int) -> list[str]:
    """What is not as it should be, in words."""
    faults = [f"it ended with exit code {outcome.exit_code}: {outcome.errors[-600:]}"] if outcome.exit_code else []
    for job, images in (("long", 1), ("quick", 2)):
        if (seen := outcome.jobs.get(job)) is None:
            faults.append(f"the {job} job was not finished.")
            continue
        if "Succeeded: " not in seen["text"]:
            faults.append(f"the {job} job gave no picture, but {seen['text'][:300]!r}.")
        elif str(outcome.client.outputs) not in seen["text"]:
            faults.append(f"the {job} job's answer does not say where the picture lies: {seen['text'][:300]!r}.")
        if outcome.client.pictures == "images" and not seen["pictures"]:
            faults.append(f"no picture of the {job} job reached the model.")
        if (count := made[outcome.prompt(job, long_s)]) != 1:
            faults.append(f"the {job} job made {count} predictions.")
        if seen["failures"] and outcome.client.timeout_s > long_s:
            faults.append(f"{seen['failures']} calls of the {job} job failed.")
        if (saved := outcome.saved(job)) != images:
            faults.append(f"{saved} pictures of the {job} job are on the disk, not {images}.")
    return faults


def _show(outcomes: list[Outcome], made: Counter[str]) -> None:
    print(_COLUMNS.format("client", "version", "protocol", "long job", "quick job", "predictions", "pictures", "text"))
    for outcome in outcomes:
        jobs = outcome.jobs
        calls = [
            f"calls {seen['calls']}, lost {seen['failures']}" if (seen := jobs.get(job)) else "unfinished"
            for job in ("long", "quick")
        ]
        predictions = sum(count for prompt, count in made.items() if prompt.endswith(f" for {outcome.client.name}"))
        pictures = "+".join(str(jobs[job]["pictures"]) for job in jobs)
        characters = " + ".join(f"{jobs[job]['characters']:,}" for job in jobs) + " characters"
        row = (outcome.client.name, outcome.client.version, outcome.protocol, *calls, predictions, pictures, characters)
        print(_COLUMNS.format(*row))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="clients of clients.toml; none: all")
    parser.add_argument("--long-s", type=int, default=40, help="seconds that the long job takes")
    given = parser.parse_args()
    sys.exit(anyio.run(main, given.names, given.long_s))
