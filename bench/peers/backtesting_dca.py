"""The DCA bot of the benchmarks in backtesting.py: a market order, limit orders below it, and one take
profit on every open trade.

It buys whole units only, so that prices are those of a hundred-thousandth of a coin.
Usage: backtesting_dca.py CANDLES.csv [--trades DEALS.csv]
"""

import json
import resource
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import backtesting
import pandas as pd
from backtesting import Backtest, Strategy

FEE = 0.001
STEP = 0.015
PROFIT = 0.015
SCALE = 1.5
BASE = 100.0
SAFETY_ORDERS = 5
LOTS = 1e5


class Dca(Strategy):
    def init(self):
        self.seen, self.has_ladder = 0, False

    def next(self):
        trades = self.trades
        if not trades:
            self.begin()
            return
        if not self.has_ladder:
            self.place_ladder(trades[0].entry_price)
        if len(trades) != self.seen:
            self.seen = len(trades)
            size = sum(trade.size for trade in trades)
            spent = sum(trade.size * trade.entry_price for trade in trades) * (1 + FEE)
            target = spent * (1 + PROFIT) / (size * (1 - FEE))
            for trade in trades:
                trade.tp = target

    def begin(self):
        if self.has_ladder:
            for order in list(self.orders):
                order.cancel()
            self.has_ladder = False
        elif self.orders:
            # The base order waits for the next open.
            return
        self.seen = 0
        self.buy(size=max(1, int(BASE / self.data.Close[-1])))

    def place_ladder(self, origin):
        volume = BASE
        for number in range(1, SAFETY_ORDERS + 1):
            price = origin * (1 - STEP * number)
            self.buy(size=max(1, int(volume / price)), limit=price)
            volume *= SCALE
        self.has_ladder = True


def read(path):
    candles = pd.read_csv(path)
    candles.index = pd.to_datetime(candles.pop("open_time_ms"), unit="ms")
    candles.columns = [name.capitalize() for name in candles.columns]
    candles[["Open", "High", "Low", "Close"]] /= LOTS
    return candles


def deals(trades):
    """Trades that were open together are one deal: they share their take profit."""
    trades = trades.sort_values(["EntryTime", "EntryPrice"], ascending=[True, False])
    open_until, deal = None, []
    for trade in trades.to_dict("records"):
        if deal and open_until <= trade["EntryTime"]:
            yield whole(deal)
            deal = []
        deal.append(trade)
        open_until = trade["ExitTime"]
    if deal:
        yield whole(deal)


def whole(deal):
    def ms(moment):
        return int(moment.timestamp() * 1000)

    bought = sum(trade["Size"] * trade["EntryPrice"] for trade in deal)
    got = sum(trade["Size"] * trade["ExitPrice"] for trade in deal)
    profit = got * (1 - FEE) - bought * (1 + FEE)
    ends = ms(deal[0]["EntryTime"]), ms(deal[0]["ExitTime"])
    return *ends, bought, len(deal) - 1, profit


def main():
    candles = read(sys.argv[1])
    file = sys.argv[3] if sys.argv[2:3] == ["--trades"] else None
    backtest = Backtest(candles, Dca, cash=1e7, commission=FEE, finalize_trades=False)
    begin = time.process_time()
    result = backtest.run()
    seconds = time.process_time() - begin
    found = list(deals(result["_trades"]))
    if file:
        with open(file, "w", encoding="utf-8") as table:
            table.write("opened_ms,closed_ms,bought,safety_orders,profit\n")
            for deal in found:
                table.write(",".join(str(part) for part in deal) + "\n")
    figures = {
        "engine": f"backtesting {backtesting.__version__}",
        "configurations": 1,
        "deals": len(found),
        "core_seconds": seconds,
        "candles_per_core_second": len(candles) / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


main()
