"""A gateway that takes a connection and never shakes hands costs no connection for longer than the call."""

import anyio
import pytest
from scripted_gateway import gateway_at
from wire_fault_server import WireFaultServer

from darkroom.errors import GatewayUnreachable, OutputError
from darkroom.gateways import Key, OutputFetcher, PredictionClient

pytestmark = pytest.mark.anyio
KEY = Key("sk-canary0canary0canary0")


def secure(server: WireFaultServer) -> str:
    return server.base_url.replace("http:", "https:")


async def test_the_connection_of_a_create_that_is_cancelled_in_its_handshake_is_closed() -> None:
    with anyio.fail_after(20):
        async with (
            WireFaultServer("no_handshake") as server,
            PredictionClient(gateway_at(secure(server)), KEY) as client,
        ):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.create, "acme/kite", "", {"prompt": "a kite"})
                await server.first_bytes.wait()
                tasks.cancel_scope.cancel()
            await server.until_closed()


async def test_the_connection_of_a_create_whose_time_ends_in_its_handshake_is_closed() -> None:
    with anyio.fail_after(20):
        async with (
            WireFaultServer("no_handshake") as server,
            PredictionClient(gateway_at(secure(server)), KEY) as client,
        ):
            with pytest.raises(GatewayUnreachable, match="Nothing was started"):
                await client.create("acme/kite", "", {}, within_s=0.3)
            await server.until_closed()


async def test_the_connection_of_an_image_whose_time_ends_in_its_handshake_is_closed() -> None:
    with anyio.fail_after(20):
        async with (
            WireFaultServer("no_handshake") as server,
            OutputFetcher(gateway_at(secure(server)), time_limit_s=0.3) as fetcher,
        ):
            with pytest.raises(OutputError) as caught:
                async with fetcher.open(f"{secure(server)}/kite.png"):
                    pass
            assert caught.value.can_retry
            await server.until_closed()
