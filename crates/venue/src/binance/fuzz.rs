//! Any bytes at all: every reader answers, none throws.

use proptest::prelude::*;
use tranche_model::ids::Installation;

use super::{
    parse::{self, tests::SAMPLES},
    probe::{self, Readers},
};

const HOUSE: Installation = Installation::new(7);

/// Hands the bytes to every reader.
fn read_all(bytes: &[u8], status: u16) {
    let readers = Readers::new(parse::tests::btc_usdt(), HOUSE);
    let text = String::from_utf8_lossy(bytes);
    let _ = probe::answer(status, &[], bytes);
    let _ = probe::listings(bytes);
    let _ = probe::account(bytes);
    let _ = readers.order(bytes);
    let _ = readers.rows(bytes);
    let _ = readers.market_frame(&text);
    let _ = readers.private_frame(&text);
    let _ = readers.private_event(&text);
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
