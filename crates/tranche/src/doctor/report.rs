//! What the doctor found, for people and for programs.

use std::fmt;

use anyhow::Result;
use serde::Serialize;

use crate::trouble::Trouble;

/// What is looked at, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Name {
    Address,
    Clock,
    Pair,
    Market,
    Key,
    Trade,
    Withdraw,
    IpRestriction,
    PrivateStream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    Warn,
    Fail,
    /// Not looked at.
    Skip,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: Name,
    pub(super) state: State,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) mend: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    venue: &'a str,
    ok: bool,
    checks: &'a [Check],
}

/// The result for programs.
pub(super) fn line(venue: &str, is_well: bool, checks: &[Check]) -> Result<String> {
    Ok(serde_json::to_string(&Line { venue, ok: is_well, checks })?)
}

impl Check {
    pub(super) fn ok(name: Name, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), mend: None }
    }

    pub(super) fn skip(name: Name, found: impl Into<String>) -> Self {
        Self { name, state: State::Skip, found: found.into(), mend: None }
    }

    pub(super) fn warn(name: Name, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, state: State::Warn, found: found.into(), mend: Some(mend.into()) }
    }

    pub(super) fn fail(name: Name, trouble: Trouble) -> Self {
        let Trouble { what, mend } = trouble;
        Self { name, state: State::Fail, found: what, mend: Some(mend) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "FAIL",
            State::Skip => "skip",
        };
        let name = match self.name {
            Name::Address => "address",
            Name::Clock => "clock",
            Name::Pair => "pair",
            Name::Market => "market stream",
            Name::Key => "key",
            Name::Trade => "right to trade",
            Name::Withdraw => "right to withdraw",
            Name::IpRestriction => "addresses",
            Name::PrivateStream => "private stream",
        };
        write!(f, "{state:<4}  {name:<17}  {}", self.found)?;
        match &self.mend {
            Some(mend) => write!(f, "\n{:25}mend: {mend}", ""),
            None => Ok(()),
        }
    }
}
