//! The least that reading a frame could cost: a finder that knows where each field stands, and
//! borrowed structs without any of our types.

use memchr::{memchr, memmem};
use serde::Deserialize;

/// Price and quantity as integers of eight digits after the point, number and time.
pub(crate) fn trade(frame: &str) -> Option<(u64, u64, u64, u64)> {
    let (number, rest) = whole(frame.as_bytes(), b"\"t\":")?;
    let (price, rest) = decimal(rest, b"\"p\":\"")?;
    let (qty, rest) = decimal(rest, b"\"q\":\"")?;
    let (time, _) = whole(rest, b"\"T\":")?;
    Some((price, qty, number, time))
}

/// Number, bid, ask.
pub(crate) fn best(frame: &str) -> Option<(u64, u64, u64)> {
    let (number, rest) = whole(frame.as_bytes(), b"\"u\":")?;
    let (bid, rest) = decimal(rest, b"\"b\":\"")?;
    let (ask, _) = decimal(rest, b"\"a\":\"")?;
    Some((number, bid, ask))
}

/// Quantity, price, fee, trade and order.
pub(crate) fn report(frame: &str) -> Option<(u64, u64, u64, u64, u64)> {
    let (order, rest) = whole(frame.as_bytes(), b"\"i\":")?;
    let (qty, rest) = decimal(rest, b"\"l\":\"")?;
    let (price, rest) = decimal(rest, b"\"L\":\"")?;
    let (fee, rest) = decimal(rest, b"\"n\":\"")?;
    let (trade, _) = whole(rest, b"\"t\":")?;
    Some((qty, price, fee, trade, order))
}

fn whole<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(u64, &'a [u8])> {
    let from = memmem::find(bytes, name)?.checked_add(name.len())?;
    let rest = bytes.get(from..)?;
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    Some((digits(rest.get(..end)?), rest.get(end..)?))
}

fn decimal<'a>(bytes: &'a [u8], name: &[u8]) -> Option<(u64, &'a [u8])> {
    let from = memmem::find(bytes, name)?.checked_add(name.len())?;
    let rest = bytes.get(from..)?;
    let end = memchr(b'"', rest)?;
    Some((digits(rest.get(..end)?), rest.get(end..)?))
}

/// All digits behind each other; what the exchange sends has eight after the point.
fn digits(text: &[u8]) -> u64 {
    text.iter().filter(|byte| byte.is_ascii_digit()).fold(0, |sum: u64, byte| {
        sum.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0')))
    })
}

#[derive(Deserialize)]
struct Combined<T> {
    data: T,
}

#[derive(Deserialize)]
struct Trade<'a> {
    s: &'a str,
    t: u64,
    p: &'a str,
    q: &'a str,
    #[serde(rename = "T")]
    time: u64,
}

#[derive(Deserialize)]
struct Best<'a> {
    u: u64,
    s: &'a str,
    b: &'a str,
    a: &'a str,
}

pub(crate) fn serde_trade(frame: &str) -> Option<(usize, u64, u64)> {
    let Trade { s, t, p, q, time } = serde_json::from_str::<Combined<Trade<'_>>>(frame).ok()?.data;
    Some((s.len().wrapping_add(p.len()).wrapping_add(q.len()), t, time))
}

pub(crate) fn serde_best(frame: &str) -> Option<(usize, u64)> {
    let Best { u, s, b, a } = serde_json::from_str::<Combined<Best<'_>>>(frame).ok()?.data;
    Some((s.len().wrapping_add(b.len()).wrapping_add(a.len()), u))
}
