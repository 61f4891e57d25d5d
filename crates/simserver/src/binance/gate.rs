//! Who is asking, and whether the request is signed and in time.
//!
//! Binance spot API documents, "SIGNED endpoint security" and "Timing security" (2026-07-21).

use tranche_model::time::Timestamp;

use crate::world::{Key, World};

use super::{params::Params, refused::Refused, routes::Right};

const KEY_MAX: usize = 128;
const WINDOW: i64 = 5_000_000;
const WINDOW_MAX: i64 = 60_000_000;
/// How far ahead of the server a timestamp may be, exclusive.
const AHEAD: i64 = 1_000_000;
/// From here on a timestamp counts microseconds: as milliseconds it would lie in the year 5138.
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;

impl World {
    /// The key by its name, if it may do this.
    pub(super) fn key_named(&self, name: Option<&str>, right: Right) -> Result<Key, Refused> {
        let name = name.unwrap_or_default();
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || KEY_MAX < name.len() || !name.bytes().all(is_legal) {
            return Err(Refused::new(-2014, "API-key format invalid.").with_status(401));
        }
        let key = self.keys.get(name).ok_or_else(Refused::bad_key)?;
        let may = match right {
            Right::None => true,
            Right::Read => key.rights.read,
            Right::Trade => key.rights.trade,
        };
        if may { Ok(key.clone()) } else { Err(Refused::bad_key()) }
    }
}

/// What every signed request must carry. `is_logged_on` stands in for a signature.
pub(super) fn mandatory(params: &Params, is_logged_on: bool) -> Result<(), Refused> {
    if !is_logged_on {
        params.required("signature")?;
    }
    let range = "^[0-9]{1,20}$";
    let stamp = params.required("timestamp")?;
    if stamp.parse::<u64>().is_err() {
        return Err(Refused::illegal("timestamp", range));
    }
    window(params).map(|_| ())
}

/// Whether the request is in time: `timestamp < server + 1 s` and `server − timestamp ≤ recvWindow`.
pub(super) fn in_time(params: &Params, now: Timestamp) -> Result<(), Refused> {
    let stamp = params.integer("timestamp")?.ok_or_else(|| Refused::missing("timestamp"))?;
    let stamp = if stamp < MICROSECONDS_FROM { stamp.saturating_mul(1000) } else { stamp };
    let now = now.ms().saturating_mul(1000);
    if now.saturating_add(AHEAD) <= stamp {
        let text = "Timestamp for this request was 1000ms ahead of the server's time.";
        return Err(Refused::new(-1021, text));
    }
    if window(params)? < now.saturating_sub(stamp) {
        return Err(Refused::outside_window());
    }
    Ok(())
}

/// The receive window in microseconds.
fn window(params: &Params) -> Result<i64, Refused> {
    let Some(text) = params.number("recvWindow")? else { return Ok(WINDOW) };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let range = r"^([0-9]{1,5})(\.[0-9]{1,3})?$";
    if 3 < part.len() {
        return Err(Refused::illegal("recvWindow", range));
    }
    let refused = || Refused::illegal("recvWindow", range);
    let micros: i64 = format!("{whole}{part:0<3}").parse().map_err(|_| refused())?;
    if WINDOW_MAX < micros {
        let text = "'recvWindow' contains unexpected value. Cannot be greater than 60000.";
        return Err(Refused::new(-1102, text));
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed(query: &str, now: i64) -> Result<(), i32> {
        let params = Params::of_request(query.as_bytes(), b"").unwrap();
        mandatory(&params, true)
            .and_then(|()| in_time(&params, Timestamp::from_ms(now)))
            .map_err(|refused| refused.code)
    }

    #[test]
    fn the_window_has_two_ends() {
        const NOW: i64 = 1_795_000_000_000;
        let cases = [
            ("timestamp=1795000000999", Ok(())),
            ("timestamp=1795000001000", Err(-1021)),
            ("timestamp=1795000001001", Err(-1021)),
            ("timestamp=1794999995000", Ok(())),
            ("timestamp=1794999994999", Err(-1021)),
            ("timestamp=1794999994999&recvWindow=5001", Ok(())),
            ("timestamp=1794999999999500&recvWindow=0.5", Ok(())),
            ("timestamp=1794999999999499&recvWindow=0.5", Err(-1021)),
            ("timestamp=1795000000000&recvWindow=60000", Ok(())),
            ("timestamp=1795000000000&recvWindow=60000.001", Err(-1102)),
            ("timestamp=1795000000000&recvWindow=1.0001", Err(-1100)),
            ("timestamp=soon", Err(-1100)),
            ("recvWindow=5000", Err(-1102)),
        ];
        for (query, want) in cases {
            assert_eq!(timed(query, NOW), want, "{query}");
        }
    }
}
