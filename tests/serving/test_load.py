"""Under load the server says so, and stays awake; a signal lets it finish what it is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bertie.serving.contract import Limits
from tests.house.source import ROOT
from tests.serving.running import Echo, running, wait_until


def test_a_full_queue_answers_at_once_and_live_goes_on() -> None:
    gate = threading.Event()
    with running(Echo(gate=gate), limits=Limits(waiting=2)) as server, ThreadPoolExecutor(6) as pool:

        def ask() -> httpx.Response:
            return httpx.post(
                f"http://127.0.0.1:{server.port}/v1/predict", json={"texts": ["a"]}, timeout=20, trust_env=False
            )

        asked = [pool.submit(ask) for _ in range(6)]
        wait_until(lambda: sum(future.done() for future in asked) == 4)
        start = time.monotonic()
        assert server.client.get("/live").status_code == 200
        assert time.monotonic() - start < 2
        gate.set()
        answers = [future.result() for future in asked]
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["error"]["code"], refused.headers["retry-after"]) == ("busy", "1")


def test_the_queue_is_free_again_after_failures() -> None:
    with running(limits=Limits(waiting=1)) as server:
        for text in ["crash", "bad", "a"] * 3:
            answer = server.client.post("/v1/predict", json={"texts": [text]})
            assert answer.status_code == {"crash": 500, "bad": 422, "a": 200}[text]


SCRIPT = """
import sys, time
from bertie.core.errors import Stopped
from bertie.serving.run import serve
from tests.serving.running import Echo

class Slow(Echo):
    def predict(self, rows):
        time.sleep(1)
        return super().predict(rows)

try:
    serve([Slow()], port=0)
except Stopped as stopped:
    sys.exit(stopped.exit_code)
"""


@pytest.mark.crash
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_request_finish(number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stderr is not None
    address = process.stderr.readline().split()[-1]
    with httpx.Client(base_url=address, timeout=20, trust_env=False) as client, ThreadPoolExecutor(1) as pool:
        wait_until(lambda: client.get("/ready").status_code == 200)
        asked = pool.submit(client.post, "/v1/predict", json={"texts": ["abc"]})
        time.sleep(0.4)
        process.send_signal(number)
        assert asked.result().json()["answers"][0]["label"] == "3"
    assert process.wait(20) == code
    assert "Traceback" not in process.stderr.read()
