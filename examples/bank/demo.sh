#!/usr/bin/env bash
# The whole cycle on real data: begin a project, find a champion, serve it, ask it one question, stop the server.
# Needs `palio` on the PATH (make demo sees to that). Leaves the project in examples/bank/project.
set -euo pipefail
cd "$(dirname "$0")"
project=project
budget_s=${BUDGET_S:-120}

rm -rf "$project"
echo "── begin ──────────────────────────────────────────────────────────────────────────────"
palio init bank.csv.gz --target y --name term-deposit --positive yes --exclude duration --dir "$project"
grep '^exclude' "$project/palio.toml"

echo "── run ────────────────────────────────────────────────────────────────────────────────"
palio run --budget "$budget_s" --dir "$project"

echo "── serve ──────────────────────────────────────────────────────────────────────────────"
palio serve --port 0 --dir "$project" --json >"$project/server.json" 2>"$project/server.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    grep -q '"url"' "$project/server.json" && break
    kill -0 "$server" 2>/dev/null || { cat "$project/server.log" >&2; exit 1; }
    sleep 0.1
done
python - "$project/server.json" <<'PYTHON'
import json
import pathlib
import sys
import urllib.request

url = json.loads(pathlib.Path(sys.argv[1]).read_text())["url"]
client = {
    "age": 41, "job": "management", "marital": "married", "education": "tertiary", "default": "no", "balance": 1200,
    "housing": "no", "loan": "no", "contact": "cellular", "day": 12, "month": "oct", "campaign": 1, "pdays": 90,
    "previous": 1, "poutcome": "success",
}
request = urllib.request.Request(
    f"{url}/predict", json.dumps({"records": [client]}).encode(), {"content-type": "application/json"}
)
print(f"POST {url}/predict")
print(json.dumps(client))
with urllib.request.urlopen(request, timeout=10) as answer:
    print(json.dumps(json.load(answer), indent=2))
PYTHON
kill "$server" && wait "$server" || true
trap - EXIT

echo "── done ───────────────────────────────────────────────────────────────────────────────"
echo "report: $(ls -t "$PWD/$project"/reports/*.html | head -1)"
echo "the story so far: palio log --dir examples/bank/$project"
