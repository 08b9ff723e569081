"""The endpoints of files: upload, look up, list, delete, download."""

import base64
import hashlib
import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom_server.sandbox import faults
from darkroom_server.sandbox.bodies import stamp
from darkroom_server.sandbox.state import SandboxState
from darkroom_server.sandbox.store import Row

MAX_FILE_BYTES = 100 * 1024 * 1024
FILE_LIFETIME_S = 24 * 3600


class FileEndpoints:
    """Each method is one endpoint."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def create(self, request: Request) -> Response:
        async with request.form() as form:
            upload = form.get("content")
            if not isinstance(upload, UploadFile):
                raise faults.bad_body([("required", "", "content is required")])
            if (upload.size or 0) > MAX_FILE_BYTES:
                raise faults.Fault(413, "", "Files must be less than 100MB in size")
            content, metadata = await upload.read(), form.get("metadata")
        try:
            noted: Any = json.loads(metadata) if isinstance(metadata, str) else {}
        except ValueError:
            raise faults.bad_body([("invalid_type", "metadata", "metadata is not JSON")]) from None
        md5, sha256 = hashlib.md5(content, usedforsecurity=False), hashlib.sha256(content)
        body = {
            "name": (upload.filename or "file")[:255],
            "content_type": upload.content_type or "application/octet-stream",
            "size": len(content),
            "etag": md5.hexdigest(),
            "checksums": {"sha256": sha256.hexdigest(), "md5": base64.b64encode(md5.digest()).decode()},
            "metadata": noted,
        }
        now = self._state.now
        row = Row(kind="file", id=self._state.options.new_id(), created_at=now, body=body, content=content)
        self._state.store.forget("file", now - FILE_LIFETIME_S)
        self._state.store.put(row)
        return JSONResponse(self._body(row), 201)

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._body(self._find(request)))

    async def list_all(self, request: Request) -> Response:
        rows = [row for row in self._state.store.newest("file", 100) if not self._has_expired(row)]
        return JSONResponse({"next": None, "previous": None, "results": [self._body(row) for row in rows]})

    async def delete(self, request: Request) -> Response:
        self._state.store.delete("file", self._find(request).id)
        return Response(status_code=204)

    async def download(self, request: Request) -> Response:
        row = self._find(request)
        return Response(row.content, media_type=row.body["content_type"])

    def _find(self, request: Request) -> Row:
        row = self._state.store.get("file", request.path_params["id"])
        if row is None or self._has_expired(row):
            raise faults.Fault(404, "", "File not found")
        return row

    def _has_expired(self, row: Row) -> bool:
        return self._state.now >= row.created_at + FILE_LIFETIME_S

    def _body(self, row: Row) -> dict[str, Any]:
        times = {"created_at": stamp(row.created_at, 3), "expires_at": stamp(row.created_at + FILE_LIFETIME_S, 3)}
        return {"id": row.id} | row.body | times | {"urls": {"get": f"{self._state.options.origin}/v1/files/{row.id}"}}
