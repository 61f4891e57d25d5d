"""The DCA bot of the benchmarks in freqtrade, on the first month of the candles.

Its own command line runs it, with the exchange's market list answered here instead of by the network;
the loop that is timed is untouched.
Usage: freqtrade_dca.py CANDLES.csv [--trades DEALS.csv]
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import ccxt
import ccxt.async_support
import ccxt.pro
import pandas as pd

HERE = Path(__file__).resolve().parent
PAIR = "BTC/USDT"
MONTH = 31 * 24 * 60
CONFIG = {
    "max_open_trades": 1,
    "stake_currency": "USDT",
    "stake_amount": 100,
    "dry_run": True,
    "dry_run_wallet": 1_000_000,
    "trading_mode": "spot",
    "timeframe": "1m",
    "fee": 0.001,
    "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
    "entry_pricing": {"price_side": "same", "use_order_book": False},
    "exit_pricing": {"price_side": "same", "use_order_book": False},
    "pairlists": [{"method": "StaticPairList"}],
    "dataformat_ohlcv": "feather",
}


def listed():
    """The rules of the benchmark's instrument, as the library would have read them."""
    base, quote = PAIR.split("/")
    unit = {"min": 0, "max": 1e7}
    names = {"id": base + quote, "symbol": PAIR, "base": base, "quote": quote}
    kind = {"type": "spot", "spot": True, "active": True, "precisionMode": 4}
    kind |= dict.fromkeys(("margin", "swap", "future", "option", "contract"), False)
    kind |= dict.fromkeys(("settle", "settleId", "contractSize", "linear", "inverse"))
    rules = {
        "baseId": base,
        "quoteId": quote,
        "taker": 0.001,
        "maker": 0.001,
        "percentage": True,
        "tierBased": False,
        "feeSide": "get",
        "precision": {"amount": 1e-5, "price": 1e-2, "base": 1e-8, "quote": 1e-8},
        "limits": {
            "amount": {"min": 1e-5, "max": 9e3},
            "price": {"min": 1e-2, "max": 1e7},
            "cost": {"min": 5, "max": 9e6},
            "market": unit,
            "leverage": {"min": None, "max": None},
        },
        "info": {},
    }
    return names | kind | rules


def answer_from_here():
    def load(self, *args, **kwargs):
        self.set_markets([listed()])
        return self.markets

    async def load_later(self, *args, **kwargs):
        return load(self)

    ccxt.binance.load_markets = load
    ccxt.async_support.binance.load_markets = load_later
    ccxt.pro.binance.load_markets = load_later


def put_candles(path, folder):
    candles = pd.read_csv(path, nrows=MONTH)
    at = pd.to_datetime(candles.pop("open_time_ms"), unit="ms", utc=True)
    candles.insert(0, "date", at.astype("datetime64[ms, UTC]"))
    # The volume never limits a fill here; candles without any are dropped.
    candles["volume"] = candles["volume"].clip(lower=1.0)
    folder.mkdir(parents=True)
    candles.to_feather(folder / "BTC_USDT-1m.feather", compression="lz4")
    return len(candles)


def timed(method, told):
    def run(self, *args, **kwargs):
        begin = time.process_time()
        results = method(self, *args, **kwargs)
        told["seconds"] = time.process_time() - begin
        told["trades"] = results["results"]
        return results

    return run


def deals(trades):
    for trade in trades.to_dict("records"):
        if trade["exit_reason"] == "force_exit":
            # It was still open at the end.
            continue
        bought = [order for order in trade["orders"] if order["ft_is_entry"]]
        yield (
            int(trade["open_date"].timestamp() * 1000),
            int(trade["close_date"].timestamp() * 1000),
            sum(order["amount"] * order["safe_price"] for order in bought),
            len(bought) - 1,
            trade["profit_abs"],
        )


def main():
    path = Path(sys.argv[1])
    file = sys.argv[3] if sys.argv[2:3] == ["--trades"] else None
    answer_from_here()
    import freqtrade
    from freqtrade.main import main as freqtrade_main
    from freqtrade.optimize.backtesting import Backtesting

    told = {}
    Backtesting.backtest = timed(Backtesting.backtest, told)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        count = put_candles(path, folder / "data")
        (folder / "config.json").write_text(json.dumps(CONFIG))
        words = ["backtesting", "--config", folder / "config.json", "--userdir", folder]
        words += ["--datadir", folder / "data", "--strategy", "Ladder"]
        words += ["--strategy-path", HERE / "freqtrade", "--cache", "none", "--export", "none"]
        (folder / "strategies").mkdir()
        try:
            freqtrade_main([str(word) for word in words])
        except SystemExit as end:
            if end.code:
                raise
    found = list(deals(told["trades"]))
    if file:
        with open(file, "w", encoding="utf-8") as table:
            table.write("opened_ms,closed_ms,bought,safety_orders,profit\n")
            for deal in found:
                table.write(",".join(str(part) for part in deal) + "\n")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "engine": f"freqtrade {freqtrade.__version__}",
        "configurations": 1,
        "candles": count,
        "deals": len(found),
        "core_seconds": told["seconds"],
        "candles_per_core_second": count / told["seconds"],
        "peak_mib": peak,
    }
    print(json.dumps(figures))


main()
