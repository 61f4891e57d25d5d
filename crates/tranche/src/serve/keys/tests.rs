use tranche_store::CredentialId;

use super::*;

fn account(number: u32) -> Account {
    Account {
        account: AccountId::new(number),
        user: None,
        venue: "binance".to_owned(),
        name: format!("account-{number}"),
        is_paper: false,
        credential: Some(CredentialId::new(number)),
        created_at: at(0),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1000)
}

fn keys(count: u32) -> Keys {
    let mut keys = Keys::default();
    for number in 1..=count {
        keys.watch(&account(number), at(0));
    }
    keys
}

#[test]
fn an_account_that_fails_does_not_keep_the_others_from_their_turn() {
    let mut keys = keys(20);
    let mut asked = BTreeSet::new();
    // The first one of each turn fails, and ends it.
    for second in 1..=20 {
        let first = keys.due(at(second))[0];
        asked.insert(first);
        keys.failed(first, at(second));
    }
    assert_eq!(asked.len(), 20);
}

#[test]
fn a_turn_asks_after_few() {
    let keys = keys(100);
    assert_eq!(keys.due(at(1)).len(), AT_ONCE);
}

#[test]
fn an_exchange_that_wants_to_be_left_alone_is() {
    let mut keys = keys(3);
    keys.silent_until = at(600);
    assert_eq!(keys.due(at(599)), []);
    assert_eq!(keys.due(at(600)).len(), 3);
}

#[test]
fn pauses_grow_to_an_hour() {
    let pauses = [0, 5, 6, 11, 12, 50, 500].map(pause_after);
    let seconds = pauses.map(|pause| pause.ms() / 1000);
    assert_eq!(seconds, [20, 20, 40, 40, 80, 3600, 3600]);
}

#[test]
fn only_a_yes_of_others_is_taken_over() {
    let mut keys = keys(1);
    let ours = account(1);
    let row = |may_withdraw| Credential {
        credential: CredentialId::new(1),
        user: tranche_model::ids::UserId::new(1),
        venue: "binance".to_owned(),
        label: "ours".to_owned(),
        hint: "abcd".to_owned(),
        kek: 1,
        created_at: at(0),
        rotated_at: None,
        may_withdraw,
    };

    for (told, expected) in [(None, false), (Some(true), true), (None, true), (Some(false), true)] {
        keys.recall(&ours, &[row(told)]);
        assert_eq!(keys.may_withdraw(ours.account), expected, "{told:?}");
    }
}
