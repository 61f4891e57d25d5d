//! Recordings of more than one account.

use tranche_model::{
    asset::Symbol,
    filter::Filter,
    instrument::{Instrument, Instruments},
};
use tranche_sim::{
    driver::Setup,
    replay::{Entry, Header, Verifier},
};
use tranche_trading::shard::Options;

use crate::scene::{A, B, BOT, OURS, Scene, THEIRS, Terms, draft, instrument, price};

#[test]
fn accounts_hear_of_rules_each_in_its_own_time() {
    let options = Options { record: true, ..Options::default() };
    let mut scene = Scene::with(Setup { shard: options, ..Setup::default() }, Terms::default());
    scene.open_account(THEIRS, Terms::default());
    for account in [OURS, THEIRS] {
        scene.create_for(account, BOT, draft());
    }
    scene.tick(A, "100");
    let mut filters = instrument(A, "AAA/USDT").filters;
    filters[0] = Filter::Price { min: price("0.5"), max: price("1000000"), tick: price("0.5") };
    let coarse = Instrument::new(A, Symbol::parse("AAA/USDT").unwrap(), filters);
    scene.driver.change_rules(coarse);
    scene.tick(A, "98.5");
    scene.listen();

    // Commits of two accounts are confirmed in any order: here all of one, and then of the other.
    let instruments = vec![instrument(A, "AAA/USDT"), instrument(B, "BBB/USDT")];
    let instruments = Instruments::new(instruments).unwrap();
    let header = Header { written_by: "test".into(), market: "made up".into(), instruments };
    let mut verifier = Verifier::new(&header);
    let entries: Vec<_> = scene.told.iter().filter_map(Entry::of).collect();
    for account in [OURS, THEIRS] {
        for entry in entries.iter().filter(|entry| entry.account == account) {
            verifier.repeat(entry).unwrap_or_else(|difference| panic!("{difference}"));
        }
    }
    assert!(20 < verifier.same);
}
