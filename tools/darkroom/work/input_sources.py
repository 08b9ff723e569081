"""What input images need from the rest: saved images of earlier predictions, the gateway's files, a guarded fetch."""

from collections.abc import Sequence
from pathlib import Path

from darkroom.gateways import OutputFetcher, PredictionClient
from darkroom.gateways.guard import is_public_name
from darkroom.images import StoredImage
from darkroom.journal import Journal
from darkroom.outputs.inputs import InputResolver
from darkroom.outputs.links import Links
from darkroom.outputs.places import OutputStores
from darkroom.outputs.uploads import Uploads
from darkroom.uris import host_of


def input_resolver(
    journal: Journal,
    stores: OutputStores,
    client: PredictionClient,
    fetcher: OutputFetcher,
    uploads: Uploads,
    folders: Sequence[Path],
    *,
    links: Links | None,
    keep_metadata: bool,
) -> InputResolver:
    """The resolver of one Darkroom; `folders` are those from which local images may be read."""

    async def lookup(prediction_id: str, index: int) -> StoredImage | None:
        row = await journal.find(prediction_id)
        return next((image for image in row.images if image.index == index), None) if row else None

    async def fetch(url: str) -> bytes:
        async with fetcher.open(url) as chunks:
            return b"".join([chunk async for chunk in chunks])

    return InputResolver(
        read=stores.read,
        lookup=lookup,
        uploaded=uploads.read,
        meant=links.meant if links else str,
        folders=folders,
        upload=client.upload if client.gateway.has_files else None,
        fetch=fetch,
        allow_loopback_http=client.gateway.is_loopback,
        is_far=is_public_name(host_of(client.gateway.base_url)),
        keep_metadata=keep_metadata,
    )
