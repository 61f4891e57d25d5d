//! What stands between us and an exchange, in words that say what to do.

use std::fmt;

use tranche_model::record::Refusal;
use tranche_venue::{
    net::{
        http::{BadCertificate, HttpFault},
        socket::SocketFault,
    },
    venue::ReadError,
};

/// What is wrong, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }

    /// Why a question to `address` got no answer.
    pub(crate) fn of_read(error: &ReadError, address: &str) -> Self {
        let what = format!("{address}: {error}");
        match error {
            ReadError::Http(fault) => Self::new(what, of_http(*fault)),
            ReadError::Throttled { banned: true, .. } => Self::new(
                format!("{what}: this machine's address is shut out"),
                "wait until then and ask nothing: each question makes it longer; another program \
                 behind the same address may ask too often",
            ),
            ReadError::Throttled { banned: false, .. } => Self::new(
                what,
                "wait until then; another program behind the same address may ask too often",
            ),
            ReadError::Refused(refusal) => Self::new(what, of_refusal(refusal)),
            ReadError::Failed { .. } => Self::new(
                what,
                "the exchange is in trouble or in maintenance: look at its status page, try later",
            ),
            ReadError::Unreadable(_) => Self::new(
                what,
                "the exchange may have changed its answers: look for a newer version of tranche",
            ),
            ReadError::NotThisVenue { .. } => Self::new(
                what,
                "check --rest: it needs the exchange's own address, without a path, and no proxy, \
                 sign-in page or other service may answer in its place",
            ),
            ReadError::NoInstrument(_) => Self::new(what, "report this: the pair was listed"),
        }
    }

    /// Why a socket to `address` is not there.
    pub(crate) fn of_socket(fault: SocketFault, address: &str) -> Self {
        let what = format!("{address}: {fault}");
        let mend = match fault {
            SocketFault::Connect(fault) => of_http(fault),
            SocketFault::Denied { .. } | SocketFault::NotSocket => {
                "check the address: something else than the exchange's socket answers there"
            }
            SocketFault::Deaf
            | SocketFault::Closed
            | SocketFault::Broken
            | SocketFault::TooLarge
            | SocketFault::NoAcknowledgement => {
                "a proxy or firewall may cut connections that stay open: let it pass"
            }
        };
        Self::new(what, mend)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.mend)
    }
}

const fn of_http(fault: HttpFault) -> &'static str {
    match fault {
        HttpFault::Malformed => "check the address",
        HttpFault::Dns => "there is no network, or the name is misspelt: check both",
        HttpFault::ConnectionRefused => {
            "nothing listens there: check host and port, start the server if it is yours"
        }
        HttpFault::Tls => {
            "check the address and the port; for a server without encryption on this machine write \
             http:// or ws://"
        }
        HttpFault::Certificate(fault) => of_certificate(fault),
        HttpFault::Unreachable => {
            "check network, firewall and address; proxies of the environment are not used"
        }
        HttpFault::Timeout | HttpFault::Broken => {
            "the network is slow or breaks, or the exchange is: try again"
        }
        HttpFault::TooLarge => "something else than the exchange may answer: check the address",
    }
}

/// No setting lets a certificate pass that nobody trusts: keys would go to whoever holds it.
const fn of_certificate(fault: BadCertificate) -> &'static str {
    match fault {
        BadCertificate::Untrusted => {
            "something between here and the exchange reads along, such as a proxy or a virus scanner: \
             let these connections pass it unopened; or the address is not the exchange's"
        }
        BadCertificate::Name => "check the address: it leads to somebody else",
        BadCertificate::Expired | BadCertificate::NotYet => {
            "check this machine's clock; if it is right, the other side has to renew its certificate"
        }
        BadCertificate::Other => "check the address, and whether a proxy reads along",
    }
}

/// Binance spot API documents, "Error codes" (2026-07-21).
fn of_refusal(refusal: &Refusal) -> &'static str {
    match refusal.code {
        -2014 => {
            "the key is not of the exchange's form: copy it again, without spaces, and not the secret"
        }
        -2015 => {
            "the exchange does not know the key, or not from this address, or not in this \
             environment: copy it again, look at its list of addresses, and note that keys of live, \
             testnet and demo differ"
        }
        -1022 => {
            "the secret does not belong to the key: copy it again; of an Ed25519 or RSA key the \
             private key in PEM is needed"
        }
        -1021 => "the clock of this machine runs away: keep it with NTP",
        -1002 => "the key lacks the right to read: allow reading where the exchange manages keys",
        _ => "the exchange's documents tell what the number means",
    }
}
