//! The bot of the backtests, and the market that it runs on.

use tranche_lab::candles::CandleFile;
use tranche_model::{
    balance::Balance,
    ids::{BotId, InstrumentId},
    money::Amount,
    time::Millis,
};
use tranche_sim::{
    backtest::{Market, Mode, Plan, Series},
    exchange::{self, Path},
};

use super::world;

/// What differs between configurations, in per cent.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) step: String,
    pub(crate) take_profit: String,
    pub(crate) scale: String,
    pub(crate) trailing: Option<String>,
    pub(crate) path: Path,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            step: "1.5".to_owned(),
            take_profit: "1.5".to_owned(),
            scale: "1.5".to_owned(),
            trailing: None,
            path: Path::OpenLowHighClose,
        }
    }
}

pub(crate) fn market(file: &CandleFile) -> Market {
    let (instrument, interval) = (InstrumentId::new(0), file.interval);
    let series = Series { instrument, candles: &file.candles, interval };
    Market::new(world::instruments(1), &[series]).unwrap()
}

pub(crate) fn plan(mode: Mode, terms: &Terms) -> Plan {
    let free = Amount::parse("1000000").unwrap();
    let asset = world::symbol(0).quote;
    let Terms { step, take_profit, scale, trailing, path } = terms;
    let trailing = trailing.as_ref().map(|pct| format!(r#","trailing_deviation_pct":"{pct}""#));
    let extra = format!(
        r#","volume_scale":"{scale}","safety_order_step_pct":"{step}","take_profit_pct":"{take_profit}",
        "active_safety_orders_count":5{}"#,
        trailing.unwrap_or_default()
    );
    let mut settings = world::settings();
    // There is nothing to reconcile with: no order of a backtest is ever forgotten.
    settings.timing.reconcile_every = Millis::from_secs(30 * 86_400);
    Plan {
        account: settings,
        balances: vec![Balance { asset, free, locked: Amount::ZERO }],
        bots: vec![(BotId::new(1), world::scaled_config(world::symbol(0), &extra))],
        exchange: exchange::Settings::default(),
        path: *path,
        mode,
        record: false,
    }
}
