"""Whole commands, as a person types them, in processes of their own: learn from a few rows, serve what was learned."""

from __future__ import annotations

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.commands import PATIENCE, start
from tests.serving.running import wait_until
from tests.workflow.rows import write

pytestmark = pytest.mark.e2e

FAST = ("contrast.pairs=320", "training.optimizer.rate=1e-3", "training.trackers=[]", "training.dtype=float32")


def done(*arguments: str) -> str:
    """What a command that ends well prints."""
    process = start(*arguments)
    printed, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "Traceback" not in said and "error:" not in said
    return printed


@pytest.fixture(scope="module")
def learned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The bundle that `bertie fewshot` leaves, and what it printed."""
    folder = tmp_path_factory.mktemp("few")
    data, out = write(folder / "data.csv", 120), folder / "few"
    settings = [word for one in FAST for word in ("--set", one)]
    options = ["--model", str(tiny_model), "--out", str(out), "--examples", "8", "--seed", "3", *settings]
    return out, done("fewshot", str(data), *options, "--json")


def test_fewshot_leaves_a_bundle_that_answers(learned: tuple[Path, str]) -> None:
    out, printed = learned
    found = json.loads(printed)
    assert (found["bundle"], found["rows"]) == (str(out), 104)
    assert found["primary"]["value"] > found["floors"]["frozen_encoder"]["value"]
    texts = ["服务 good 手机", "服务 bad 手机"]
    answers = done("predict", str(out), *[word for text in texts for word in ("--text", text)])
    assert [json.loads(line)["label"] for line in answers.splitlines()] == ["positive", "negative"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_serve_answers_over_http_until_it_is_told_to_stop(
    number: signal.Signals, code: int, learned: tuple[Path, str]
) -> None:
    texts = ["服务 good 手机", "服务 bad 手机"]
    process = start("serve", str(learned[0]), "--port", "0")
    assert process.stderr is not None
    with ThreadPoolExecutor(1) as pool:
        try:
            line = pool.submit(process.stderr.readline).result(PATIENCE)
            assert line.startswith("serving few at http://127.0.0.1:"), line + process.stderr.read()
            with httpx.Client(base_url=line.split()[-1], timeout=20, trust_env=False) as client:
                wait_until(lambda: client.get("/ready").status_code == 200)
                answer = client.post("/v1/predict", json={"texts": texts})
            assert answer.status_code == 200 and answer.json()["model"] == "few"
            assert [one["label"] for one in answer.json()["answers"]] == ["positive", "negative"]
            process.send_signal(number)
            printed, said = process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, printed, said) == (code, "", "error: the server was stopped\n")
