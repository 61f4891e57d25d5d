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
