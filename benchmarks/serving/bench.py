"""Measure CPU time per request of the server against a bare uvicorn hello world, with `wrk`.

    python benchmarks/serving/bench.py [--seconds 2] [--slices 4]

The model is LightGBM (100 trees of 31 leaves) over 20 columns, 12 numbers and 8 categories; each request is one row;
one worker. Slices of the contestants alternate; the median of slices is shown. CPU time is that of the server's
processes from /proc, which a busy machine disturbs less than requests per second.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bundle_model import make_bundle, tensors_of
from load import Slice, first_line, memory_mb, slice_of, start, start_hello, stop, tree, write_script

PALIO = """
import sys
from pathlib import Path
from palio import model, serve
app = serve.create_app(serve.fixed(model.open_folder(Path(sys.argv[1])), model="bench"))
serve.run(app, port=0, ready=lambda url: print(url, flush=True))
"""


def main() -> None:
    """Run all contestants and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--slices", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = make_bundle(folder)
        infer = write_script(folder, "infer", "/v2/models/bench/infer", {"inputs": tensors_of(record)})
        predict = write_script(folder, "predict", "/predict", {"records": [record]})
        begin = time.perf_counter()
        palio = start([sys.executable, "-c", PALIO, str(folder / "bundle")])
        hello, hello_url = start_hello()
        try:
            url = first_line(palio)
            print(f"both servers ready after {time.perf_counter() - begin:.2f} s")
            contestants = {
                "hello": (hello.pid, hello_url, None),
                "predict": (palio.pid, url, predict),
                "infer": (palio.pid, url, infer),
            }
            for connections in (8, 32):
                seen: dict[str, list[Slice]] = {key: [] for key in contestants}
                for _ in range(options.slices):
                    for key, (pid, at, script) in contestants.items():
                        seen[key].append(slice_of(pid, at, script, connections=connections, seconds=options.seconds))
                limit = statistics.median(one.rate for one in seen["hello"])
                for key, slices in seen.items():
                    rate = statistics.median(one.rate for one in slices)
                    cost = statistics.median(one.cpu_us for one in slices)
                    print(f"c{connections:<3} {key:8} {rate:9,.0f} requests/s  {rate / limit:5.2f}  {cost:7.1f} CPU µs")
            print(f"resident memory of the server: {memory_mb(tree(palio.pid)):.0f} MB")
        finally:
            stop(palio)
            stop(hello)


if __name__ == "__main__":
    main()
