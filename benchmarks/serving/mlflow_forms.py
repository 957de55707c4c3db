"""Ask `mlflow models serve` what it accepts, and compare with the record that our own tests hold us to.

    python -m venv VENV && VENV/bin/pip install mlflow==3.17.2 scikit-learn pandas pyarrow lightgbm
    VENV/bin/python benchmarks/serving/mlflow_forms.py          # compares; --write renews the record

The record is `tests/serve/protocols/mlflow_forms.json`: for each form its content type and body, the status with which
MLflow answers it (`mlflow`) and the one with which we do (`palio`). Two models stand behind it: `columns`, a pipeline
of scikit-learn whose signature has five named columns, and `tensor`, LightGBM behind one tensor of shape (-1, 3). Exit
code 1 if MLflow answers a form otherwise than the record says.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[2] / "tests" / "serve" / "protocols" / "mlflow_forms.json"


def train(folder: Path, kind: str) -> None:
    """Write an MLflow model: `columns` (named columns of several types) or `tensor` (one array)."""
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

    random = np.random.default_rng(0)
    y = random.integers(0, 2, 200)
    if kind == "tensor":
        import lightgbm

        booster = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(random.normal(size=(200, 3)), y)
        signature = ModelSignature(
            Schema([TensorSpec(np.dtype("float32"), (-1, 3))]), Schema([TensorSpec(np.dtype("int64"), (-1,))])
        )
        mlflow.lightgbm.save_model(booster, folder, signature=signature)
        return
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, 200).astype(float),
            "balance": random.normal(500, 300, 200),
            "job": random.choice(["admin", "student", "retired"], 200),
            "level": random.choice(["low", "high"], 200),
            "married": random.integers(0, 2, 200).astype(bool),
        }
    )
    encode = ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["job", "level"]),
            ("numbers", SimpleImputer(), ["age", "balance", "married"]),
        ]
    )
    fitted = make_pipeline(encode, LogisticRegression()).fit(frame, np.array(["no", "yes"])[y])
    spec = [("double", "age", True), ("double", "balance", False), ("string", "job", False), ("string", "level", False)]
    columns = [ColSpec(kind, name, required=required) for kind, name, required in (*spec, ("boolean", "married", True))]
    signature = ModelSignature(Schema(columns), Schema([ColSpec("string")]))
    mlflow.sklearn.save_model(fitted, folder, signature=signature, serialization_format="cloudpickle")


def serve(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start `mlflow models serve` and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", str(folder)]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    log = (folder.parent / "serve.log").open("wb")
    server = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    for _ in range(240):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5)
        except OSError:
            time.sleep(0.5)
        else:
            return server, f"http://127.0.0.1:{port}"
    raise SystemExit("mlflow did not start")


def ask(url: str, form: dict[str, Any]) -> tuple[int, str]:
    """Post one form; give status and body."""
    request = urllib.request.Request(f"{url}/invocations", payload(form), method="POST")
    request.add_header("content-type", form["content_type"])
    if not form["content_type"]:
        request.remove_header("Content-type")
        request.add_unredirected_header("Content-type", "")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def payload(form: dict[str, Any]) -> bytes:
    """Give the bytes of a form: JSON, text, or records written as Parquet."""
    if "records" in form:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(form["records"]), sink)
        return sink.getvalue()
    return (form["body"] if isinstance(form["body"], str) else json.dumps(form["body"])).encode()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", help="renew what the record says of MLflow")
    parser.add_argument("--show", action="store_true", help="print the answers")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text("utf-8"))
    n_changed = 0
    for kind in ("columns", "tensor"):
        with tempfile.TemporaryDirectory() as folder:
            train(Path(folder) / "model", kind)
            server, url = serve(Path(folder) / "model")
            try:
                for form in [form for form in record if form["model"] == kind]:
                    status, answer = ask(url, form)
                    same = status == form["mlflow"]
                    n_changed += not same
                    print(f"{kind:8} {status} {'' if same else '(was ' + str(form['mlflow']) + ') '}{form['name']}")
                    if options.show:
                        print("    ", answer[:300].replace("\n", " "))
                    form["mlflow"] = status
            finally:
                os.killpg(server.pid, 15)
                server.wait(30)
    if options.write:
        lines = ",\n".join("  " + json.dumps(form, ensure_ascii=False) for form in record)
        RECORD.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"{len(record)} forms, {n_changed} answered otherwise than recorded")
    return 1 if n_changed and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
