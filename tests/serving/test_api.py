"""The HTTP contract: what is answered, and how every kind of wrong request is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bertie.core.errors import UsageError
from bertie.serving import app
from bertie.serving.app import create_app
from bertie.serving.contract import Limits, PredictRequest, Refusal, rows_of
from bertie.serving.worker import Busy, Worker
from bertie.tasks.multiple_choice import MultipleChoice, MultipleChoiceSettings
from bertie.tasks.reranking import Reranking, RerankingSettings
from tests.serving.running import Columns, Echo, Running, running, wait_until

PAIR = Columns(("text_a", "text_b"))
SMALL = Limits(rows=3, characters=10, body_bytes=2000, body_seconds=0.5)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(Echo(), Echo("pairs", PAIR), limits=SMALL) as found:
        yield found


@pytest.fixture(scope="module")
def single() -> Iterator[Running]:
    with running() as found:
        yield found


def test_texts(single: Running) -> None:
    answer = single.client.post("/v1/predict", json={"texts": ["ab", "你好吗", ""]})
    assert answer.status_code == 200
    assert answer.json()["model"] == "echo"
    assert [row["label"] for row in answer.json()["answers"]] == ["2", "3", "0"]


def test_rows_with_two_columns_and_others_besides(server: Running) -> None:
    rows = [{"text_a": "a", "text_b": "b", "id": 7}]
    answer = server.client.post("/v1/predict", json={"rows": rows, "model": "pairs"})
    assert answer.json() == {"model": "pairs", "answers": [{"label": "3", "score": 1.0}]}


def test_no_rows_no_answers(single: Running) -> None:
    assert single.client.post("/v1/predict", json={"texts": []}).json()["answers"] == []
    assert single.client.post("/v1/predict", json={"rows": []}).json()["answers"] == []


def test_live_and_ready(server: Running) -> None:
    assert server.client.get("/live").json() == {"status": "live"}
    assert server.client.get("/ready").json() == {"status": "ready", "models": ["echo", "pairs"]}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "echo, pairs"),
        ({"model": "echo"}, 422, 'either "texts" or "rows"'),
        ({"texts": ["a"], "rows": [{"text": "a"}], "model": "echo"}, 422, 'either "texts" or "rows"'),
        ({"texts": ["a"]}, 422, "echo, pairs"),
        ({"texts": ["a"], "model": "other"}, 404, "'other' is not served"),
        ({"texts": ["a"], "model": "pairs"}, 422, "text_a, text_b"),
        ({"rows": [{"text_a": "a"}], "model": "pairs"}, 422, "row 1: no 'text_b'"),
        ({"rows": [{"text": "a"}, {"text": 3}], "model": "echo"}, 422, "row 2: column 'text' is missing or no text"),
        ({"rows": [{"text": None}], "model": "echo"}, 422, "no text"),
        ({"rows": [{"text": {"a": ["b"]}}], "model": "echo"}, 422, "no text"),
        ({"rows": [{"text": [["a" * 6], {"b": "c" * 4}]}], "model": "echo"}, 422, "11 characters, at most 10"),
        ({"rows": [{"text": {"a" * 11: 1}}], "model": "echo"}, 422, "11 characters, at most 10"),
        ({"texts": "a", "model": "echo"}, 422, "list"),
        ({"texts": [1], "model": "echo"}, 422, "string"),
        ({"texts": ["a"], "modle": "echo"}, 422, "modle"),
        ({"texts": ["a"] * 4, "model": "echo"}, 422, "4 rows in one request, at most 3"),
        ({"texts": ["a" * 11], "model": "echo"}, 422, "11 characters, at most 10"),
        ({"texts": ["bad"], "model": "echo"}, 422, "row 1: cannot be read"),
        ({"texts": ["crash"], "model": "echo"}, 500, "see its log"),
        ([], 422, "dictionary"),
    ],
)
def test_wrong_bodies(server: Running, body: Any, status: int, says: str) -> None:
    answer = server.client.post("/v1/predict", json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == {"code", "message"}
    assert says in answer.json()["error"]["message"]
    assert "secret" not in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize("written", [list, json.dumps], ids=["list", "JSON in a text"])
def test_a_row_of_very_many_choices_is_refused(written: Callable[[list[str]], Any]) -> None:
    task = MultipleChoice(context=False, settings=MultipleChoiceSettings())
    some, more = ({"question": "q", "choices": written(["a"] * count)} for count in (63, 64))
    assert rows_of(PredictRequest(rows=[some]), task, Limits()) == [some]
    with pytest.raises(Refusal, match="row 2: 65 texts in one row, at most 64; leave some out"):
        rows_of(PredictRequest(rows=[some, more]), task, Limits())


def test_a_row_may_have_another_form_that_the_task_knows() -> None:
    task = Reranking(prefix="", settings=RerankingSettings())
    listed, single = {"query": "q", "candidates": ["a", "b"]}, {"query": "q", "text": "a"}
    rows = [{**listed, "id": 7}, {**single, "id": "8"}]
    assert rows_of(PredictRequest(rows=rows), task, Limits()) == [listed, single]
    for row, says in (
        ({"query": "q", "candidates": ["a"] * 64}, "row 1: 65 texts in one row, at most 64"),
        ({"query": "q", "candidates": ["a" * 60, "b" * 60]}, "row 1: 121 characters, at most 100"),
        ({"query": "q", "candidates": ["\udfff"]}, "row 1: 'candidates' holds half of a surrogate pair"),
        ({"query": "q", "candidates": []}, "row 1: no 'text'; column 'candidates' holds nothing, expected texts"),
        ({"query": "q", "candidates": ["a", None]}, "column 'candidates' holds null, expected texts"),
        ({"query": "q", "candidates": "a"}, "column 'candidates' is the text 'a', expected a list of texts"),
        ({"query": "q"}, "row 1: no 'text'; column 'text' is missing or no text; the model needs query, text"),
        ({"text": "a"}, "row 1: no 'query'; column 'query' is missing"),
    ):
        with pytest.raises(Refusal, match=says):
            rows_of(PredictRequest(rows=[row]), task, Limits(characters=100))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b"\xff\xfe", b"[" * 1500, b'{"texts": ["\\ud800"]}', b'{"texts": [NaN]}', b"null"]
)
def test_bodies_that_are_no_json(single: Running, body: bytes) -> None:
    answer = single.client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]


def test_a_form_of_a_web_page_is_no_request(single: Running) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = single.client.post("/v1/predict", content=b'{"texts": ["a"]}', headers={"content-type": kind})
        assert answer.status_code in (415, 422)


def test_other_addresses_and_methods(server: Running) -> None:
    for method, path, status in [
        ("GET", "/", 404),
        ("GET", "/v1/predict", 405),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
    ]:
        answer = server.client.request(method, path)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert "/v1/predict" in server.client.get("/openapi.json").json()["paths"]


def test_too_large_with_a_stated_length(server: Running) -> None:
    answer = server.client.post("/v1/predict", json={"texts": ["a" * 3000]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_the_client_learns_why_though_it_still_sends(server: Running) -> None:
    for _ in range(10):
        answer = server.client.post("/v1/predict", content=b"a" * 10_000_000)
        assert answer.status_code == 413
        chunks = (b"a" * 100_000 for _ in range(100))
        assert server.client.post("/v1/predict", content=chunks).status_code == 413


def test_too_large_in_chunks(server: Running) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = server.raw(head + (b"400\r\n" + b"a" * 1024 + b"\r\n") * 3)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()


def test_a_body_that_never_comes(server: Running) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    assert server.raw(head).startswith(b"HTTP/1.1 408")


def test_a_model_that_cannot_warm_up() -> None:
    with running(Echo(broken=True), ready=False) as server:
        wait_until(lambda: "warm-up of echo failed" in server.client.get("/ready").text)
        assert server.client.get("/ready").status_code == 503
        assert server.client.get("/live").status_code == 200


class Full(Worker):
    """A queue that has a place only at the third attempt."""

    tried = 0

    async def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        self.tried += 1
        if self.tried < 3:
            raise Busy
        return await super().run(function, *args, **kwargs)


def test_a_full_queue_is_no_failure_of_the_model_that_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "PAUSE", 0.001)
    worker = Full(1)
    state = app.State({"one": Echo("one"), "two": Echo("two")}, Limits(), worker)
    asyncio.run(app.warm_up(state))
    worker.close()
    assert (state.ready, state.failed, worker.tried) == (True, [], 4)


def test_two_models_of_one_name() -> None:
    with pytest.raises(UsageError, match="different names"):
        create_app([Echo(), Echo()])
    with pytest.raises(UsageError):
        create_app([])


def test_answers_are_json_with_chinese_as_it_is(single: Running) -> None:
    body = json.dumps({"texts": ["银行"]}, ensure_ascii=False).encode()
    answer = single.client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.json()["answers"][0]["label"] == "2"
