"""The DCA bot of the benchmarks in vectorbt: an order function that Numba compiles, called once a candle.

It places at most one order a candle, at the order's own price. No filters, no books of orders.
Usage: vectorbt_dca.py CANDLES.csv CONFIGURATIONS
"""

import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import numpy as np
import pandas as pd
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio.enums import NoOrder
from vectorbt.portfolio.nb import order_nb

FEE = 0.001
SAFETY_ORDERS = 5
BASE = 100.0
# What a deal holds, one row a column: quantity, cost with fees, price of the base order, safety orders.
QTY, SPENT, ORIGIN, TAKEN = range(4)


@njit
def decide(context, opens, highs, lows, step, profit, scale, deals):
    column, row = context.col, context.i
    deal = deals[column]
    if deal[QTY] == 0.0:
        qty = BASE / opens[row]
        deal[QTY], deal[SPENT] = qty, BASE * (1.0 + FEE)
        deal[ORIGIN], deal[TAKEN] = opens[row], 0.0
        return order_nb(qty, opens[row], fees=FEE)
    taken = int(deal[TAKEN])
    if taken < SAFETY_ORDERS:
        price = deal[ORIGIN] * (1.0 - step[column] * (taken + 1))
        if lows[row] <= price:
            volume = BASE * scale[column] ** taken
            deal[QTY] += volume / price
            deal[SPENT] += volume * (1.0 + FEE)
            deal[TAKEN] += 1.0
            return order_nb(volume / price, price, fees=FEE)
    target = deal[SPENT] * (1.0 + profit[column]) / (deal[QTY] * (1.0 - FEE))
    if target <= highs[row]:
        qty = deal[QTY]
        deal[QTY] = 0.0
        return order_nb(-qty, target, fees=FEE)
    return NoOrder


def axes(count):
    """The first of a cube of configurations: step, profit, scale."""
    if count == 1:
        return np.array([0.015]), np.array([0.015]), np.array([1.5])
    side = int(np.ceil(round(count ** (1 / 3), 6)))
    number = np.arange(count)
    step = 0.005 + 0.0025 * (number // (side * side))
    profit = 0.005 + 0.0025 * (number // side % side)
    return step, profit, 1.0 + 0.1 * (number % side)


def run(candles, count):
    step, profit, scale = axes(count)
    close = pd.DataFrame(np.repeat(candles.close.values[:, None], count, axis=1))
    portfolio = vbt.Portfolio.from_order_func(
        close,
        decide,
        candles.open.values,
        candles.high.values,
        candles.low.values,
        step,
        profit,
        scale,
        np.zeros((count, 4)),
        init_cash=1e7,
        max_orders=5_000 * count,
        freq="1min",
    )
    return int(portfolio.orders.count().sum())


def main():
    candles = pd.read_csv(sys.argv[1])
    count = int(sys.argv[2])
    # The first run compiles; it does not count.
    run(candles, 1)
    times = []
    for _ in range(5 if count == 1 else 1):
        begin = time.process_time()
        fills = run(candles, count)
        times.append(time.process_time() - begin)
    seconds = sorted(times)[len(times) // 2]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "engine": f"vectorbt {vbt.__version__}",
                "configurations": count,
                "fills": fills,
                "core_seconds": seconds,
                "candles_per_core_second": len(candles) * count / seconds,
                "peak_mib": peak,
            }
        )
    )


main()
