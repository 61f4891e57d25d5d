//! Claims about the store in memory and its faults.

use tranche_model::{ids::Ticket, time::Timestamp};

use super::*;

pub(crate) fn batch(epoch: Epoch, before: u64) -> Batch {
    let seq = Seq::new(before + 1);
    Batch {
        account: account(),
        epoch,
        seq_before: Seq::new(before),
        seq,
        journal: vec![JournalRow { seq, at: Timestamp::from_ms(0), body: vec![1] }],
        snapshots: vec![SnapshotRow { bot: Some(BotId::new(7)), body: vec![2] }],
        intents: Vec::new(),
        fills: Vec::new(),
        deals: Vec::new(),
        verdicts: Vec::new(),
    }
}

fn account() -> AccountId {
    AccountId::new(1)
}

fn loaded() -> (Memory, Epoch) {
    let mut memory = Memory::default();
    memory.add_account(account(), Snapshot::default());
    let (epoch, _, _) = memory.load(account()).unwrap();
    (memory, epoch)
}

#[test]
fn a_commit_counts_only_at_its_place() {
    let (mut memory, epoch) = loaded();

    assert_eq!(memory.commit(&batch(epoch, 0)), Ok(()));
    let stale = CommitError::Stale { epoch, seq: Seq::new(1) };
    assert_eq!(memory.commit(&batch(epoch, 0)), Err(stale));
    assert_eq!(memory.commit(&batch(epoch, 1)), Ok(()));
    assert_eq!(memory.stored(account()).unwrap().journal.len(), 2);
}

#[test]
fn a_new_owner_makes_the_old_one_lose() {
    let (mut memory, old) = loaded();
    let (new, seq, _) = memory.load(account()).unwrap();

    assert!(memory.commit(&batch(old, 0)).is_err());
    assert_eq!((new, seq), (old.next(), Seq::new(0)));
    assert_eq!(memory.commit(&batch(new, 0)), Ok(()));
}

#[test]
fn an_input_without_its_row_in_the_journal_is_refused() {
    let (mut memory, epoch) = loaded();
    let mut gap = batch(epoch, 0);
    gap.seq = Seq::new(2);

    assert_eq!(memory.commit(&gap), Err(CommitError::Failed));
    assert_eq!(memory.stored(account()).unwrap().seq, Seq::new(0));
    assert_eq!(memory.commit(&batch(epoch, 0)), Ok(()));
}

#[test]
fn an_empty_body_deletes_a_bot() {
    let (mut memory, epoch) = loaded();
    memory.commit(&batch(epoch, 0)).unwrap();
    let mut gone = batch(epoch, 1);
    gone.snapshots = vec![SnapshotRow { bot: Some(BotId::new(7)), body: Vec::new() }];

    memory.commit(&gone).unwrap();

    assert!(memory.load(account()).unwrap().2.bots.is_empty());
}

#[test]
fn each_fault_does_what_it_says() {
    let cases = [
        (CommitFault::Fail, Err(CommitError::Failed), 0),
        (CommitFault::Lose, Err(CommitError::Unknown), 0),
        (CommitFault::ApplyLoseReply, Err(CommitError::Unknown), 1),
    ];
    for (fault, want, rows) in cases {
        let (memory, epoch) = loaded();
        let mut faulty = FaultyMemory::new(memory, CommitPlan::from([(1, fault)]));
        faulty.submit(Ticket::new(1), batch(epoch, 0));

        assert_eq!(faulty.turn(), vec![(Ticket::new(1), want)], "{fault:?}");
        assert_eq!(faulty.memory().stored(account()).unwrap().journal.len(), rows, "{fault:?}");
    }
}

#[test]
fn a_delayed_commit_keeps_its_account_in_order() {
    let (memory, epoch) = loaded();
    let plan = CommitPlan::from([(1, CommitFault::Delay { turns: 2 })]);
    let mut faulty = FaultyMemory::new(memory, plan);
    faulty.submit(Ticket::new(1), batch(epoch, 0));
    faulty.submit(Ticket::new(2), batch(epoch, 1));

    assert_eq!(faulty.turn(), vec![]);
    assert_eq!(faulty.turn(), vec![]);
    assert_eq!(faulty.turn(), vec![(Ticket::new(1), Ok(())), (Ticket::new(2), Ok(()))]);
}

#[test]
fn a_delayed_commit_loses_against_a_new_owner() {
    let (memory, epoch) = loaded();
    let plan = CommitPlan::from([(1, CommitFault::Delay { turns: 1 })]);
    let mut faulty = FaultyMemory::new(memory, plan);
    faulty.submit(Ticket::new(1), batch(epoch, 0));
    faulty.turn();

    let (new, _, _) = faulty.load(account()).unwrap();

    let stale = CommitError::Stale { epoch: new, seq: Seq::new(0) };
    assert_eq!(faulty.turn(), vec![(Ticket::new(1), Err(stale))]);
}
