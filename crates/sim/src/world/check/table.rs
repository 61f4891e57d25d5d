//! Which check looks after which invariant.

/// Where an invariant is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After every event of a world.
    Always,
    /// At the quiet end of each episode.
    Quiet,
    /// In the named test or run.
    Elsewhere(&'static str),
    /// Not yet: what it speaks of is not built.
    NotYet(&'static str),
}

/// An invariant and its check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invariant {
    pub id: &'static str,
    pub claim: &'static str,
    pub place: Place,
}

const fn row(id: &'static str, claim: &'static str, place: Place) -> Invariant {
    Invariant { id, claim, place }
}

/// All of them.
pub const INVARIANTS: [Invariant; 33] = [
    row("I-01", "at most one order ever under a client id", Place::Always),
    row("I-02", "each own order has exactly one intent", Place::Always),
    row("I-03", "nothing leaves without a committed intent", Place::Always),
    row("I-04", "each execution is booked once, as it was made", Place::Always),
    row("I-05", "when quiet, orders, executions and positions agree", Place::Quiet),
    row("I-06", "double entry: every asset sums to zero, and our totals are theirs", Place::Quiet),
    row("I-07", "executed lies within the order and never falls; an end is final", Place::Always),
    row("I-08", "no panic, no quarantine, no account that cannot be loaded", Place::Always),
    row("I-09", "what is proved never placed is not there, and never comes", Place::Always),
    row("I-10", "one live order in a slot", Place::Always),
    row("I-11", "a deal keeps to its budget and its safety orders", Place::Always),
    row("I-12", "the ladder falls", Place::Quiet),
    row("I-13", "exits never exceed the position, and cover it when quiet", Place::Always),
    row("I-14", "the take profit brings what was configured", Place::Quiet),
    row("I-15", "a deal closes once, with the profit of its executions", Place::Always),
    row("I-16", "grid: one order in a level", Place::NotYet("there is no grid yet")),
    row("I-17", "grid: inventory", Place::NotYet("there is no grid yet")),
    row("I-18", "nothing is reserved twice", Place::Quiet),
    row("I-19", "every order obeys the rules that are known", Place::Always),
    row("I-20", "no entry at an old price", Place::Always),
    row("I-21", "nothing leaves in a pause that the venue asked for", Place::Always),
    row(
        "I-22",
        "protection leaves first when not all can",
        Place::Elsewhere("trading::dispatch::tests::storm"),
    ),
    row("I-23", "after faults everything comes to rest", Place::Quiet),
    row("I-24", "only one owner can commit", Place::Always),
    row("I-25", "a crash anywhere changes nothing in the books", Place::Quiet),
    row("I-26", "one seed, one trace", Place::Elsewhere("tranche simulate, a tenth of the seeds")),
    row("I-27", "other hands' orders and funds are left alone", Place::Quiet),
    row("I-28", "a stopped bot opens no deal", Place::Always),
    row("I-29", "no bot is deleted while its orders are open", Place::Always),
    row("I-30", "what is kept is bounded", Place::Always),
    row("I-31", "time never stands still, whatever clocks do", Place::Always),
    row(
        "I-32",
        "a journal, repeated, gives the same commands",
        Place::Elsewhere("every sixteenth world"),
    ),
    row(
        "I-33",
        "no secret is told",
        Place::Elsewhere("worlds as text, about every sixteenth of tranche simulate"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_thirty_three_are_here_in_order() {
        for (number, invariant) in (1..).zip(INVARIANTS) {
            assert_eq!(invariant.id, format!("I-{number:02}"));
        }
    }
}
