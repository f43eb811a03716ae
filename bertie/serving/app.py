"""The HTTP API: POST /v1/predict, GET /live, GET /ready.

In:  predictors, limits
Out: a FastAPI application; every error is `{"error": {"code", "message"}}`
Knows nothing of bundles, sockets or training.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from bertie.core.errors import BertieError, DataError, UsageError
from bertie.serving.contract import (
    Answerer,
    ErrorResponse,
    Limits,
    PredictRequest,
    PredictResponse,
    Refusal,
    chosen,
    rows_of,
    unprocessable,
)
from bertie.serving.security import Guard
from bertie.serving.worker import Busy, Worker

log = logging.getLogger(__name__)

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse} for status in (400, 403, 404, 408, 413, 415, 421, 422, 500, 503)
}

PAUSE = 0.1
"""Seconds between two attempts to warm a model up while the queue is full."""


@dataclass
class State:
    """What the handlers share. `ready` is set when every model has answered once."""

    models: dict[str, Answerer]
    limits: Limits
    worker: Worker
    ready: bool = False
    failed: list[str] = field(default_factory=list)
    """Models whose warm-up failed."""


def create_app(predictors: Sequence[Answerer], limits: Limits | None = None) -> FastAPI:
    """The application for these predictors; UsageError where two have one name."""
    limits = limits or Limits()
    models = {predictor.name: predictor for predictor in predictors}
    if not models or len(models) < len(predictors):
        raise UsageError("serve needs one model or several with different names; rename one of the folders")
    state = State(models, limits, Worker(limits.waiting))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(warm_up(state))
        yield
        warming.cancel()
        await asyncio.to_thread(state.worker.close)

    # The documentation pages would be fetched from other machines; /openapi.json is ours.
    app = FastAPI(title="Bertie", docs_url=None, redoc_url=None, lifespan=lifespan, responses=ERRORS)
    _add_routes(app, state)
    _add_errors(app)
    app.add_middleware(Guard, limits=limits)
    return app


async def warm_up(state: State) -> None:
    """One real answer of each model: the first one is slow, and proves that it can."""
    for name, model in state.models.items():
        try:
            await _answered(state.worker, model)
        except Exception:  # whatever it is, the server stays up and says that it is not ready
            log.exception("model %s failed its warm-up", name)
            state.failed.append(name)
    state.ready = not state.failed


async def _answered(worker: Worker, model: Answerer) -> None:
    """Waits for a place in the queue: requests to the models that are warm already may fill it, which is no fault.

    A model whose columns are not all texts reads the row and refuses it, which is an answer too: that it computes, it
    has proved with its golden examples when it was loaded.
    """
    while True:
        try:
            await worker.run(model.predict, [dict.fromkeys(model.task.columns, "warm-up")])
            return
        except DataError:
            return
        except Busy:
            await asyncio.sleep(PAUSE)


def _add_routes(app: FastAPI, state: State) -> None:
    @app.get("/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @app.get("/ready")
    async def ready() -> dict[str, object]:
        """Every model has answered once; 503 before."""
        if state.failed:
            raise Refusal(503, "not_ready", f"the warm-up of {', '.join(state.failed)} failed; see the server's log")
        if not state.ready:
            raise Refusal(503, "not_ready", "the models are warming up", {"Retry-After": "1"})
        return {"status": "ready", "models": list(state.models)}

    @app.post("/v1/predict")
    async def predict(request: PredictRequest, raw: Request) -> PredictResponse:
        """One answer per text or row, in order."""
        model = chosen(request, state.models)
        rows = rows_of(request, model.task, state.limits)
        try:
            answers = await state.worker.run(model.predict, rows) if rows else []
        except Busy:
            raise Refusal(503, "busy", "too many requests wait; try again", {"Retry-After": "1"}) from None
        return PredictResponse(model=model.name, answers=answers)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return JSONResponse(refusal.content(), refusal.status, headers=refusal.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # Only where and what: the input itself may be large, or no valid Unicode.
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]]
        return await refused(request, unprocessable("; ".join(problems)))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        code = str(error.detail).lower().replace(" ", "_") if error.status_code != 400 else "bad_request"
        return await refused(request, Refusal(error.status_code, code, str(error.detail), dict(error.headers or {})))

    @app.exception_handler(BertieError)
    async def understood(request: Request, error: BertieError) -> Response:
        if isinstance(error, DataError):
            return await refused(request, unprocessable(str(error)))
        log.error("%s", error)
        return await refused(request, Refusal(500, "failed", str(error)))

    @app.exception_handler(Exception)
    async def failed(request: Request, _: Exception) -> Response:
        return await refused(request, Refusal(500, "internal", "the server failed on this request; see its log"))
