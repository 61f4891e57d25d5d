//! What the demo's world stands on: the real client and sockets, or one process under one virtual clock.

use anyhow::Result;
use tranche_model::{
    candle::Tick,
    ids::{AccountId, InstrumentId},
    instrument::Instruments,
    money::Price,
    time::Timestamp,
};
use tranche_sim::driver::Driver;
use tranche_trading::{account::Account, event::Command, shard::Output};

use super::wire::Wire;

/// The two of them, under one set of words.
#[derive(Debug)]
pub(crate) enum Floor {
    /// Everything in this process; time is the market's.
    Near(Box<Driver>),
    /// Over sockets; the market may pass fast, but bots and calls live in real time.
    Wire(Box<Wire>),
}

impl Floor {
    pub(crate) fn instruments(&self) -> &Instruments {
        match self {
            Self::Near(driver) => driver.shard.instruments(),
            Self::Wire(wire) => wire.instruments(),
        }
    }

    pub(crate) fn accounts(&self) -> Vec<&Account> {
        match self {
            Self::Near(driver) => driver.shard.accounts().collect(),
            Self::Wire(wire) => wire.accounts().iter().collect(),
        }
    }

    /// The market's time.
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::Near(driver) => driver.now(),
            Self::Wire(wire) => wire.now(),
        }
    }

    /// The time that bots live in.
    pub(crate) fn bot_now(&self) -> Timestamp {
        match self {
            Self::Near(driver) => driver.now(),
            Self::Wire(wire) => wire.bot_now(),
        }
    }

    pub(crate) fn price(&self, instrument: InstrumentId) -> Option<Price> {
        match self {
            Self::Near(driver) => driver.exchange.last_price(instrument),
            Self::Wire(wire) => wire.price(instrument),
        }
    }

    /// The market trades.
    pub(crate) fn tick(&mut self, tick: &Tick) {
        match self {
            Self::Near(driver) => driver.tick(tick),
            Self::Wire(wire) => wire.tick(tick),
        }
    }

    /// Lets time pass, and looks at what came of it.
    pub(crate) fn advance(&mut self, to: Timestamp) -> Result<()> {
        match self {
            Self::Near(driver) => {
                driver.advance(to);
                Ok(())
            }
            Self::Wire(wire) => wire.advance(to),
        }
    }

    pub(crate) fn command(&mut self, account: AccountId, command: Command) -> Result<()> {
        match self {
            Self::Near(driver) => {
                driver.command(account, command);
                Ok(())
            }
            Self::Wire(wire) => wire.command(account, command),
        }
    }

    /// Throws an account out of memory, as a crash would; it is loaded from the store.
    pub(crate) fn evict(&mut self, account: AccountId) -> Result<()> {
        match self {
            Self::Near(driver) => {
                driver.evict(account);
                Ok(())
            }
            Self::Wire(wire) => wire.evict(account),
        }
    }

    pub(crate) fn take_told(&mut self) -> Vec<Output> {
        match self {
            Self::Near(driver) => driver.take_told(),
            Self::Wire(wire) => wire.take_told(),
        }
    }
}
