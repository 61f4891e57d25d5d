# Writes the candles of a file of ours in the forms of others: `formats.py FILE.parquet FOLDER`.
import sys
from pathlib import Path

import polars as pl

ours, folder = Path(sys.argv[1]), Path(sys.argv[2])
prices = ["open", "high", "low", "close", "volume"]
frame = pl.read_parquet(ours).with_columns(pl.col(prices).cast(pl.Float64)).rename({"open_time": "date"})
frame.write_parquet(folder / "polars.parquet")
table = frame.to_pandas()
table.to_parquet(folder / "pandas.parquet")
table.to_parquet(folder / "gzip.parquet", compression="gzip")
table.to_feather(folder / "freqtrade.feather", compression="lz4", compression_level=9)
table.to_csv(folder / "pandas.csv", index=False)
table["date"] = table["date"].astype("datetime64[ns, UTC]")
table.to_parquet(folder / "nanoseconds.parquet")
print("all is written")
