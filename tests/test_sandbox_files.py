"""Uploaded files on the sandbox."""

import hashlib

import pytest
from sandbox_server import BASE_URL, HandClock, sandbox_client

from darkroom_server.sandbox import SandboxOptions
from darkroom_server.sandbox.uploads import FILE_LIFETIME_S

pytestmark = pytest.mark.anyio

PART = {"content": ("photo.png", b"not really a photo", "image/png")}


async def test_an_upload_is_described_listed_downloaded_and_deleted():
    async with sandbox_client() as client:
        created = await client.post("/v1/files", files=PART, data={"metadata": '{"from": "test"}'})
        body = created.json()
        same = (await client.get(f"/v1/files/{body['id']}")).json()
        listed = (await client.get("/v1/files")).json()["results"]
        content = await client.get(f"/v1/files/{body['id']}/download")
        deleted = await client.delete(f"/v1/files/{body['id']}")
        gone = await client.get(f"/v1/files/{body['id']}")
    assert created.status_code == 201
    assert body == same == listed[0]
    assert body["name"] == "photo.png"
    assert body["metadata"] == {"from": "test"}
    assert body["checksums"]["sha256"] == hashlib.sha256(b"not really a photo").hexdigest()
    assert body["urls"]["get"] == f"{BASE_URL}/v1/files/{body['id']}"
    assert content.content == b"not really a photo"
    assert content.headers["content-type"] == "image/png"
    assert deleted.status_code == 204
    assert gone.status_code == 404
    assert gone.json() == {"detail": "File not found"}


async def test_a_file_expires_after_a_day():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        body = (await client.post("/v1/files", files=PART)).json()
        clock.move(FILE_LIFETIME_S)
        gone = await client.get(f"/v1/files/{body['id']}")
        listed = (await client.get("/v1/files")).json()["results"]
    assert gone.status_code == 404
    assert listed == []


async def test_an_upload_without_content_or_with_broken_metadata_is_refused():
    async with sandbox_client() as client:
        empty = await client.post("/v1/files", data={"metadata": "{}"})
        broken = await client.post("/v1/files", files=PART, data={"metadata": "{"})
    assert empty.status_code == broken.status_code == 422
