use tranche_model::ids::CommandId;
use tranche_trading::event::CommandBody;

use super::*;

const OURS: AccountId = AccountId::new(1);

#[test]
fn stored_commands_are_handed_out_once_and_forgotten_with_their_verdict() {
    let mut pending = Pending::default();

    assert_eq!(pending.renew(vec![(OURS, command(1))]), [(OURS, command(1))]);
    assert_eq!(pending.renew(vec![(OURS, command(1)), (OURS, command(2))]), [(OURS, command(2))]);
    assert_eq!(pending.of(OURS), [command(1), command(2)]);

    // The store says that the first one has its verdict; nobody here saw it.
    assert_eq!(pending.renew(vec![(OURS, command(2))]), []);
    assert_eq!(pending.of(OURS), [command(2)]);
    pending.give(OURS, &VerdictRow { command: CommandId::new(2), verdict: Ok(()) });
    assert_eq!(pending.of(OURS), []);
}

#[test]
fn commands_of_this_process_stay_although_the_store_has_none() {
    let mut pending = Pending::default();
    let (verdict, mut answer) = oneshot::channel();
    pending.add(OURS, command(7), verdict);

    assert_eq!(pending.renew(Vec::new()), []);
    assert_eq!(pending.of(OURS), [command(7)]);

    let refused = Err("no".to_owned());
    pending.give(OURS, &VerdictRow { command: CommandId::new(7), verdict: refused.clone() });
    assert_eq!(answer.try_recv(), Ok(refused));
}

fn command(id: u128) -> Command {
    Command { id: CommandId::new(id), body: CommandBody::Rearm }
}
