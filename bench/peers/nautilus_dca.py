"""The DCA bot of the benchmarks in NautilusTrader: resting limit orders, the take profit replaced after
each fill.

With --trades FILE each candle becomes four trades in the order open, low, high, close, as our backtest
feeds them, and the deals are written to the file. Without, the engine gets bars, and is timed.
Usage: nautilus_dca.py CANDLES.csv [--trades DEALS.csv]
"""

import json
import resource
import sys
import time
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler, TradeTickDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

FEE = Decimal("0.001")
STEP = Decimal("0.015")
PROFIT = Decimal("0.015")
SCALE = Decimal("1.5")
BASE = Decimal(100)
SAFETY_ORDERS = 5
TICK = Decimal("0.01")
LOT = Decimal("0.00001")
MINUTE_MS = 60_000


def to_step(value, step, rounding):
    return (value / step).to_integral_value(rounding=rounding) * step


class Settings(StrategyConfig, frozen=True):
    instrument_id: InstrumentId
    bar_type: BarType
    trades: bool


class Dca(Strategy):
    def on_start(self):
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.deals, self.fills = [], 0
        self.forget()
        if self.config.trades:
            self.subscribe_trade_ticks(self.config.instrument_id)
        else:
            self.subscribe_bars(self.config.bar_type)

    def forget(self):
        self.is_open, self.base, self.exit = False, None, None
        self.qty = self.cost = self.got = Decimal(0)
        self.opened = self.taken = 0

    def on_trade_tick(self, tick):
        self.begin(Decimal(str(tick.price)))

    def on_bar(self, bar):
        self.begin(Decimal(str(bar.close)))

    def begin(self, price):
        if self.is_open:
            return
        self.is_open = True
        order = self.order_factory.market(
            self.instrument.id, OrderSide.BUY, self.lots(BASE / price)
        )
        self.base = order.client_order_id
        self.submit_order(order)

    def lots(self, qty):
        return Quantity(to_step(qty, LOT, ROUND_FLOOR), self.instrument.size_precision)

    def limit(self, side, price, qty):
        price = Price(price, self.instrument.price_precision)
        order = self.order_factory.limit(self.instrument.id, side, qty, price)
        self.submit_order(order)
        return order

    def on_order_filled(self, event):
        self.fills += 1
        price, qty = Decimal(str(event.last_px)), Decimal(str(event.last_qty))
        if event.order_side == OrderSide.SELL:
            self.sold(event, price, qty)
            return
        self.qty += qty
        self.cost += price * qty
        if event.client_order_id == self.base:
            self.opened = event.ts_event // 1_000_000
            self.place_ladder(price)
        else:
            self.taken += 1
        if self.exit is not None and self.exit.is_open:
            self.cancel_order(self.exit)
        spent = self.cost * (1 + FEE)
        target = spent * (1 + PROFIT) / (self.qty * (1 - FEE))
        price = to_step(target, TICK, ROUND_CEILING)
        self.exit = self.limit(OrderSide.SELL, price, self.lots(self.qty))

    def place_ladder(self, origin):
        volume, away = BASE, Decimal(0)
        for _ in range(SAFETY_ORDERS):
            away += STEP
            price = to_step(origin * (1 - away), TICK, ROUND_FLOOR)
            self.limit(OrderSide.BUY, price, self.lots(volume / price))
            volume *= SCALE

    def sold(self, event, price, qty):
        self.got += price * qty
        if self.exit is None or not self.exit.is_closed:
            return
        closed = event.ts_event // 1_000_000
        profit = self.got * (1 - FEE) - self.cost * (1 + FEE)
        self.deals.append((self.opened, closed, self.cost, self.taken, profit))
        self.cancel_all_orders(self.instrument.id)
        self.forget()


def trades(candles, instrument):
    """Four trades a candle, at the moments at which our backtest has them."""
    parts = []
    third = MINUTE_MS // 3
    for name, after in (("open", 0), ("low", third), ("high", 2 * third), ("close", MINUTE_MS - 1)):
        at = pd.to_datetime(candles.open_time_ms + after, unit="ms", utc=True)
        frame = {"timestamp": at, "price": candles[name], "quantity": 1000.0, "side": "BUY"}
        parts.append(pd.DataFrame(frame))
    table = pd.concat(parts).sort_values("timestamp", kind="stable").set_index("timestamp")
    table["trade_id"] = [str(number) for number in range(len(table))]
    table["buyer_maker"] = False
    return TradeTickDataWrangler(instrument).process(table.drop(columns="side"))


def bars(candles, instrument, bar_type):
    at = pd.to_datetime(candles.open_time_ms, unit="ms", utc=True)
    table = candles.drop(columns="open_time_ms").assign(timestamp=at).set_index("timestamp")
    # The volume never limits a fill here.
    table["volume"] = table["volume"].clip(lower=1.0) + 1000.0
    return BarDataWrangler(bar_type, instrument).process(table.round(2))


def main():
    candles = pd.read_csv(sys.argv[1])
    path = sys.argv[3] if sys.argv[2:3] == ["--trades"] else None
    instrument = TestInstrumentProvider.btcusdt_binance()
    bar_type = BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    purse = [Money(10_000_000, USDT), Money(1000, BTC)]
    engine.add_venue(Venue("BINANCE"), OmsType.NETTING, AccountType.CASH, purse, base_currency=None)
    engine.add_instrument(instrument)
    data = trades(candles, instrument) if path else bars(candles, instrument, bar_type)
    engine.add_data(data)
    settings = Settings(instrument_id=instrument.id, bar_type=bar_type, trades=path is not None)
    bot = Dca(settings)
    engine.add_strategy(bot)
    begin = time.process_time()
    engine.run()
    seconds = time.process_time() - begin
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write("opened_ms,closed_ms,bought,safety_orders,profit\n")
            for deal in bot.deals:
                file.write(",".join(str(part) for part in deal) + "\n")
    print(
        json.dumps(
            {
                "engine": f"nautilus_trader {nautilus_trader.__version__}",
                "configurations": 1,
                "deals": len(bot.deals),
                "fills": bot.fills,
                "core_seconds": seconds,
                "candles_per_core_second": len(candles) / seconds,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


main()
