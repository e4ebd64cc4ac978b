"""Bare Starlette + uvicorn (httptools, uvloop) with the same model in a thread pool: `python -m benchmarks.serving.bare SOCKET CALLS`."""

from __future__ import annotations

import asyncio
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.serving.model.bench_model import look

pool = ThreadPoolExecutor(int(sys.argv[2]))


async def infer(request: Request) -> JSONResponse:
    """A picture, raw or in a form."""
    if request.headers["content-type"].startswith("multipart/"):
        async with request.form() as form:
            part = form["file"]
            assert isinstance(part, UploadFile)
            picture = await part.read()
    else:
        picture = await request.body()
    return JSONResponse(await asyncio.get_running_loop().run_in_executor(pool, look, picture))


app = Starlette(routes=[Route("/infer", infer, methods=["POST"])])
config = uvicorn.Config(app, http="httptools", loop="uvloop", log_config=None, access_log=False, lifespan="off")
uvicorn.Server(config).run([socket.socket(fileno=int(sys.argv[1]))])
