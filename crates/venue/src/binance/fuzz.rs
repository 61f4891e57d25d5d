//! Any bytes at all: every reader answers, none throws.

use proptest::prelude::*;
use reqwest::header::HeaderMap;
use tranche_model::{ids::Installation, time::Timestamp};

use super::{
    events, filters, frames,
    parse::{self, tests::SAMPLES},
    refusal, wire,
};
use crate::{catalog::Catalog, net::http::HttpAnswer};

const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
const HOUSE: Installation = Installation::new(7);

/// Hands the bytes to every reader.
fn read_all(bytes: &[u8], status: u16) {
    let (listed, catalog) = (parse::tests::btc_usdt(), Catalog::new([parse::tests::btc_usdt()]));
    let answer = HttpAnswer { status, headers: HeaderMap::new(), body: bytes.to_vec() };
    drop(refusal::word(&answer, NOW));
    drop(filters::listings(bytes));
    if let Ok(row) = serde_json::from_slice::<wire::Order<'_>>(bytes)
        && let Ok(parse::Seen::Own(report)) = parse::order(&row, &listed, HOUSE)
    {
        drop(parse::order_fills(&row, &report, &listed));
    }
    if let Ok(row) = serde_json::from_slice::<wire::Trade<'_>>(bytes) {
        let _ = parse::trade(&row, &listed);
    }
    if let Ok(row) = serde_json::from_slice::<wire::Account<'_>>(bytes) {
        drop(parse::balances(&row));
    }
    if let Ok(row) = serde_json::from_slice::<wire::Commission<'_>>(bytes) {
        let _ = parse::fee_rates(&row);
    }
    if let Ok(row) = serde_json::from_slice::<wire::Kline<'_>>(bytes) {
        let _ = parse::kline(&row);
    }
    let text = String::from_utf8_lossy(bytes);
    drop(frames::read(&text, &catalog, NOW));
    if let Ok(events::Frame::Event { text, .. }) = events::read(&text) {
        drop(events::private_of(&text, HOUSE, &catalog));
    }
    drop(events::private_of(&text, HOUSE, &catalog));
}

/// What is put in the place of a part of a message.
const STRANGE: [&str; 12] = [
    "null",
    "-1",
    "18446744073709551616",
    "1e999",
    "\"\"",
    "\"-0\"",
    "[]",
    "{}",
    "\"\\u0000\"",
    "\"99999999999999999999999999999\"",
    "true",
    "\"9223372036854775808\"",
];

/// The places of values in a message: after each colon, to the next comma or brace.
fn values(text: &str) -> Vec<(usize, usize)> {
    let starts = text.match_indices(':').map(|(at, _)| at + 1);
    let end = |from: usize| text.split_at(from).1.find([',', '}', ']']).map(|length| from + length);
    starts.filter_map(|from| Some((from, end(from)?))).collect()
}

proptest! {
    #[test]
    fn random_bytes_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        status in 100_u16..700,
    ) {
        read_all(&bytes, status);
    }

    #[test]
    fn damaged_messages_are_read_without_a_panic(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let id = parse::tests::id(HOUSE).to_string();
        let mut bytes = SAMPLES[sample].replace("{id}", &id).into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_all(&bytes, 200);
        bytes.truncate(cut.index(bytes.len()));
        read_all(&bytes, 503);
    }

    #[test]
    fn strange_values_are_read_without_a_panic(
        sample in 0..SAMPLES.len(),
        place in any::<prop::sample::Index>(),
        strange in 0..STRANGE.len(),
    ) {
        let id = parse::tests::id(HOUSE).to_string();
        let text = SAMPLES[sample].replace("{id}", &id);
        let places = values(&text);
        let (from, to) = places[place.index(places.len())];
        let (before, after) = (text.split_at(from).0, text.split_at(to).1);
        let text = format!("{before}{}{after}", STRANGE[strange]);
        read_all(text.as_bytes(), 200);
    }
}
