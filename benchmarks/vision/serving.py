"""Measure what a picture costs through the server, beside a bare loop of Pillow and ONNX Runtime over the same files.

    python benchmarks/vision/serving.py [--requests 60]

The network is made up: five convolutions on 224 × 224, about 300 million multiplications, one thread. Both sides
decode the same JPEG of .5 and of 3 megapixels; `bare` decodes as well as Pillow can (at a fraction of the size where
that is enough), `plain` in full. CPU seconds are those of the process, which a busy machine disturbs less than the
clock. Rounds of all contestants alternate; the median counts. One connection, one request after the other.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from palio import model, store
from palio.core.monitoring import Reference
from palio.core.records import Column, PictureReading, Schema, Task
from palio.model.graph.heads import both_classes
from palio.model.graph.runtime import onnx_runtime

SIZE = 224
SCHEMA = Schema(
    target="kind",
    columns=(
        Column(name="photo", type="image", missing_allowed=False, on_missing="reject", missing=()),
        Column(name="kind", type="category", feature=False, categories=("no", "yes")),
    ),
)
TASK = Task(kind="classification", target="kind", classes=("no", "yes"), positive="yes")
LAYERS = ((32, 2), (64, 2), (128, 2), (256, 2), (256, 1))
SERVER = """
import sys
from pathlib import Path
from palio import model, serve
from palio.core.config import LogTable
from palio.serve.journal import Journal
log = Journal(Path(sys.argv[2]), "bench", LogTable()) if len(sys.argv) > 2 else None
app = serve.create_app(serve.fixed(model.open_folder(Path(sys.argv[1])), model="bench"), journal=log)
serve.run(app, port=0, ready=lambda url: print(url, flush=True))
"""
ROUNDS = 5


def network() -> bytes:
    """Write the graph: pixels to the probabilities of two classes."""
    random = np.random.default_rng(0)
    builder = model.GraphBuilder(SCHEMA)
    pixels = f"{builder.reading(PictureReading(input='photo', size=SIZE, short=256)).tensor}.pixels"
    found = builder.node("Transpose", builder.cast(pixels, "float"), perm=[0, 3, 1, 2])
    found = builder.node("Div", found, builder.constant(255.0, "float32"))
    channels = 3
    for width, stride in LAYERS:
        weights = random.normal(0, (2 / (9 * channels)) ** 0.5, (width, channels, 3, 3))
        found = builder.node("Conv", found, builder.constant(weights, "float32"), strides=[stride] * 2, pads=[1] * 4)
        found, channels = builder.node("Relu", found), width
    mean = builder.node("ReduceMean", found, builder.constant([1, 2, 3], "int64"), keepdims=0)
    second = builder.node("Sigmoid", builder.node("Reshape", mean, builder.constant([-1, 1], "int64")))
    model.emit_answers(builder, both_classes(builder, builder.cast(second, "double")), TASK)
    return builder.build()


def jpeg(width: int, height: int) -> bytes:
    """Make a JPEG with as much detail as a photograph: about two bits a pixel."""
    random = np.random.default_rng(width)
    coarse = Image.fromarray(random.integers(0, 256, (height // 24, width // 24, 3)).astype(np.uint8))
    pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    file = io.BytesIO()
    noisy = np.clip(pixels + random.normal(0, 8, (height, width, 1)), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(file, "JPEG", quality=88)
    return file.getvalue()


def bare(session: Any, name: str, *, drafts: bool) -> Callable[[bytes], None]:
    """Return what answers a file with nothing but Pillow and ONNX Runtime."""

    def answer(data: bytes) -> None:
        image = Image.open(io.BytesIO(data))
        if drafts:
            image.draft(None, (512, 512))
        image = image.convert("RGB")
        short = min(image.size)
        shape = tuple(round(side * 256 / short) for side in image.size)
        image = image.resize(shape, Image.Resampling.BILINEAR)
        left, top = (shape[0] - SIZE) // 2, (shape[1] - SIZE) // 2
        pixels = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))
        session.run(None, {name: pixels[None]})

    return answer


def asking(url: str) -> Callable[[bytes], None]:
    """Return what asks a server."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)

    def answer(data: bytes) -> None:
        connection.request("POST", "/predict", data, {"content-type": "image/jpeg"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(body.decode())

    return answer


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bundle(folder: Path) -> tuple[Path, bytes]:
    """Write the model as a folder that a server can open."""
    graph = network()
    golden = np.array([[jpeg(160, 120)]], object)
    with store.open_store(folder / "store") as shelf:
        feeds = {"photo": np.array([[_text(golden[0, 0])]], object)}
        identity = model.pack(
            shelf, graph, golden=model.Golden(feeds=feeds, outputs=model.Graph(graph).predict(feeds)),
            reference=Reference(n_rows=1, n_scored=0, in_time_order=False, columns=()),
            task=TASK, schema=SCHEMA, family="made up", params={}, seed=0, n_parameters=0, snapshot="0" * 64,
            parts="0" * 64, trained_on=("train",), metrics={}, parity=(), versions=model.versions(),
        )  # fmt: skip
        return model.export(shelf, identity, folder / "bundle"), graph


def _text(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def main() -> None:
    """Run all contestants and print a table."""
    onnxruntime = onnx_runtime()
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=60)
    n_each = max(1, parser.parse_args().requests // ROUNDS)
    servers: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory() as name:
        opened, graph = bundle(Path(name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(graph, options)
        tensor = session.get_inputs()[0].name
        contestants: dict[str, tuple[int, Callable[[bytes], None]]] = {
            "bare": (os.getpid(), bare(session, tensor, drafts=True)),
            "plain": (os.getpid(), bare(session, tensor, drafts=False)),
        }
        try:
            for title, more in (("server", []), ("server with log", [str(Path(name) / "log")])):
                command = [sys.executable, "-c", SERVER, str(opened), *more]
                servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
                stream = servers[-1].stdout
                assert stream is not None
                contestants[title] = (servers[-1].pid, asking(stream.readline().strip()))
            for label, data in ((".5 MP", jpeg(816, 612)), ("3 MP", jpeg(2000, 1500))):
                measure(label, data, contestants, n_each)
        finally:
            for server in servers:
                server.terminate()
                server.wait(20)


def measure(label: str, data: bytes, contestants: dict[str, tuple[int, Callable[[bytes], None]]], n_each: int) -> None:
    """Print what one size costs each of them."""
    cpu: dict[str, list[float]] = {title: [] for title in contestants}
    wall: dict[str, list[float]] = {title: [] for title in contestants}
    for _, answer in contestants.values():
        answer(data)
    for _ in range(ROUNDS):
        for title, (pid, answer) in contestants.items():
            before, begin = cpu_s(pid), time.perf_counter()
            for _ in range(n_each):
                answer(data)
            wall[title].append((time.perf_counter() - begin) / n_each)
            cpu[title].append((cpu_s(pid) - before) / n_each)
    least = statistics.median(cpu["bare"])
    quickest = min(wall["bare"])
    print(f"{label}, {len(data):,} bytes")
    for title in contestants:
        cost, shortest = statistics.median(cpu[title]), min(wall[title])
        print(
            f"  {title:16} {cost * 1e3:7.1f} CPU ms a picture, {least / max(cost, 1e-9):5.2f} of bare   "
            f"{shortest * 1e3:7.1f} ms, {quickest / shortest:5.2f} of bare (quietest round)"
        )


if __name__ == "__main__":
    main()
