//! The deals of the backtest against a plain reckoning of the same rules: a loop over prices with the
//! formulas of the strategy's page written out, and none of our machines in it.

use rust_decimal::{Decimal, RoundingStrategy};
use tranche_model::{balance::FeeAsset, candle::Candle, time::Millis};
use tranche_sim::{
    backtest::Mode,
    exchange::{FillRule, Path, points},
};

use crate::market::{generated, plan, run, year};

const FEE: Decimal = Decimal::from_parts(1, 0, 0, false, 3);
const STEP: Decimal = Decimal::from_parts(15, 0, 0, false, 3);
const PROFIT: Decimal = Decimal::from_parts(15, 0, 0, false, 3);
const SCALE: Decimal = Decimal::from_parts(15, 0, 0, false, 1);
const VOLUME: Decimal = Decimal::ONE_HUNDRED;
const TICK_DIGITS: u32 = 2;
const LOT_DIGITS: u32 = 5;
const SAFETY_ORDERS: usize = 5;

/// Money bought for, safety orders, profit.
type Row = (Decimal, usize, Decimal);

#[test]
fn deals_are_those_of_a_plain_reckoning() {
    let mut count = 0;
    let (recorded, interval) = year();
    let minute = Millis::from_secs(60);
    let generated = (20..24).map(|seed| (generated(seed, 60_000), minute));
    for (candles, interval) in generated.chain([(recorded, interval)]) {
        for path in [Path::OpenLowHighClose, Path::OpenHighLowClose, Path::Nearest] {
            let mut plan = plan("{}", Mode::Jump);
            (plan.path, plan.exchange.fill) = (path, FillRule::Touch);
            plan.account.fee_asset = FeeAsset::Quote;
            let report = run(&plan, &candles, interval);
            let ours: Vec<Row> = report
                .deals
                .iter()
                .map(|deal| (deal.bought.get(), usize::from(deal.safety_orders), deal.profit.get()))
                .collect();

            assert_eq!(ours, reckon(&candles, path));
            count += ours.len();
        }
    }
    assert!(50 < count, "{count} deals say little");
}

#[derive(Debug, Default)]
struct Deal {
    qty: Decimal,
    cost: Decimal,
    ladder: Vec<(Decimal, Decimal)>,
    taken: usize,
    target: Decimal,
}

impl Deal {
    fn open(price: Decimal) -> Self {
        let mut deal = Self::default();
        let (mut away, mut volume) = (Decimal::ZERO, VOLUME);
        for _ in 0..SAFETY_ORDERS {
            away += STEP;
            let below = floor(price * (Decimal::ONE - away), TICK_DIGITS);
            deal.ladder.push((below, floor(volume / below, LOT_DIGITS)));
            volume *= SCALE;
        }
        deal.buy(price, floor(VOLUME / price, LOT_DIGITS));
        deal
    }

    fn buy(&mut self, price: Decimal, qty: Decimal) {
        self.qty += qty;
        self.cost += price * qty;
        let wanted = self.spent() * (Decimal::ONE + PROFIT);
        let exact = wanted / (self.qty * (Decimal::ONE - FEE));
        self.target =
            exact.round_dp_with_strategy(TICK_DIGITS, RoundingStrategy::ToPositiveInfinity);
    }

    fn spent(&self) -> Decimal {
        self.cost * (Decimal::ONE + FEE)
    }
}

fn reckon(candles: &[Candle], path: Path) -> Vec<Row> {
    let mut done = Vec::new();
    let mut open: Option<Deal> = None;
    for price in candles.iter().flat_map(|candle| points(candle, path)) {
        let price = price.get();
        if let Some(deal) = &mut open {
            while let Some((below, qty)) = deal.ladder.get(deal.taken).copied()
                && price <= below
            {
                deal.taken += 1;
                deal.buy(below, qty);
            }
            if deal.target <= price {
                let got = deal.target * deal.qty * (Decimal::ONE - FEE);
                done.push((deal.cost, deal.taken, got - deal.spent()));
                open = None;
            }
        }
        // The next deal begins at the price that ended the one before.
        open.get_or_insert_with(|| Deal::open(price));
    }
    done
}

fn floor(value: Decimal, digits: u32) -> Decimal {
    value.round_dp_with_strategy(digits, RoundingStrategy::ToNegativeInfinity)
}
