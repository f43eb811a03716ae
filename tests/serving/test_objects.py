"""A model whose columns hold objects: answered over HTTP, and whatever a client sends in their place is its mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.serving.contract import Limits
from bertie.tasks.relation import Relation
from bertie.text.tokenizer import Tokenizer
from tests.serving.running import Running, running

ENGLISH: dict[str, Any] = {
    "text": "Bob sold it to Ann",
    "head": {"start": 0, "end": 3},
    "tail": {"start": 15, "end": 18},
}
CHINESE: dict[str, Any] = {"text": "服务很好", "head": {"start": 0, "end": 2}, "tail": {"start": 3, "end": 4}}
GOOD = [ENGLISH, CHINESE]
DEEP = b'{"rows": [{"text": "a", "tail": 1, "head": ' + b"[" * 700 + b"]" * 700 + b"}]}"
DEEPER = b'{"rows": [{"text": "a", "tail": 1, "head": ' + b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b"}]}"


@pytest.fixture(scope="module")
def predictor(tiny_model: Path) -> Predictor:
    torch.manual_seed(0)
    task = Relation.from_rows(Rows([{**row, "label": label} for row, label in zip(GOOD, "ab", strict=True)]), {})
    task.build_head(32)
    tokenizer = Tokenizer.from_folder(tiny_model, han_isolated=True)
    return Predictor(Model(checkpoint.load(tiny_model).encoder, task, tokenizer, 32), "relations")


@pytest.fixture(scope="module")
def server(predictor: Predictor) -> Iterator[Running]:
    """It gets ready, though a row of texts is none that the model can answer."""
    with running(predictor, limits=Limits(characters=40)) as found:
        yield found


def refusal(server: Running, body: Any) -> str:
    answer = server.client.post("/v1/predict", json=body)
    assert answer.status_code == 422 and set(answer.json()) == {"error"}, answer.text
    assert answer.json()["error"]["code"] == "invalid_request"
    return str(answer.json()["error"]["message"])


def test_rows_with_objects_are_answered_as_the_predictor_does(server: Running, predictor: Predictor) -> None:
    answer = server.client.post("/v1/predict", json={"rows": GOOD})
    assert answer.status_code == 200
    for one, other in zip(answer.json()["answers"], predictor.predict(GOOD), strict=True):
        assert one["label"] == other["label"] and one["scores"] == pytest.approx(other["scores"], abs=1e-5)


def test_entities_may_be_marked_in_the_text(server: Running, predictor: Predictor) -> None:
    marked = {"text": "<e1>服务</e1>很<e2>好</e2>"}
    named = {"text": "服务很好", "head": "服务", "tail": "好"}
    for body in ({"rows": [marked]}, {"texts": [marked["text"]]}, {"rows": [named]}):
        answer = server.client.post("/v1/predict", json=body)
        assert answer.status_code == 200
        assert answer.json()["answers"][0]["label"] == predictor.predict([CHINESE])[0]["label"]
    assert "row 1: no 'head'; 'text' has 0 markers </e2>" in refusal(
        server, {"rows": [{"text": "<e1>服务</e1>很<e2>好"}]}
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"head": {"start": 0, "end": 99}}, "row 2: 'head' is [0, 99), expected 0 <= start < end <= 4"),
        ({"head": {"start": 3, "end": 4}}, "row 2: 'head' and 'tail' are both [3, 4), expected two entities"),
        ({"head": {"start": "0", "end": 3}}, "row 2: 'head.start' is the text '0', expected a whole number"),
        ({"head": {"start": True, "end": 3}}, "expected a whole number"),
        ({"head": {"start": 1.5, "end": 3}}, "expected a whole number"),
        ({"head": {"start": 10**400, "end": 3}}, "row 2: 'head.start' is a number past 2^53"),
        ({"head": {"start": 0}}, "row 2: 'head' has no 'end'"),
        ({"head": {}}, "row 2: 'head' has no 'start'"),
        ({"head": None}, "row 2: 'head' is null"),
        ({"head": []}, "row 2: 'head' is a list"),
        ({"head": 7}, "row 2: 'head' is the int 7"),
        ({"head": "服侍"}, "row 2: 'head' is '服侍', which does not stand in the text '服务很好'; write it as"),
        ({"head": '["服务"'}, "row 2: 'head' is '[\"服务\"', which is not valid JSON"),
        ({"text": ["服务很好"]}, "row 2: 'text' is a list, expected a text"),
        ({"text": {"start": 0}}, "row 2: 'text' is an object, expected a text"),
        ({"text": None}, "row 2: 'text' is null, expected a text"),
        ({"text": "NUL \0"}, "row 2: 'text' holds a NUL character"),
        ({"head": {"start": 0, "end": 2, "text": "别的"}}, "row 2: 'head.text' is '别的', but at [0, 2) stands '服务'"),
        ({"head": {"start": 0, "end": 2, "more": ["x" * 20, {"y": "z" * 20}]}}, "characters, at most 40"),
        ({"head": {"start": 0, "end": 2, "x" * 50: 1}}, "characters, at most 40"),
    ],
)
def test_what_the_task_refuses_reaches_the_client(server: Running, change: dict[str, Any], says: str) -> None:
    assert says in refusal(server, {"rows": [ENGLISH, {**CHINESE, **change}]})


def test_a_missing_column_and_bare_texts(server: Running) -> None:
    assert "row 1: no 'tail'" in refusal(server, {"rows": [{"text": "服务", "head": {"start": 0, "end": 1}}]})
    said = refusal(server, {"texts": ["<e1>服务</e1>很<e2>好</e2>", "服务"]})
    whole = 'row 2: this model needs "rows" with text, head, tail, or a text that says all of it'
    assert said.startswith(f"{whole}; 'text' has 0 markers <e1>, expected one each")


@pytest.mark.parametrize(
    "value",
    [b'{"start": 0, "end": 1, "a": "\\ud800"}', b'{"\\udfff": 1}', b'[[{"a": ["\\ud800"]}]]', b"NaN", b"Infinity"],
)
def test_values_that_are_no_unicode_or_no_number(server: Running, value: bytes) -> None:
    body = b'{"rows": [{"text": "a b", "tail": {"start": 2, "end": 3}, "head": ' + value + b"}]}"
    answer = server.client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert ("surrogate" in answer.text) == (b"\\u" in value)


@pytest.mark.parametrize("body", [DEEP, DEEPER])
def test_values_as_deep_as_one_likes(server: Running, body: bytes) -> None:
    answer = server.client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.json()["error"]["message"]
    assert server.client.get("/live").is_success
