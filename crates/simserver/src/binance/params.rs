//! Parameters of a request, from a query, a form or a frame.

use serde_json::{Map, Value};

use super::refused::Refused;

const NUMBER_RANGE: &str = r"^([0-9]{1,20})(\.[0-9]{1,20})?$";
const INTEGER_RANGE: &str = "^[0-9]{1,20}$";
const CLIENT_ID_RANGE: &str = "^[a-zA-Z0-9-_]{1,36}$";
const SYMBOL_RANGE: &str = r"^[\w\-._&&[^a-z]]{1,50}$";
const CLIENT_ID_MAX: usize = 36;
const SYMBOL_MAX: usize = 50;
const DIGITS_MAX: usize = 20;

/// Names and values, in order. The first value of a name holds, so a query wins over a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Params {
    list: Vec<(String, String)>,
}

impl Params {
    /// From the raw bytes of query and body; `None` when an escape is broken.
    pub(crate) fn of_request(query: &[u8], body: &[u8]) -> Option<Self> {
        let pairs = [query, body].into_iter().flat_map(pairs);
        let decoded = pairs.map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            Some((name, decode(halves.next().unwrap_or_default())?))
        });
        Some(Self { list: decoded.collect::<Option<_>>()? })
    }

    /// From `params` of a frame: texts as they are, numbers as they are printed.
    pub(crate) fn of_frame(params: &Map<String, Value>) -> Self {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        };
        Self { list: params.iter().map(|(name, value)| (name.clone(), text(value))).collect() }
    }

    pub(crate) fn of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self { list: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// What a frame's signature is made of: all but itself, by name, not percent-encoded (Binance
    /// WebSocket API, "Signed request example").
    pub(crate) fn sorted_payload(&self) -> String {
        let mut pairs: Vec<_> = self.list.iter().filter(|(name, _)| name != "signature").collect();
        pairs.sort();
        let pairs: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value, refused when it is empty.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refused> {
        match self.get(name) {
            Some("") => Err(Refused::new(-1105, format!("Parameter '{name}' was empty."))),
            value => Ok(value),
        }
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| Refused::missing(name))
    }

    /// Refuses names that the endpoint does not know.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Refused> {
        const EVERYWHERE: [&str; 5] =
            ["timestamp", "recvWindow", "signature", "apiKey", "returnRateLimits"];
        let is_read = |name: &str| known.contains(&name) || EVERYWHERE.contains(&name);
        let read = self.list.iter().filter(|(name, _)| is_read(name)).count();
        if read == self.list.len() {
            return Ok(());
        }
        let text = format!(
            "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{}'.",
            self.list.len()
        );
        Err(Refused::new(-1104, text))
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// An upper-case name of an instrument; also in other scripts.
    pub(crate) fn symbol(&self) -> Result<String, Refused> {
        symbol(self.required("symbol")?, "symbol")
    }

    pub(crate) fn client_id(&self, name: &str) -> Result<Option<String>, Refused> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if CLIENT_ID_MAX < text.len() || !text.bytes().all(is_legal) {
            return Err(Refused::illegal(name, CLIENT_ID_RANGE));
        }
        Ok(Some(text.to_owned()))
    }

    /// The text of a decimal number without sign and exponent.
    pub(crate) fn number(&self, name: &str) -> Result<Option<&str>, Refused> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let (whole, part) = match text.split_once('.') {
            Some((whole, part)) => (whole, Some(part)),
            None => (text, None),
        };
        if digits(whole) && part.is_none_or(digits) {
            Ok(Some(text))
        } else {
            Err(Refused::illegal(name, NUMBER_RANGE))
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Refused> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let refused = || Refused::illegal(name, INTEGER_RANGE);
        if !digits(text) {
            return Err(refused());
        }
        text.parse().map(Some).map_err(|_| refused())
    }

    /// An order or trade number.
    pub(crate) fn number_of(&self, name: &str) -> Result<Option<u64>, Refused> {
        Ok(self.integer(name)?.and_then(|number| u64::try_from(number).ok()))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        match self.text(name)? {
            None => Ok(None),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(Refused::illegal(name, "^(true|false)$")),
        }
    }

    /// `limit` with what it is when it is not sent, and at most.
    pub(crate) fn limit(&self, without: usize, most: usize) -> Result<usize, Refused> {
        let limit = self.integer("limit")?.map(|limit| usize::try_from(limit).unwrap_or(most));
        match limit {
            None => Ok(without),
            Some(0) => Err(Refused::illegal("limit", INTEGER_RANGE)),
            Some(limit) => Ok(limit.min(most)),
        }
    }

    /// `symbol`, or `symbols` as a JSON list; `None` when neither was sent.
    pub(crate) fn symbols(&self) -> Result<Option<Vec<String>>, Refused> {
        match (self.text("symbol")?, self.text("symbols")?) {
            (Some(_), Some(_)) => {
                let text = "Combination of optional parameters invalid. \
                    Recommendation: Both 'symbol' and 'symbols' cannot be sent together.";
                Err(Refused::new(-1128, text))
            }
            (Some(name), None) => Ok(Some(vec![symbol(name, "symbol")?])),
            (None, Some(list)) => {
                let range = r#"^\["[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}\]$"#;
                let names: Vec<String> =
                    serde_json::from_str(list).map_err(|_| Refused::illegal("symbols", range))?;
                names.iter().map(|name| symbol(name, "symbols")).collect::<Result<_, _>>().map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

fn symbol(text: &str, name: &str) -> Result<String, Refused> {
    let is_legal = |letter: char| {
        (letter.is_alphanumeric() || ['-', '_', '.'].contains(&letter))
            && !letter.is_ascii_lowercase()
    };
    if SYMBOL_MAX < text.chars().count() || !text.chars().all(is_legal) {
        return Err(Refused::illegal(name, SYMBOL_RANGE));
    }
    Ok(text.to_owned())
}

fn digits(text: &str) -> bool {
    (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn pairs(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty())
}

fn decode(raw: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit()? * 16 + digit()?;
                u8::try_from(value).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Whether the bytes are percent-encoded as the exchange wants them: no raw byte outside ASCII, no
/// space or quote, every `%` with two digits (required since 2026-01-15).
pub(crate) fn is_encoded(raw: &[u8]) -> bool {
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        let is_legal = match byte {
            b'%' => {
                let mut digit = || rest.next().is_some_and(|byte| byte.is_ascii_hexdigit());
                digit() && digit()
            }
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'[' | b']' | b' ' => {
                false
            }
            byte => byte.is_ascii_graphic(),
        };
        if !is_legal {
            return false;
        }
    }
    true
}

/// Query and body without the pair of the signature, one behind the other without a sign between
/// them, as the sender had to sign them.
pub(crate) fn payload(query: &[u8], body: &[u8]) -> Vec<u8> {
    let unsigned = |raw| {
        let kept: Vec<&[u8]> = pairs(raw).filter(|pair| !pair.starts_with(b"signature=")).collect();
        kept.join(&b'&')
    };
    let mut payload: Vec<u8> = unsigned(query);
    payload.extend(unsigned(body));
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str, body: &str) -> Params {
        Params::of_request(query.as_bytes(), body.as_bytes()).unwrap()
    }

    #[test]
    fn a_query_wins_over_a_body() {
        let both = params("symbol=A&x=%E6%B5%8B", "symbol=B&y=1+2");

        assert_eq!(both.get("symbol"), Some("A"));
        assert_eq!(both.get("x"), Some("测"));
        assert_eq!(both.get("y"), Some("1 2"));
        assert_eq!(Params::of_request(b"x=%E", b""), None);
    }

    #[test]
    fn query_and_body_are_signed_without_a_sign_between_them() {
        let payload = payload(b"symbol=LTCBTC&side=BUY&signature=00", b"quantity=1&price=0.1");

        assert_eq!(payload, b"symbol=LTCBTC&side=BUYquantity=1&price=0.1");
    }

    #[test]
    fn a_frame_is_signed_by_name_and_as_it_is() {
        let frame = serde_json::json!({"timestamp": 7, "apiKey": "K", "signature": "x", "a": "測"});

        let params = Params::of_frame(frame.as_object().unwrap());

        assert_eq!(params.sorted_payload(), "a=測&apiKey=K&timestamp=7");
    }

    #[test]
    fn numbers_have_neither_sign_nor_exponent() {
        for wrong in ["1e-5", "+1", "-1", ".5", "1.", "", "1,5", "123456789012345678901"] {
            let text = format!("quantity={wrong}").replace('+', "%2B");
            assert!(params(&text, "").number("quantity").is_err(), "{wrong}");
        }
        assert_eq!(params("quantity=0.50", "").number("quantity"), Ok(Some("0.50")));
    }

    #[test]
    fn a_dot_in_a_client_id_is_refused() {
        let refused = params("newClientOrderId=b3.1", "").client_id("newClientOrderId");

        assert_eq!(refused.unwrap_err().code, -1100);
    }

    #[test]
    fn raw_bytes_are_not_encoded() {
        assert!(is_encoded(b"symbol=%EF%BC%91&symbols=%5B%22A%22%5D&a=1,2"));
        assert!(!is_encoded("symbol=測".as_bytes()));
        assert!(!is_encoded(b"symbols=[A]"));
        assert!(!is_encoded(b"a=%2"));
    }
}
