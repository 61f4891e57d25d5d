"""Runs the peers on the year that our own benchmark wrote, beside what it measured, and compares deals.

`cargo xtask bench` writes the folder (year.csv, ours.json, deals.csv) and calls this. By hand:

    cargo bench -p tranche-lab --bench sweep -- --peers "$PWD/target/peers"
    python3 bench/peers/compare.py target/peers --json target/peers.json

Virtual environments are made inside the folder and the peers are installed from PyPI, each list of
requirements in its own; where that cannot be, it says so and goes on, for nothing of ours depends on it.
"""

import argparse
import csv
import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL_SECONDS = 900
RUN_SECONDS = 1800
SWEEP = 8
# Reported in docs/backtest-accuracy.md; a deal that differs by more is listed.
CENT = Decimal("0.01")
NEAR_MS = 180_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="where the figures go for the table")
    parser.add_argument("--python", type=Path, help="an interpreter that has the peers already")
    parser.add_argument("--only", help="peers whose name begins with this")
    task = parser.parse_args()
    needed = [task.folder / name for name in ("year.csv", "ours.json", "deals.csv")]
    missing = [path.name for path in needed if not path.is_file()]
    if missing:
        skip(f"{', '.join(missing)} not in {task.folder}: run the benchmark first")
        return
    compare(task)


def skip(why):
    print(f"peers are skipped: {why}")


@cache
def install(folder, requirements):
    """The interpreter of an environment with these peers, or nothing."""
    python = folder / "bin" / "python"
    if not python.is_file():
        venv.create(folder, with_pip=True)
    command = [python, "-m", "pip", "install", "--quiet", "--requirement", HERE / requirements]
    try:
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        skip(f"those of {requirements} cannot be installed ({error})")
        return None
    return python


@dataclass(frozen=True)
class Peer:
    """A script with its arguments, the environment that it runs in, and where it writes its deals."""

    words: list
    requirements: str = "requirements.txt"
    deals: str | None = None

    def command(self, folder):
        words = [folder / "year.csv" if word == "YEAR" else word for word in self.words]
        return words + (["--trades", folder / self.deals] if self.deals else [])


PEERS = {
    "vectorbt": Peer(["vectorbt_dca.py", "YEAR", "1"]),
    f"vectorbt-{SWEEP}": Peer(["vectorbt_dca.py", "YEAR", str(SWEEP)]),
    "nautilus": Peer(["nautilus_dca.py", "YEAR"]),
    "nautilus-trades": Peer(["nautilus_dca.py", "YEAR"], deals="nautilus.csv"),
    "backtesting": Peer(["backtesting_dca.py", "YEAR"], deals="backtesting.csv"),
    # Its pandas is another one.
    "freqtrade": Peer(["freqtrade_dca.py", "YEAR"], "freqtrade.txt", "freqtrade.csv"),
}


def compare(task):
    folder = task.folder
    ours = json.loads((folder / "ours.json").read_text())
    figures = {}
    print(f"ours: {ours['jump']:,.0f} candles in a core second, {ours['deals']} deals")
    for name, peer in PEERS.items():
        if task.only and not name.startswith(task.only):
            continue
        environment = folder / Path(peer.requirements).stem
        python = task.python or install(environment, peer.requirements)
        found = python and run(python, peer.command(folder))
        if not found:
            continue
        speed = found["candles_per_core_second"]
        ratio = ours["jump"] / speed
        print(f"{name} ({found['engine']}): {speed:,.0f} candles in a core second, 1/{ratio:,.0f} of ours")
        # Nanoseconds for a candle, as the table reads them.
        figures[f"peers/{name}"] = 1e9 / speed
        figures[f"peers/{name}/peak"] = found["peak_mib"] * 1024 * 1024
        figures[f"peers/{name}/engine"] = found["engine"]
        if peer.deals:
            print(f"deals of {name}:")
            count, same = same_deals(folder / "deals.csv", folder / peer.deals)
            figures[f"peers/{name}/deals"], figures[f"peers/{name}/deals/same"] = count, same
    for mode in ("every", "scan", "jump", "jump_with_market"):
        figures[f"peers/ours/{mode}"] = 1e9 / ours[mode]
    figures["peers/ours/peak"] = ours["peak_mib"] * 1024 * 1024
    if "peers/nautilus-trades/deals" in figures:
        figures["peers/deals"] = figures["peers/nautilus-trades/deals"]
        figures["peers/deals/same"] = figures["peers/nautilus-trades/deals/same"]
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
    """How many deals there are, and how many are the same; those that are not are printed.

    A peer that cannot decide within a candle opens a little later, or closed a little earlier: its deals
    are looked for around ours, and what differs is told.
    """
    ours, theirs = deals(ours), deals(theirs)
    ours = {moment: deal for moment, deal in ours.items() if deal[0] <= last_closing(theirs)}
    same, alike = 0, 0
    for moment, a in sorted(ours.items()):
        b = theirs.pop(moment, None)
        if b is not None and a[0] == b[0] and is_near(a[1:], b[1:]):
            same += 1
            if a != b:
                print(f"deal of {moment} by less than a cent: {shown(a)} and {shown(b)}")
            continue
        other = moment if b is not None else nearest_opening(theirs, moment)
        b = b or theirs.pop(other, None)
        if b is None:
            print(f"deal of {moment}: ours {shown(a)}, theirs none")
            continue
        alike += a[2] == b[2]
        print(f"deal of {moment}: ours {shown(a)}, theirs of {other} {shown(b)}")
    for moment, b in sorted(theirs.items()):
        print(f"deal of {moment}: ours none, theirs {shown(b)}")
    count = len(ours) + len(theirs)
    print(f"{same} of {count} deals are the same, {alike} more have as many safety orders")
    return count, same


def last_closing(theirs):
    """A peer that ran on a part of the year is compared on that part."""
    return max((deal[0] for deal in theirs.values()), default=0)


def nearest_opening(theirs, moment):
    near = [other for other in theirs if abs(other - moment) <= NEAR_MS]
    return min(near, key=lambda other: abs(other - moment), default=None)


def deals(path):
    """By the moment of opening: the moment of closing, money bought for, safety orders, profit."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("closed_ms", "bought", "safety_orders", "profit")
    return {int(row["opened_ms"]): [Decimal(row[name]) for name in names] for row in rows}


def is_near(ours, theirs):
    return all(abs(a - b) < CENT for a, b in zip(ours, theirs))


def shown(deal):
    return "none" if deal is None else ", ".join(f"{part.normalize():f}" for part in deal)


main()
