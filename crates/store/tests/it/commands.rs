//! Commands, bots, users.

use tranche_model::{
    ids::{AccountId, BotId, CommandId, UserId},
    record::VerdictRow,
    time::Millis,
};
use tranche_store::{Command, StoreError, User};

use crate::bench::{Bench, NOW, add_paper, contract, input};

contract! {
    commands_are_taken_in_order_and_answered_once,
    same_command_again_is_one_command,
    command_from_another_process_is_seen,
    bots_keep_every_version_of_their_settings,
    numbers_of_bots_are_not_given_twice,
    users_have_one_name_each,
}

async fn commands_are_taken_in_order_and_answered_once(bench: &Bench) {
    let store = bench.open().await;
    for account in [1, 2] {
        add_paper(&store, account).await;
    }
    for (id, account) in [(30, 1), (20, 2), (10, 1)] {
        store.submit(&command(id, account)).await.unwrap();
    }

    let open = store.open_commands(&[AccountId::new(1)]).await.unwrap();
    let ids: Vec<u128> = open.iter().map(|open| open.command.command.get()).collect();
    assert_eq!(ids, [30, 10]);
    assert_eq!(open[0].command, command(30, 1));

    let loaded = store.load(AccountId::new(1)).await.unwrap();
    let mut batch = input(1, loaded.epoch, loaded.seq);
    let verdict = Err("no such bot".to_owned());
    batch.verdicts = vec![VerdictRow { command: CommandId::new(30), verdict }];
    let verdict = batch.verdicts[0].clone();
    assert_eq!(store.commit(vec![batch]).await, [Ok(())]);

    let open = store.open_commands(&[AccountId::new(1), AccountId::new(2)]).await.unwrap();
    let ids: Vec<u128> = open.iter().map(|open| open.command.command.get()).collect();
    assert_eq!(ids, [10, 20]);
    let account = AccountId::new(1);
    assert_eq!(store.verdict(account, CommandId::new(30)).await, Ok(Some(verdict)));
    assert_eq!(store.verdict(account, CommandId::new(10)).await, Ok(None));
    // A verdict belongs to its account.
    assert_eq!(store.verdict(AccountId::new(2), CommandId::new(30)).await, Ok(None));
}

async fn same_command_again_is_one_command(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let first = command(5, 1);

    store.submit(&first).await.unwrap();
    let later = Command { at: NOW.plus(Millis::from_secs(1)), ..first.clone() };
    store.submit(&later).await.unwrap();

    assert_eq!(store.open_commands(&[AccountId::new(1)]).await.unwrap().len(), 1);
    let other = Command { body: vec![0], ..first.clone() };
    let refused = store.submit(&other).await.unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    let nowhere = Command { account: AccountId::new(9), command: CommandId::new(6), ..first };
    let refused = store.submit(&nowhere).await;
    assert_eq!(refused, Err(StoreError::NoAccount(AccountId::new(9))));
}

async fn command_from_another_process_is_seen(bench: &Bench) {
    let engine = bench.open().await;
    add_paper(&engine, 1).await;
    let client = bench.open_beside("client", Millis::from_secs(15)).await;

    client.submit(&command(u128::MAX, 1)).await.unwrap();

    let open = engine.open_commands(&[AccountId::new(1)]).await.unwrap();
    assert_eq!(open[0].command, command(u128::MAX, 1));
}

async fn bots_keep_every_version_of_their_settings(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;

    let bot = store.add_bot(AccountId::new(1), "btc", "first", NOW).await.unwrap();
    assert_eq!(store.add_config(bot, "second", NOW).await, Ok(2));
    store.end_bot(bot, NOW).await.unwrap();

    let row = store.bot(bot).await.unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.version, row.config.as_str()), ("btc", 2, "second"));
    assert_eq!(row.ended_at, Some(NOW));
    assert_eq!(store.bots().await.unwrap(), [row]);
    let configs = store.configs(bot).await.unwrap();
    assert_eq!(configs, [(1, NOW, "first".to_owned()), (2, NOW, "second".to_owned())]);
    let nobody = BotId::new(99);
    assert_eq!(store.add_config(nobody, "x", NOW).await, Err(StoreError::NoBot(nobody)));
    assert_eq!(store.end_bot(nobody, NOW).await, Err(StoreError::NoBot(nobody)));
    assert_eq!(store.bot(nobody).await, Ok(None));
}

async fn numbers_of_bots_are_not_given_twice(bench: &Bench) {
    let store = bench.open().await;
    add_paper(&store, 1).await;
    let other = bench.open_beside("other", Millis::from_secs(15)).await;

    let adds = (0..10).map(|number| {
        let store = if number % 2 == 0 { &store } else { &other };
        store.add_bot(AccountId::new(1), "bot", "config", NOW)
    });
    let mut bots: Vec<u32> = futures_util::future::join_all(adds)
        .await
        .into_iter()
        .map(|bot| bot.unwrap().get())
        .collect();

    bots.sort_unstable();
    assert_eq!(bots, (1..=10).collect::<Vec<_>>());
    let nowhere = store.add_bot(AccountId::new(9), "bot", "config", NOW).await;
    assert_eq!(nowhere, Err(StoreError::NoAccount(AccountId::new(9))));
}

async fn users_have_one_name_each(bench: &Bench) {
    let store = bench.open().await;
    let user = |number, name: &str| User {
        user: UserId::new(number),
        name: name.to_owned(),
        created_at: NOW,
    };

    store.add_user(&user(1, "ada")).await.unwrap();
    store.add_user(&user(1, "ada")).await.unwrap();

    assert!(matches!(store.add_user(&user(2, "ada")).await, Err(StoreError::Taken(_))));
    assert!(matches!(store.add_user(&user(1, "bob")).await, Err(StoreError::Taken(_))));
    assert_eq!(store.users().await.unwrap(), [user(1, "ada")]);
}

fn command(id: u128, account: u32) -> Command {
    Command {
        command: CommandId::new(id),
        account: AccountId::new(account),
        issued_by: "ada".to_owned(),
        body: id.to_be_bytes().to_vec(),
        at: NOW,
    }
}
