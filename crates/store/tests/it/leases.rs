//! Leases: who acts for an account.

use tranche_model::{
    ids::{AccountId, BotId, Epoch},
    time::Millis,
};
use tranche_store::StoreError;

use crate::bench::{Bench, add_paper, contract, input};

const ONE: AccountId = AccountId::new(1);

contract! {
    lease_keeps_others_out,
    expired_lease_is_taken_over_with_a_higher_epoch,
    renewed_lease_stays,
    released_lease_is_free,
    many_accounts_are_taken_and_loaded_at_once,
}

async fn lease_keeps_others_out(bench: &Bench) {
    let first = bench.open().await;
    add_paper(&first, 1).await;
    let second = bench.open_beside("second", Millis::from_secs(15)).await;

    assert_eq!(first.lease(&[ONE]).await, Ok(vec![ONE]));
    assert_eq!(first.lease(&[ONE]).await, Ok(vec![ONE]));

    assert_eq!(second.lease(&[ONE]).await, Ok(Vec::new()));
    assert_eq!(second.load(ONE).await, Err(StoreError::Stale));
    assert_eq!(second.renew().await, Ok(Vec::new()));
    // Refused, it left nothing behind.
    assert_eq!(first.load(ONE).await.unwrap().epoch, Epoch::new(1));
}

async fn expired_lease_is_taken_over_with_a_higher_epoch(bench: &Bench) {
    let second = bench.open_as("second").await;
    add_paper(&second, 1).await;
    // Its lease is over as soon as it is written.
    let first = bench.open_beside("first", Millis::ZERO).await;
    assert_eq!(first.lease(&[ONE]).await, Ok(vec![ONE]));
    let owned = first.load(ONE).await.unwrap();

    assert_eq!(second.lease(&[ONE]).await, Ok(vec![ONE]));

    // The former owner loses at once, before the new one has loaded anything.
    let late = first.commit(vec![input(1, owned.epoch, owned.seq)]).await;
    assert_eq!(late, [Err(StoreError::Stale)]);
    assert_eq!(first.renew().await, Ok(Vec::new()));
    assert_eq!(first.load(ONE).await, Err(StoreError::Stale));
    let loaded = second.load(ONE).await.unwrap();
    assert_eq!(loaded.epoch, Epoch::new(3));
    assert_eq!(second.commit(vec![input(1, loaded.epoch, loaded.seq)]).await, [Ok(())]);
}

async fn renewed_lease_stays(bench: &Bench) {
    let store = bench.open().await;
    for account in [1, 2] {
        add_paper(&store, account).await;
    }
    let both = [ONE, AccountId::new(2)];
    assert_eq!(store.lease(&both).await, Ok(both.to_vec()));

    let mut renewed = store.renew().await.unwrap();

    renewed.sort_unstable();
    assert_eq!(renewed, both);
    let leases = store.leases().await.unwrap();
    assert!(leases.iter().all(|lease| lease.owner == "first" && !lease.has_expired));
}

async fn released_lease_is_free(bench: &Bench) {
    let first = bench.open().await;
    add_paper(&first, 1).await;
    let second = bench.open_beside("second", Millis::from_secs(15)).await;
    assert_eq!(first.lease(&[ONE]).await, Ok(vec![ONE]));

    // Nobody gives back what is another's.
    second.release(&[ONE]).await.unwrap();
    assert_eq!(second.lease(&[ONE]).await, Ok(Vec::new()));
    first.release(&[ONE]).await.unwrap();

    assert_eq!(second.lease(&[ONE]).await, Ok(vec![ONE]));
}

async fn many_accounts_are_taken_and_loaded_at_once(bench: &Bench) {
    let store = bench.open().await;
    for account in 1..=75 {
        add_paper(&store, account).await;
    }
    let other = bench.open_beside("other", Millis::from_secs(15)).await;
    assert_eq!(other.lease(&[ONE]).await, Ok(vec![ONE]));
    let all: Vec<AccountId> = (1..=80).map(AccountId::new).collect();

    let taken = store.lease(&all).await.unwrap();
    let loaded = store.load_all(&all).await.unwrap();

    assert_eq!(taken, all[1..75]);
    let accounts: Vec<AccountId> = loaded.iter().map(|(account, _)| *account).collect();
    assert_eq!(accounts, all[1..75]);
    for (_, loaded) in loaded {
        assert_eq!(loaded.snapshot.account, [1, 2, 3]);
        assert_eq!(loaded.snapshot.bots, [(BotId::new(7), vec![7])]);
    }
    assert_eq!(store.load(AccountId::new(80)).await, Err(StoreError::NoAccount(all[79])));
}
