//! What strikes a text on its way: it is cut, a field is gone, null, new, double or of another type, a
//! word is wrong, or something else comes in its place.

use serde_json::{Map, Value};
use tranche_sim::world::{Fault, chance::Chance};

use super::secrets;

/// A status that the exchange's documents do not name.
const UNKNOWN_STATUS: &str = "UNDER_REVIEW";
/// States in which an order may be said to have ended, or to be what nobody knows.
const OPEN: [&str; 3] = ["NEW", "PARTIALLY_FILLED", "FILLED"];

/// The text as it arrives. `echo` is what a page of a server in between repeats.
pub(super) fn strike(text: String, (fault, detail): (Fault, u64), echo: &str) -> String {
    let mut chance = Chance::new(detail);
    if fault == Fault::TruncatedJson {
        cut(&text, &mut chance)
    } else if fault == Fault::HtmlErrorPage {
        page(echo)
    } else if fault == Fault::FieldChanged {
        change(text, &mut chance, echo)
    } else if fault == Fault::UnknownStatus {
        restate(text, UNKNOWN_STATUS)
    } else if fault == Fault::WrongTransientStatus {
        restate(text, if detail.is_multiple_of(32) { "EXPIRED" } else { "CANCELED" })
    } else {
        text
    }
}

/// A page for people that repeats what was asked, as careless servers do.
pub(super) fn page(echo: &str) -> String {
    let token = secrets::token();
    format!("<html><body><h1>Bad Gateway</h1><pre>{echo} token={token}</pre></body></html>")
}

fn cut(text: &str, chance: &mut Chance) -> String {
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let place = usize::try_from(chance.below(length)).unwrap_or(0);
    let place = text.floor_char_boundary(place);
    text.get(..place).unwrap_or_default().to_owned()
}

/// Another word for the state of an order, if it is said to be alive or filled.
fn restate(text: String, word: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return text };
    let event =
        if value.get("event").is_some() { value.get_mut("event") } else { Some(&mut value) };
    let Some(order) = event.and_then(Value::as_object_mut) else { return text };
    let field = if order.contains_key("X") { "X" } else { "status" };
    let is_open = order.get(field).and_then(Value::as_str).is_some_and(|it| OPEN.contains(&it));
    if is_open {
        order.insert(field.to_owned(), word.into());
    }
    value.to_string()
}

fn change(text: String, chance: &mut Chance, echo: &str) -> String {
    match chance.below(10) {
        0 => cut(&text, chance),
        1 => page(echo),
        2 => "{}".to_owned(),
        3 => format!("{{\"code\":-9999,\"msg\":\"refused: {echo}\"}}"),
        4 => doubled(text, chance),
        _ => reshaped(text, chance),
    }
}

/// A field stands there twice, with two values.
fn doubled(text: String, chance: &mut Chance) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return text };
    let Some(fields) = fields(&mut value, chance) else { return text };
    let Some(name) = drawn(fields, chance) else { return text };
    let mark = format!("\"{name}\":");
    let twice = format!("{mark}\"7\",{mark}");
    value.to_string().replacen(&mark, &twice, 1)
}

/// A field is gone, null, new, or of another type.
fn reshaped(text: String, chance: &mut Chance) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return text };
    let Some(fields) = fields(&mut value, chance) else { return text };
    let Some(name) = drawn(fields, chance) else { return text };
    match chance.below(4) {
        0 => {
            fields.remove(&name);
        }
        1 => {
            fields.insert(name, Value::Null);
        }
        2 => {
            fields.insert("listenKey".to_owned(), secrets::token().into());
        }
        _ => {
            if let Some(value) = fields.get_mut(&name) {
                *value = other_type(value);
            }
        }
    }
    value.to_string()
}

fn other_type(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::from(7),
        Value::Number(number) => Value::from(number.to_string()),
        Value::Bool(is_so) => Value::from(is_so.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Value::from("7"),
    }
}

/// The fields of the event, or of one of its rows, or of one of the answer's.
fn fields<'a>(value: &'a mut Value, chance: &mut Chance) -> Option<&'a mut Map<String, Value>> {
    let value = if value.get("event").is_some() { value.get_mut("event")? } else { value };
    let rows = ["fills", "balances", "B"].into_iter().find(|name| value.get(name).is_some());
    let value = match rows {
        Some(rows) if chance.hits(1, 2) => value.get_mut(rows)?,
        Some(_) | None => value,
    };
    let Value::Array(rows) = value else { return value.as_object_mut() };
    let count = u64::try_from(rows.len()).ok()?;
    let place = usize::try_from(chance.below(count)).ok()?;
    rows.get_mut(place)?.as_object_mut()
}

fn drawn(fields: &Map<String, Value>, chance: &mut Chance) -> Option<String> {
    let count = u64::try_from(fields.len()).ok()?;
    let place = usize::try_from(chance.below(count)).ok()?;
    fields.keys().nth(place).cloned()
}
