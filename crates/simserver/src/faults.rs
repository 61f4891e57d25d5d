//! Faults on demand: written rules, a seed, and the deck that deals them out.

use serde::{Deserialize, Serialize};
use tranche_model::time::Timestamp;

/// What goes wrong, for whom and how often. The same seed deals the same faults to the same calls in
/// the same order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultProfile {
    #[serde(default)]
    pub seed: u64,
    #[serde(default, rename = "rule")]
    pub rules: Vec<FaultRule>,
}

/// A fault with the calls or events that it meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    pub fault: Fault,
    /// Only for this account; for a request without one, none.
    #[serde(default)]
    pub account: Option<String>,
    /// Only for requests with this key; events have none.
    #[serde(default)]
    pub key: Option<String>,
    /// How what is met begins: `POST /api/v3/order`, `order.place`, `executionReport`. Requests over
    /// the WebSocket API are met by their method.
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default = "always")]
    pub per_mille: u32,
    /// How many meetings pass first.
    #[serde(default)]
    pub skip: u32,
    /// How often at most; without it, for ever.
    #[serde(default)]
    pub count: Option<u32>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Held up before it takes effect.
    Delay {
        ms: u32,
    },
    /// The answer is held up after it took effect.
    DelayAnswer {
        ms: u32,
    },
    /// The connection breaks before it takes effect.
    DropBefore,
    /// It takes effect and the connection breaks.
    DropAfter,
    /// An error page of a server in between.
    ErrorBefore {
        status: u16,
    },
    ErrorAfter {
        status: u16,
    },
    /// -1007.
    Timeout {
        executed: bool,
    },
    /// -1006.
    UnexpectedResponse {
        executed: bool,
    },
    /// One of the texts of HTTP 503.
    Busy {
        text: Busy,
        executed: bool,
    },
    /// It takes effect; the answer ends in the middle.
    BrokenJson,
    /// 429 for this long; who goes on asking is banned.
    TooMany {
        seconds: u32,
    },
    Ban {
        seconds: u32,
    },
    /// -1021, as if the clocks were apart.
    ClockSkew,
    /// A read answers from the state of some time ago.
    StaleRead {
        ms: u32,
    },
    /// All private streams of the account break once it took effect.
    CutStreams,
    /// `eventStreamTerminated` to the private streams of the account.
    ExpireToken,
    /// The answer has a status that no document knows.
    StrangeStatus,
    /// An event of a private stream is lost.
    EventDrop,
    EventDouble,
    /// An event comes after the following one.
    EventSwap,
    /// An event comes this much later, after all that were sent meanwhile.
    EventLate {
        ms: u32,
    },
    /// An execution report has a status that no document knows.
    EventStrange,
}

/// A word for the status of an order that stands in no document.
pub(crate) const STRANGE: &str = "UNDER_REVIEW";

/// The known texts of HTTP 503, and -1008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Busy {
    /// "Unknown error, please check your request or try again later."
    Unknown,
    /// "Service Unavailable."
    Unavailable,
    /// "Internal error; unable to process your request. Please try again."
    Internal,
    /// -1008.
    Overloaded,
}

/// The faults of one meeting, by the moment at which they act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dealt {
    pub(crate) faults: Vec<Fault>,
}

/// Whose request or event it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Who<'a> {
    pub(crate) account: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

/// The rules with what was dealt so far.
#[derive(Debug)]
pub(crate) struct Deck {
    rules: Vec<Counted>,
    chance: Chance,
}

#[derive(Debug)]
struct Counted {
    rule: FaultRule,
    met: u64,
    dealt: u64,
}

/// How often a rule acted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tally {
    rule: FaultRule,
    met: u64,
    dealt: u64,
}

/// The `SplitMix64` generator (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

const fn always() -> u32 {
    1000
}

impl FaultRule {
    /// Always, for everyone.
    pub const fn new(fault: Fault) -> Self {
        Self { fault, account: None, key: None, path: None, per_mille: 1000, skip: 0, count: None }
    }

    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    #[must_use]
    pub const fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    fn meets(&self, who: Who<'_>, what: &str) -> bool {
        self.account.as_deref().is_none_or(|name| who.account == Some(name))
            && self.key.as_deref().is_none_or(|name| who.key == Some(name))
            && self.path.as_deref().is_none_or(|path| what.starts_with(path))
    }
}

impl Fault {
    /// Whether it acts on events of private streams, not on requests.
    const fn is_of_events(self) -> bool {
        matches!(
            self,
            Self::EventDrop
                | Self::EventDouble
                | Self::EventSwap
                | Self::EventLate { .. }
                | Self::EventStrange
        )
    }
}

impl Deck {
    pub(crate) fn new(profile: &FaultProfile) -> Self {
        let counted = |rule: &FaultRule| Counted { rule: rule.clone(), met: 0, dealt: 0 };
        Self {
            rules: profile.rules.iter().map(counted).collect(),
            chance: Chance::new(profile.seed),
        }
    }

    pub(crate) fn add(&mut self, rule: FaultRule) {
        self.rules.push(Counted { rule, met: 0, dealt: 0 });
    }

    pub(crate) fn tallies(&self) -> Vec<Tally> {
        let tally = |counted: &Counted| Tally {
            rule: counted.rule.clone(),
            met: counted.met,
            dealt: counted.dealt,
        };
        self.rules.iter().map(tally).collect()
    }

    /// The faults of a request: `POST /api/v3/order` or `order.place`.
    pub(crate) fn of_request(&mut self, who: Who<'_>, what: &str) -> Dealt {
        Dealt { faults: self.deal(who, what, false) }
    }

    pub(crate) fn of_event(&mut self, account: &str, what: &str) -> Dealt {
        let who = Who { account: Some(account), key: None };
        Dealt { faults: self.deal(who, what, true) }
    }

    fn deal(&mut self, who: Who<'_>, what: &str, is_event: bool) -> Vec<Fault> {
        let mut faults = Vec::new();
        for Counted { rule, met, dealt } in &mut self.rules {
            if rule.fault.is_of_events() != is_event || !rule.meets(who, what) {
                continue;
            }
            *met = met.saturating_add(1);
            let is_over = rule.count.is_some_and(|count| u64::from(count) <= *dealt);
            if is_over || *met <= u64::from(rule.skip) || !self.chance.happens(rule.per_mille) {
                continue;
            }
            *dealt = dealt.saturating_add(1);
            faults.push(rule.fault);
        }
        faults
    }
}

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.0)
    }

    pub(crate) fn happens(&mut self, per_mille: u32) -> bool {
        // Drawn also when it is certain, so that a changed chance leaves the later draws alone.
        self.next() % 1000 < u64::from(per_mille)
    }
}

/// The output function of `SplitMix64`; spreads neighbours apart.
pub(crate) const fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl Dealt {
    pub(crate) fn delay(&self) -> u32 {
        self.sum(|fault| if let Fault::Delay { ms } = fault { Some(ms) } else { None })
    }

    pub(crate) fn delay_answer(&self) -> u32 {
        self.sum(|fault| if let Fault::DelayAnswer { ms } = fault { Some(ms) } else { None })
    }

    /// How much later an event comes.
    pub(crate) fn late(&self) -> u32 {
        self.sum(|fault| if let Fault::EventLate { ms } = fault { Some(ms) } else { None })
    }

    /// The time as of which a read is answered.
    pub(crate) fn as_of(&self, now: Timestamp) -> Timestamp {
        let ms =
            self.sum(|fault| if let Fault::StaleRead { ms } = fault { Some(ms) } else { None });
        if ms == 0 { Timestamp::MAX } else { now.minus(tranche_model::time::Millis::new(ms)) }
    }

    pub(crate) fn has(&self, wanted: Fault) -> bool {
        self.faults.contains(&wanted)
    }

    fn sum(&self, part: impl Fn(Fault) -> Option<u32>) -> u32 {
        self.faults.iter().filter_map(|fault| part(*fault)).fold(0, u32::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "POST /api/v3/order";

    fn deck(rules: Vec<FaultRule>) -> Deck {
        Deck::new(&FaultProfile { seed: 7, rules })
    }

    #[test]
    fn a_rule_meets_its_path_and_its_account_only() {
        let rule = FaultRule {
            account: Some("ann".to_owned()),
            key: Some("k".to_owned()),
            ..FaultRule::new(Fault::DropAfter).on(ORDER)
        };
        let mut deck = deck(vec![rule]);

        let who = |account, key| Who { account: Some(account), key: Some(key) };
        assert!(deck.of_request(who("bob", "k"), ORDER).faults.is_empty());
        assert!(deck.of_request(who("ann", "other"), ORDER).faults.is_empty());
        assert!(deck.of_request(Who::default(), ORDER).faults.is_empty());
        assert!(deck.of_request(who("ann", "k"), "GET /api/v3/order").faults.is_empty());
        assert_eq!(deck.of_request(who("ann", "k"), ORDER).faults, [Fault::DropAfter]);
    }

    #[test]
    fn a_rule_skips_and_ends() {
        let rule = FaultRule { skip: 1, ..FaultRule::new(Fault::DropBefore).times(2) };
        let mut deck = deck(vec![rule]);

        let dealt: Vec<usize> =
            (0..5).map(|_| deck.of_request(Who::default(), ORDER).faults.len()).collect();

        assert_eq!(dealt, [0, 1, 1, 0, 0]);
    }

    #[test]
    fn the_same_seed_deals_the_same() {
        let rule = FaultRule { per_mille: 300, ..FaultRule::new(Fault::DropBefore) };
        let deal = || -> Vec<usize> {
            let mut deck = deck(vec![rule.clone()]);
            (0..1000).map(|_| deck.of_request(Who::default(), ORDER).faults.len()).collect()
        };

        let first = deal();

        assert_eq!(first, deal());
        let sum: usize = first.iter().sum();
        assert!((230..370).contains(&sum), "{sum}");
    }

    #[test]
    fn a_profile_is_read_from_toml() {
        let text = "seed = 3\n[[rule]]\npath = \"POST /api/v3/order\"\nper_mille = 20\n\
            fault = { kind = \"busy\", text = \"unknown\", executed = true }\n";

        let profile: FaultProfile = toml::from_str(text).unwrap();

        let fault = Fault::Busy { text: Busy::Unknown, executed: true };
        assert_eq!(profile.rules.first().map(|rule| rule.fault), Some(fault));
        assert!(toml::from_str::<FaultProfile>("sead = 3").is_err());
    }
}
