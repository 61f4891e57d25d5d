//! The readers of everything that the exchange says, and the signer, without a connection: for fuzz
//! targets and benchmarks only. A reader says whether it understood what it was given.

use reqwest::header::{HeaderMap, HeaderValue};
use tranche_model::{ids::Installation, money::Price, time::Timestamp};

use super::{
    events, filters,
    frames::{self, Frame},
    parse::{self, Seen},
    refusal::{self, Word},
    rest::Meter,
    sign::Signer,
    wire,
};
use crate::{
    catalog::{Catalog, Listed},
    net::http::HttpAnswer,
    secret::ApiSecret,
    venue::BadKey,
};

/// When everything comes.
const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

/// An account of ours, and the one instrument that it knows.
#[derive(Debug)]
pub struct Readers {
    catalog: Catalog,
    listed: Listed,
    installation: Installation,
}

/// A key, ready to sign.
#[derive(Debug)]
pub struct Pen {
    signer: Signer,
}

impl Readers {
    pub fn new(listed: Listed, installation: Installation) -> Self {
        Self { catalog: Catalog::new([listed.clone()]), listed, installation }
    }

    /// A frame of the market streams.
    pub fn market_frame(&self, text: &str) -> bool {
        frames::read(text, &self.catalog, NOW).is_ok_and(|frame| frame != Frame::Other)
    }

    /// A frame of the WebSocket API: an answer, or an event with what it says to an account.
    pub fn private_frame(&self, text: &str) -> bool {
        match events::read(text) {
            Ok(events::Frame::Event { text, .. }) => self.private_event(&text),
            Ok(frame) => frame != events::Frame::Other,
            Err(_) => false,
        }
    }

    /// An event of a private stream without its frame.
    pub fn private_event(&self, text: &str) -> bool {
        let read = events::private_of(text, self.installation, &self.catalog);
        read.is_ok_and(|private| private.is_some())
    }

    /// An order in an answer, with its fills.
    pub fn order(&self, body: &[u8]) -> bool {
        let Ok(row) = serde_json::from_slice::<wire::Order<'_>>(body) else { return false };
        match parse::order(&row, &self.listed, self.installation) {
            Ok(Seen::Own(report)) => parse::order_fills(&row, &report, &self.listed).is_ok(),
            Ok(Seen::Foreign(_)) => true,
            Err(_) => false,
        }
    }

    /// Rows of orders, executions, candles or last prices.
    pub fn rows(&self, body: &[u8]) -> bool {
        let orders = serde_json::from_slice::<Vec<wire::Order<'_>>>(body).is_ok_and(|rows| {
            rows.iter().all(|row| parse::order(row, &self.listed, self.installation).is_ok())
        });
        let trades = serde_json::from_slice::<Vec<wire::Trade<'_>>>(body)
            .is_ok_and(|rows| rows.iter().all(|row| parse::trade(row, &self.listed).is_ok()));
        let candles = serde_json::from_slice::<Vec<wire::Kline<'_>>>(body)
            .is_ok_and(|rows| rows.iter().all(|row| parse::kline(row).is_ok()));
        let prices = serde_json::from_slice::<Vec<wire::LastPrice<'_>>>(body)
            .is_ok_and(|rows| rows.iter().all(|row| Price::parse(row.price).is_ok()));
        orders || trades || candles || prices
    }
}

/// What is said of an account and its key: balances, commission, rights, time.
pub fn account(body: &[u8]) -> bool {
    let balances = serde_json::from_slice::<wire::Account<'_>>(body)
        .is_ok_and(|row| parse::balances(&row).is_ok());
    let fees = serde_json::from_slice::<wire::Commission<'_>>(body)
        .is_ok_and(|row| parse::fee_rates(&row).is_ok());
    let rights = serde_json::from_slice::<wire::Restrictions>(body).is_ok();
    let time = serde_json::from_slice::<wire::Time>(body).is_ok();
    balances || fees || rights || time
}

/// The list of all pairs, with their filters; understood when there is one that can be traded.
pub fn listings(body: &[u8]) -> bool {
    filters::listings(body).is_ok_and(|listings| !listings.list.is_empty())
}

/// An answer with its headers, down to what became of the request.
pub fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> bool {
    let values = headers.iter().filter_map(|(name, value)| {
        Some((reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
    });
    let answer = HttpAnswer { status, headers: values.collect::<HeaderMap>(), body: body.to_vec() };
    Meter::default().read(&answer);
    match refusal::word(&answer, NOW) {
        Word::Yes | Word::No(_) | Word::Wait { .. } => true,
        Word::Unknown { .. } | Word::Alien => false,
    }
}

impl Pen {
    pub fn new(secret: &ApiSecret) -> Result<Self, BadKey> {
        Signer::new(secret).map(|signer| Self { signer })
    }

    /// The signature as it is sent, not percent-encoded.
    pub fn sign(&self, payload: &[u8]) -> Option<String> {
        self.signer.sign(payload)
    }
}
