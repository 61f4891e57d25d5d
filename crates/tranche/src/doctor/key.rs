//! What is asked with a key: is it accepted, what may it do, and does its private stream begin.

use tokio::time::timeout;
use tranche_model::ids::Installation;
use tranche_venue::{
    secret::Credentials,
    venue::{KeyReport, LostReason, PrivateMessage, ReadError, Venue as _, VenueAccount},
};

use super::{
    checks::{LIVE_WITHIN, Patient},
    report::{Check, Name},
};
use crate::{console::Stopwatch, rights, trouble::Trouble};

pub(super) const NO_KEY: &str = "no key; set TRANCHE_KEY and TRANCHE_SECRET to check it";
/// Orders are neither placed nor looked up: whose they would be does not matter.
const NOBODY: Installation = Installation::new(1);
const OF_KEYS: [Name; 5] =
    [Name::Key, Name::Trade, Name::Withdraw, Name::IpRestriction, Name::PrivateStream];

impl<T: Fn(&Check)> Patient<'_, T> {
    pub(super) fn skip_key(&mut self, why: &str) {
        for name in OF_KEYS {
            self.note(Check::skip(name, why));
        }
    }

    pub(super) async fn key(&mut self, credentials: Option<Credentials>) {
        let Some(credentials) = credentials else {
            self.skip_key(NO_KEY);
            return;
        };
        let account = match self.exchange.venue.account(credentials, NOBODY) {
            Ok(account) => account,
            Err(error) => {
                let mend = "give the private key as the exchange accepts it: PKCS#8 in PEM";
                self.refuse(Trouble::new(error.to_string(), mend));
                return;
            }
        };
        let report = match account.check_key().await {
            Ok(report) => report,
            Err(error) => {
                let trouble = of_refused_key(&error, &self.exchange.addresses.rest);
                self.refuse(trouble);
                return;
            }
        };
        let permissions = match report.permissions.as_slice() {
            [] => String::new(),
            some => format!(", for {}", some.join(", ")),
        };
        self.note(Check::ok(Name::Key, format!("accepted{permissions}")));
        self.rights(&report);
        let check = self.private_stream(&*account).await;
        self.note(check);
    }

    fn refuse(&mut self, trouble: Trouble) {
        self.note(Check::fail(Name::Key, trouble));
        for name in OF_KEYS.into_iter().filter(|name| *name != Name::Key) {
            self.note(Check::skip(name, "the key is not accepted"));
        }
    }

    fn rights(&mut self, report: &KeyReport) {
        self.note(if report.can_trade {
            Check::ok(Name::Trade, "the key may trade")
        } else {
            Check::fail(Name::Trade, rights::cannot_trade())
        });
        self.note(match report.can_withdraw {
            Some(false) => Check::ok(Name::Withdraw, "the key may not withdraw"),
            Some(true) => Check::fail(Name::Withdraw, rights::withdraws()),
            None => Check::warn(
                Name::Withdraw,
                "the exchange does not say whether the key may withdraw",
                "look where the exchange manages keys: it should not",
            ),
        });
        self.note(match report.is_ip_restricted {
            Some(true) => Check::ok(Name::IpRestriction, "only listed addresses may use the key"),
            Some(false) => Check::warn(
                Name::IpRestriction,
                "the key works from everywhere",
                "list this machine's address where the exchange manages keys: a stolen key is then \
                 of no use",
            ),
            None => Check::skip(Name::IpRestriction, "the exchange does not say"),
        });
    }

    async fn private_stream(&self, account: &dyn VenueAccount) -> Check {
        let address = &self.exchange.addresses.api_socket;
        let watch = Stopwatch::start();
        let mut messages = account.private_stream();
        let live = timeout(LIVE_WITHIN, async {
            while let Some(message) = messages.recv().await {
                match message {
                    PrivateMessage::Live => return Ok(()),
                    PrivateMessage::Lost { reason } => return Err(of_lost(&reason, address)),
                    PrivateMessage::Event(_) => {}
                }
            }
            Err(Trouble::new(format!("{address}: the stream ended"), "report this"))
        });
        let name = Name::PrivateStream;
        match live.await {
            Ok(Ok(())) => {
                Check::ok(name, format!("acknowledged in {} ms", watch.elapsed().as_millis()))
            }
            Ok(Err(trouble)) => Check::fail(name, trouble),
            Err(_) => {
                let what =
                    format!("{address}: not acknowledged within {} s", LIVE_WITHIN.as_secs());
                let mend = "a proxy or firewall may hold sockets back: let them pass";
                Check::fail(name, Trouble::new(what, mend))
            }
        }
    }
}

/// The exchange answered the question for its time: that it does not know this one says that the
/// address is none where keys are asked after.
fn of_refused_key(error: &ReadError, address: &str) -> Trouble {
    match error {
        ReadError::NotThisVenue { .. } => Trouble::new(
            format!("{address}: does not say what keys may do"),
            "choose the environment that the address is of with --env",
        ),
        ReadError::Http(_)
        | ReadError::Throttled { .. }
        | ReadError::Refused(_)
        | ReadError::Failed { .. }
        | ReadError::Unreadable(_)
        | ReadError::NoInstrument(_) => Trouble::of_read(error, address),
    }
}

fn of_lost(reason: &LostReason, address: &str) -> Trouble {
    let what = format!("{address}: {reason}");
    match reason {
        LostReason::Connection(fault) => Trouble::of_socket(*fault, address),
        LostReason::Refused(refusal) => {
            Trouble::of_read(&ReadError::Refused(refusal.clone()), address)
        }
        LostReason::Overrun | LostReason::Ended | LostReason::Unreadable => {
            Trouble::new(what, "try again; report this if it stays so")
        }
    }
}
