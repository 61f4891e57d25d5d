"""Runs the peers on the year that our own benchmark wrote, beside what it measured, and compares deals.

`cargo xtask bench` writes the folder (year.csv, ours.json, deals.csv) and calls this. By hand:

    cargo bench -p tranche-lab --bench sweep -- --peers "$PWD/target/peers"
    python3 bench/peers/compare.py target/peers --json target/peers.json

A virtual environment is made inside the folder and the peers are installed from PyPI; where that cannot
be, it says so and ends well, for nothing of ours depends on it.
"""

import argparse
import csv
import json
import subprocess
import sys
import venv
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL_SECONDS = 900
RUN_SECONDS = 1800
SWEEP = 8
# Reported in docs/backtest-accuracy.md; a deal that differs by more is listed.
CENT = Decimal("0.01")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="where the figures go for the table")
    parser.add_argument("--python", type=Path, help="an interpreter that has the peers already")
    task = parser.parse_args()
    needed = [task.folder / name for name in ("year.csv", "ours.json", "deals.csv")]
    missing = [path.name for path in needed if not path.is_file()]
    if missing:
        skip(f"{', '.join(missing)} not in {task.folder}: run the benchmark first")
        return
    python = task.python or install(task.folder / "environment")
    if python is None:
        return
    compare(task, python)


def skip(why):
    print(f"peers are skipped: {why}")


def install(folder):
    """The interpreter of an environment with the peers, or nothing."""
    python = folder / "bin" / "python"
    if not python.is_file():
        venv.create(folder, with_pip=True)
    requirements = HERE / "requirements.txt"
    command = [python, "-m", "pip", "install", "--quiet", "--requirement", requirements]
    try:
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        skip(f"they cannot be installed ({error})")
        return None
    return python


def compare(task, python):
    folder = task.folder
    ours = json.loads((folder / "ours.json").read_text())
    year = folder / "year.csv"
    theirs = folder / "nautilus.csv"
    peers = {
        "vectorbt": ["vectorbt_dca.py", year, "1"],
        f"vectorbt-{SWEEP}": ["vectorbt_dca.py", year, str(SWEEP)],
        "nautilus": ["nautilus_dca.py", year],
        "nautilus-trades": ["nautilus_dca.py", year, "--trades", theirs],
    }
    figures = {}
    print(f"ours: {ours['jump']:,.0f} candles in a core second, {ours['deals']} deals")
    for name, command in peers.items():
        found = run(python, command)
        if found is None:
            continue
        speed = found["candles_per_core_second"]
        ratio = ours["jump"] / speed
        print(f"{name} ({found['engine']}): {speed:,.0f} candles in a core second, 1/{ratio:,.0f} of ours")
        # Nanoseconds for a candle, as the table reads them.
        figures[f"peers/{name}"] = 1e9 / speed
        figures[f"peers/{name}/peak"] = found["peak_mib"] * 1024 * 1024
        figures[f"peers/{name}/engine"] = found["engine"]
    for mode in ("every", "scan", "jump", "jump_with_market"):
        figures[f"peers/ours/{mode}"] = 1e9 / ours[mode]
    figures["peers/ours/peak"] = ours["peak_mib"] * 1024 * 1024
    if theirs.is_file():
        figures["peers/deals"], figures["peers/deals/same"] = same_deals(folder / "deals.csv", theirs)
    if task.json:
        task.json.write_text(json.dumps(figures, indent=1))


def run(python, command):
    try:
        done = subprocess.run(
            [python, HERE / command[0], *command[1:]],
            check=True,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
    except (subprocess.SubprocessError, OSError) as error:
        tail = getattr(error, "stderr", None) or error
        print(f"{command[0]} failed: {str(tail)[-400:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def same_deals(ours, theirs):
    """How many deals there are, and how many are the same; those that are not are printed."""
    ours, theirs = deals(ours), deals(theirs)
    same = 0
    for moment in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(moment), theirs.get(moment)
        if a is not None and b is not None and a[:1] == b[:1] and is_near(a[1:], b[1:]):
            same += 1
            if a != b:
                print(f"deal of {moment} by less than a cent: {shown(a)} and {shown(b)}")
        else:
            print(f"deal of {moment} differs: ours {shown(a)}, theirs {shown(b)}")
    count = len(ours.keys() | theirs.keys())
    print(f"{same} of {count} deals are the same")
    return count, same


def deals(path):
    """By the moment of opening: the moment of closing, money bought for, safety orders, profit."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("closed_ms", "bought", "safety_orders", "profit")
    return {int(row["opened_ms"]): [Decimal(row[name]) for name in names] for row in rows}


def is_near(ours, theirs):
    return all(abs(a - b) < CENT for a, b in zip(ours, theirs))


def shown(deal):
    return "none" if deal is None else ", ".join(str(part.normalize()) for part in deal)


main()
