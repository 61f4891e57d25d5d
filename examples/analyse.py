# Looks at candles and results of Tranche with pandas and with polars. Every cell below runs by itself
# in a notebook that knows `# %%`, and the whole as a script:
#
#     tranche data import --venue binance-spot --pair BTC/USDT BTCUSDT-1m-*.zip
#     tranche sweep --bot bot.toml --space space.toml --export results
#     pip install pandas polars pyarrow
#     python analyse.py data/binance-spot/BTC-USDT-1m.parquet results
#
# Prices and money are exact decimals in the files. Statistics may turn them into floats; sums of money
# should stay what they are.

# %% Where the files are
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.parquet as pq

candle_file, results = Path(sys.argv[1]), Path(sys.argv[2])

# %% Candles with polars: exact decimals, and a moving average of daily closes
candles = pl.read_parquet(candle_file)
assert isinstance(candles.schema["close"], pl.Decimal), candles.schema
assert candles["open_time"].is_sorted()
daily = (
    candles.group_by_dynamic("open_time", every="1d")
    .agg(pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum())
    .with_columns(pl.col("close").cast(pl.Float64).rolling_mean(7).alias("week"))
)
print(daily.tail(3))

# %% The same candles with pandas
frame = pq.read_table(candle_file).to_pandas().set_index("open_time")
assert str(frame.index.tz) == "UTC"
assert isinstance(frame["close"].iloc[0], Decimal)
assert len(frame) == len(candles)
assert frame["high"].max() == candles["high"].max(), "both libraries read the same numbers"
print(frame["close"].astype(float).resample("1D").last().pct_change().describe())

# %% Deals and fills: money adds up to the last digit
deals = pd.read_parquet(results / "deals.parquet")
fills = pl.read_parquet(results / "fills.parquet")
assert isinstance(fills.schema["quote"], pl.Decimal), fills.schema
profit = sum(deals["profit"], Decimal(0))
print(f"{len(deals)} deals made {profit.normalize():f}")
closed = fills.filter(pl.col("deal").is_in(deals["deal"].to_list()))
sign = {"buy": -1, "sell": 1}
rows = closed.select("side", "quote", "fee").iter_rows()
assert sum((sign[side] * quote - fee for side, quote, fee in rows), Decimal(0)) == profit

# %% Equity
equity = pd.read_parquet(results / "equity.parquet").set_index("time")["worth"]
drawdown = 1 - equity / equity.cummax()
print(f"worth {equity.iloc[0]:.2f} to {equity.iloc[-1]:.2f}, deepest fall {drawdown.max():.2%}")

# %% All tries of a sweep, if there was one
if (results / "tries.parquet").exists():
    tries = pl.read_parquet(results / "tries.parquet")
    print(tries.sort("total_return", descending=True).head(5))
    best = tries["total_return"].max()
    assert best is not None and tries.height > 1

print("all is well")
