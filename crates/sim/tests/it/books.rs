//! Holds an account of a driver against the exchange's own books, by the model that worlds use.

use tranche_model::{ids::AccountId, time::Millis};
use tranche_sim::{
    driver::Driver,
    world::check::model::{self, View},
};

pub(crate) use tranche_sim::world::check::Disturbed;

type Checked = Result<(), String>;

/// What must be true after every input.
pub(crate) fn always(driver: &Driver, id: AccountId, disturbed: Disturbed) -> Checked {
    look(driver, id, disturbed, model::always)
}

/// What must be true once nothing happens any more.
pub(crate) fn quiet(driver: &Driver, id: AccountId) -> Checked {
    look(driver, id, Disturbed::default(), model::quiet)
}

fn look(
    driver: &Driver,
    id: AccountId,
    disturbed: Disturbed,
    check: impl FnOnce(&View<'_>) -> Result<(), model::Broken>,
) -> Checked {
    let Some(account) = driver.shard.account(id) else { return Err(format!("{id} is gone")) };
    let memory = driver.memory.memory();
    let (now, is_writing) = (driver.now(), driver.memory.is_busy());
    let exchange = &driver.exchange;
    let view =
        View { exchange, memory, account, now, disturbed, is_writing, clock_error: Millis::ZERO };
    check(&view).map_err(|broken| broken.to_string())
}
