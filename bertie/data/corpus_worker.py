"""Workers: processes that tokenise shards, one after the other.

In:  jobs (a folder, a key, texts), a tokenizer, words of the user's own
Out: shards on disk; the tokens of each
Knows nothing of sources, cleaning and splits.

A worker is `python -m bertie.data.corpus_worker`: it needs no guard around a user's script, shares no memory with
threads that run elsewhere, and ends with its parent however that ends. In: one JSON line for the tokenizer, then one a
job. Out: one JSON line a job, {"tokens": n} or {"error": its class, "message": ...}.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from bertie.core.errors import BertieError, StorageError
from bertie.data.corpus_shards import write_shard
from bertie.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Job:
    """One shard to write."""

    folder: str
    key: str
    texts: list[str]


def tokenise(
    jobs: Iterable[Job], tokenizer: Tokenizer, user_words: tuple[str, ...], processes: int
) -> Iterator[tuple[Job, int]]:
    """Writes the shards, in any order, and tells of each how many tokens it has. With one process none is started.

    At most one job more than there are processes is held.
    """
    if processes == 1:
        for job in jobs:
            yield job, write_shard(Path(job.folder), job.texts, tokenizer, user_words, job.key)
        return
    start = {"spec": tokenizer.spec, "specials": tokenizer.specials, "user_words": user_words}
    with _Pool(start, processes) as pool:
        yield from _through(pool.run, jobs, processes)


def _through(run: Callable[[Job], int], jobs: Iterable[Job], processes: int) -> Iterator[tuple[Job, int]]:
    with ThreadPoolExecutor(processes) as threads:
        running: dict[Future[int], Job] = {}
        for job in jobs:
            running[threads.submit(run, job)] = job
            if len(running) > processes:
                yield from _ended(running)
        while running:
            yield from _ended(running)


def _ended(running: dict[Future[int], Job]) -> list[tuple[Job, int]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    return [(running.pop(future), future.result()) for future in done]


class _Pool:
    """Worker processes, each used by one thread at a time."""

    def __init__(self, start: dict[str, Any], processes: int) -> None:
        self._free: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._all = [_started() for _ in range(processes)]
        for worker in self._all:
            _send(worker, start)
            self._free.put(worker)

    def run(self, job: Job) -> int:
        worker = self._free.get()
        try:
            _send(worker, asdict(job))
            answer = _answer(worker, job)
        finally:
            self._free.put(worker)
        if "error" in answer:
            raise (StorageError if answer["error"] == "StorageError" else BertieError)(answer["message"])
        return int(answer["tokens"])

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.kill()  # they have nothing to do, or what they do is not wanted: a shard is whole or not there
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with suppress(OSError):
                    _there(pipe).close()


def _started() -> subprocess.Popen[str]:
    # The package is found by the worker where it was found here; one process computes with one thread.
    place = str(Path(__file__).parents[2])  # where the package lies
    path = os.pathsep.join(filter(None, [place, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", "TOKENIZERS_PARALLELISM": "false"}
    return subprocess.Popen(
        [sys.executable, "-m", "bertie.data.corpus_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent
    )


def _send(worker: subprocess.Popen[str], message: dict[str, Any]) -> None:
    stream = _there(worker.stdin)
    with suppress(BrokenPipeError):  # it has ended; who waits for its answer is told
        stream.write(json.dumps(message) + "\n")
        stream.flush()


def _answer(worker: subprocess.Popen[str], job: Job) -> dict[str, Any]:
    line = _there(worker.stdout).readline()
    if not line:
        code = worker.wait()
        how = f"signal {-code} (9: the system may have been out of memory)" if code < 0 else f"exit code {code}"
        raise BertieError(f"{job.folder}: the process that wrote it ended by {how}; start again, it goes on from there")
    answer: dict[str, Any] = json.loads(line)
    return answer


def _there(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None  # both were asked for
    return pipe


def _serve() -> None:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    start = json.loads(lines.get())
    tokenizer, user_words = Tokenizer(start["spec"], start["specials"]), tuple(start["user_words"])
    while True:
        job = Job(**json.loads(lines.get()))
        try:
            answer: dict[str, Any] = {
                "tokens": write_shard(Path(job.folder), job.texts, tokenizer, user_words, job.key)
            }
        except BertieError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _listen(lines: queue.SimpleQueue[str]) -> None:
    """Ends the process when the parent is gone, also in the middle of a job."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    _serve()
