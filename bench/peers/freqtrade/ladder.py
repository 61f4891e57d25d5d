"""The DCA bot of the benchmarks as a freqtrade strategy.

freqtrade has one open order for a pair, so that no ladder rests: a safety order is bought at the open of
the first candle that opens at or below its level, one in a candle.
"""

from freqtrade.strategy import IStrategy

BASE = 100.0
STEP = 0.015
SCALE = 1.5
SAFETY_ORDERS = 5


class Ladder(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    # Of the whole position, after the fees of both sides.
    minimal_roi = {"0": 0.015}
    stoploss = -0.99
    use_exit_signal = False
    position_adjustment_enable = True
    max_entry_position_adjustment = SAFETY_ORDERS
    startup_candle_count = 0
    can_short = False

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stake_amount(self, *args, **kwargs):
        return BASE

    def adjust_trade_position(self, trade, current_time, current_rate, *args, **kwargs):
        taken = trade.nr_of_successful_entries - 1
        if not 0 <= taken < SAFETY_ORDERS or trade.has_open_orders:
            return None
        origin = trade.select_filled_orders(trade.entry_side)[0].safe_price
        if current_rate <= origin * (1 - STEP * (taken + 1)):
            return BASE * SCALE**taken
        return None
