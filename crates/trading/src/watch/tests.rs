//! What the index promises, case by case.

use tranche_model::{
    asset::Symbol, candle::Tick, filter::Filter, ids::InstrumentId, instrument::Instrument,
    money::Qty, time::Millis,
};

use super::*;

#[test]
fn a_bound_wakes_once_and_at_its_price() {
    let mut market = Market::new();
    market.set(0, below("96.40", Urgency::Entry));

    assert_eq!(market.tick("96.41"), [""; 0]);
    assert_eq!(market.tick("96.40"), ["0 Below Entry"]);
    assert_eq!(market.tick("90"), [""; 0]);
}

#[test]
fn a_wake_disarms_every_part_of_the_answer() {
    let mut market = Market::new();
    let watch = Watch { at: Some(Timestamp::from_ms(5)), ..above("110", Urgency::Exit) };
    market.set(0, Watch { any_price: true, trail: trail("100", "0.01").trail, ..watch });

    assert_eq!(market.tick("100"), ["0 AnyPrice Entry"]);
    assert_eq!(market.tick("120"), [""; 0]);
    assert_eq!(market.tick("100"), [""; 0]);
    assert_eq!(market.time(9), [""; 0]);
    assert_eq!(market.index.next_time(), None);
    assert_eq!(market.band(), (None, None));
}

#[test]
fn a_burst_comes_by_urgency_then_by_distance_then_by_id() {
    let mut market = Market::new();
    market.set(5, below("99", Urgency::Protect));
    market.set(4, below("99", Urgency::Protect));
    market.set(3, below("97", Urgency::Entry));
    market.set(2, below("98", Urgency::Entry));
    market.set(1, trail("100", "0.01"));
    market.set(0, Watch { any_price: true, ..Watch::default() });

    let woken = market.tick("96");

    assert_eq!(
        woken,
        [
            "4 Below Protect",
            "5 Below Protect",
            "1 Retraced { peak: Price(100) } Exit",
            "2 Below Entry",
            "3 Below Entry",
            "0 AnyPrice Entry",
        ]
    );
}

#[test]
fn the_most_pressing_cause_of_a_lane_is_told() {
    let mut market = Market::new();
    let protect = above("90", Urgency::Protect).above;
    market.set(0, Watch { above: protect, ..below("99", Urgency::Entry) });

    assert_eq!(market.tick("95"), ["0 Above Protect"]);
}

/// The published vector of a trailing take profit.
#[test]
fn a_trailing_take_profit_fires_at_the_exact_retracement() {
    let mut market = Market::new();
    market.set(0, above("102", Urgency::Exit));
    assert_eq!(market.tick("101.50"), [""; 0]);
    assert_eq!(market.tick("102.00"), ["0 Above Exit"]);
    market.set(0, trail("102.00", "0.005"));

    for price in ["102.40", "103.10", "102.90", "102.60"] {
        assert_eq!(market.tick(price), [""; 0], "{price}");
    }

    assert_eq!(market.tick("102.58"), ["0 Retraced { peak: Price(103.1) } Exit"]);
    assert_eq!(market.tick("103.00"), [""; 0]);
}

#[test]
fn lanes_with_different_peaks_share_a_new_high() {
    let mut market = Market::new();
    market.set(0, trail("110", "0.10"));
    market.set(1, trail("105", "0.02"));
    market.set(2, trail("100", "0.05"));

    market.tick("106");
    assert_eq!(market.peaks(), ["110", "106", "106"]);
    market.tick("120");
    assert_eq!(market.peaks(), ["120", "120", "120"]);

    assert_eq!(market.tick("117.6"), ["1 Retraced { peak: Price(120) } Exit"]);
    assert_eq!(market.tick("114"), ["2 Retraced { peak: Price(120) } Exit"]);
    assert_eq!(market.tick("108"), ["0 Retraced { peak: Price(120) } Exit"]);
}

#[test]
fn another_wake_lets_the_peak_go_on() {
    let mut market = Market::new();
    let watch = below("90", Urgency::Protect);
    market.set(0, Watch { trail: trail("100", "0.5").trail, ..watch });
    market.tick("104");

    assert_eq!(market.tick("90"), ["0 Below Protect"]);
    assert_eq!(market.tick("106"), [""; 0]);
    assert_eq!(market.tick("50"), [""; 0]);
    market.tick("70");

    assert_eq!(market.peaks(), ["106"]);
    market.set(0, Watch::default());
    assert_eq!(market.index.peak(WatchId::new(0)), None);
}

#[test]
fn risen_peaks_are_told_once_per_interval() {
    let mut market = Market::new();
    market.set(0, trail("100", "0.5"));
    assert_eq!(market.time(0), [""; 0]);

    market.tick("101");
    assert_eq!(market.index.next_time(), Some(Timestamp::from_ms(0)));
    assert_eq!(market.time(1), ["0 Checkpoint { peak: Price(101) } Entry"]);
    market.tick("102");
    market.tick("103");
    assert_eq!(market.index.next_time(), Some(Timestamp::from_ms(1001)));
    assert_eq!(market.time(1000), [""; 0]);
    assert_eq!(market.time(1001), ["0 Checkpoint { peak: Price(103) } Entry"]);
    assert_eq!(market.time(9000), [""; 0]);
    assert_eq!(market.tick("51.5"), ["0 Retraced { peak: Price(103) } Exit"]);
}

#[test]
fn times_wake_in_their_order_and_without_a_price_while_stale() {
    let mut market = Market::new();
    let at = |ms| Watch { at: Some(Timestamp::from_ms(ms)), ..Watch::default() };
    market.set(0, at(30));
    market.set(1, at(20));
    market.set(2, at(20));
    market.set(3, at(99));
    market.tick("100");
    market.index.gap(InstrumentId::new(0));
    assert_eq!(market.index.next_time(), Some(Timestamp::from_ms(20)));

    let mut wakes = Vec::new();
    market.index.time(Timestamp::from_ms(40), &mut wakes);

    assert_eq!(wakes.iter().map(|wake| wake.id.get()).collect::<Vec<_>>(), [1, 2, 0]);
    assert!(wakes.iter().all(|wake| wake.price.is_none() && wake.cause == Cause::Time));
    assert_eq!(market.index.next_time(), Some(Timestamp::from_ms(99)));
}

#[test]
fn a_jump_counts_only_when_a_second_tick_confirms_it() {
    let mut market = Market::new();
    market.set(0, below("49", Urgency::Protect));
    market.tick("100");

    assert_eq!(market.refused("10"), BadTick::Jump { price: price("10"), last: price("100") });
    assert_eq!(market.tick("101"), [""; 0]);
    market.refused("45");
    // The confirmed price crossed the bound, the confirming one did not.
    assert_eq!(market.tick("49.5"), ["0 Below Protect"]);
    assert_eq!(market.index.last(InstrumentId::new(0)), Some(price("49.5")));
}

#[test]
fn a_price_held_back_before_a_gap_is_not_confirmed_after_it() {
    let mut market = Market::new();
    market.tick("100");
    market.refused("10");
    market.index.gap(InstrumentId::new(0));

    market.refused("10");

    assert_eq!(market.index.last(InstrumentId::new(0)), None);
    assert_eq!(market.tick("10"), [""; 0]);
}

#[test]
fn impossible_prices_are_refused() {
    let mut market = Market::new();

    assert_eq!(market.refused("0"), BadTick::NotPositive(price("0")));
    assert_eq!(market.refused("-1"), BadTick::NotPositive(price("-1")));
    assert_eq!(market.refused("0.000000001"), BadTick::OffGrid(price("0.000000001")));
    let large = "92233720368.54775808";
    assert_eq!(market.refused(large), BadTick::OffGrid(price(large)));
}

#[test]
fn the_band_names_the_next_prices_that_matter() {
    let mut market = Market::new();
    assert_eq!(market.band(), (None, None));
    market
        .set(0, Watch { above: above("110", Urgency::Exit).above, ..below("90", Urgency::Entry) });
    assert_eq!(market.band(), (Some(9_000_000_000), Some(11_000_000_000)));

    market.set(1, trail("100", "0.05"));
    assert_eq!(market.band(), (Some(9_500_000_000), Some(10_000_000_001)));

    market.index.remove(WatchId::new(1));
    market.set(0, Watch { any_price: true, ..Watch::default() });
    assert_eq!(market.band(), (Some(i64::MAX), None));
}

#[test]
fn a_lane_can_move_to_another_instrument() {
    let mut market = Market::new();
    market.set(0, below("90", Urgency::Entry));

    market.index.set(WatchId::new(0), &instrument(7), below("90", Urgency::Entry));

    assert_eq!(market.tick("89"), [""; 0]);
    assert_eq!(market.band(), (None, None));
    market.instrument = instrument(7);
    assert_eq!(market.tick("89"), ["0 Below Entry"]);
}

#[test]
fn a_change_of_the_tick_loses_no_bound_and_no_peak() {
    for scale in [10, 4, 8] {
        let mut market = Market::new();
        market.set(
            0,
            Watch { trail: trail("100", "0.05").trail, ..below("90.00005", Urgency::Entry) },
        );
        market.set(1, above("110.00005", Urgency::Exit));
        market.set(
            2,
            Watch { trail: trail("100", "0.5").trail, any_price: true, ..Watch::default() },
        );
        market.tick("104");
        assert_eq!(market.peaks(), ["104", "104"]);

        market.instrument.price_scale = scale;

        assert_eq!(market.tick("110"), [""; 0]);
        assert_eq!(market.peaks(), ["110", "110"]);
        assert_eq!(market.tick("110.0001"), ["1 Above Exit"], "{scale}");
        assert_eq!(market.tick("104.5"), ["0 Retraced { peak: Price(110.0001) } Exit"]);
    }
}

/// One market with the index that watches it.
struct Market {
    index: Index,
    instrument: Instrument,
}

impl Market {
    fn new() -> Self {
        Self { index: Index::new(Millis::from_secs(1)), instrument: instrument(0) }
    }

    fn set(&mut self, id: u32, watch: Watch) {
        self.index.set(WatchId::new(id), &self.instrument, watch);
    }

    fn tick(&mut self, text: &str) -> Vec<String> {
        let mut wakes = Vec::new();
        let tick = tick(&self.instrument, price(text), Timestamp::from_ms(0));
        self.index.tick(&self.instrument, &tick, &mut wakes).unwrap();
        shown(&wakes)
    }

    fn refused(&mut self, text: &str) -> BadTick {
        let tick = tick(&self.instrument, price(text), Timestamp::from_ms(0));
        let mut wakes = Vec::new();
        let refusal = self.index.tick(&self.instrument, &tick, &mut wakes).unwrap_err();
        assert_eq!(wakes, []);
        refusal
    }

    fn time(&mut self, ms: i64) -> Vec<String> {
        let mut wakes = Vec::new();
        self.index.time(Timestamp::from_ms(ms), &mut wakes);
        shown(&wakes)
    }

    fn peaks(&self) -> Vec<String> {
        let peaks = (0..9).filter_map(|id| self.index.peak(WatchId::new(id)));
        peaks.map(|peak| peak.to_string()).collect()
    }

    fn band(&self) -> (Option<i64>, Option<i64>) {
        self.index.band(self.instrument.id)
    }
}

fn shown(wakes: &[Wake]) -> Vec<String> {
    wakes.iter().map(|wake| format!("{} {:?} {:?}", wake.id.0, wake.cause, wake.urgency)).collect()
}

fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

fn below(text: &str, urgency: Urgency) -> Watch {
    Watch { below: Some(Bound { price: price(text), urgency }), ..Watch::default() }
}

fn above(text: &str, urgency: Urgency) -> Watch {
    Watch { above: Some(Bound { price: price(text), urgency }), ..Watch::default() }
}

fn trail(peak: &str, deviation: &str) -> Watch {
    let deviation = Fraction::parse(deviation).unwrap();
    Watch { trail: Some(Trail { peak: price(peak), deviation }), ..Watch::default() }
}

pub(super) fn tick(instrument: &Instrument, price: Price, at: Timestamp) -> Tick {
    Tick { instrument: instrument.id, price, qty: Qty::ZERO, at }
}

/// Prices in hundredths, integers with eight digits.
pub(super) fn instrument(id: u32) -> Instrument {
    let filters =
        vec![Filter::Price { min: price("0.01"), max: price("1000000"), tick: price("0.01") }];
    Instrument::new(InstrumentId::new(id), Symbol::parse("BTC/USDT").unwrap(), filters)
}
