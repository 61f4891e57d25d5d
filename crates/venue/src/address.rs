//! Where a venue is reached. Money and keys travel encrypted, or do not leave the machine.

use std::fmt;

use reqwest::Url;

/// A checked address without a slash at its end: `https://api.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    scheme: Scheme,
}

/// How it is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Https,
    Http,
    Wss,
    Ws,
}

/// Why an address is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("not an address: `{0}`")]
    Unreadable(String),
    #[error("the address needs {wanted}: `{address}`")]
    Scheme { wanted: &'static str, address: String },
    #[error("without encryption only this machine may be addressed: `{0}`")]
    Plain(String),
    #[error("an address has neither a name and password nor a query: `{0}`")]
    Extras(String),
}

impl Address {
    /// An address of requests. `allow_plain` lets it be unencrypted beyond this machine.
    pub fn http(text: &str, allow_plain: bool) -> Result<Self, AddressError> {
        let address = Self::parse(text, allow_plain)?;
        match address.scheme {
            Scheme::Https | Scheme::Http => Ok(address),
            Scheme::Wss | Scheme::Ws => {
                Err(AddressError::Scheme { wanted: "https://", address: address.text })
            }
        }
    }

    /// An address of a socket. `allow_plain` lets it be unencrypted beyond this machine.
    pub fn socket(text: &str, allow_plain: bool) -> Result<Self, AddressError> {
        let address = Self::parse(text, allow_plain)?;
        match address.scheme {
            Scheme::Wss | Scheme::Ws => Ok(address),
            Scheme::Https | Scheme::Http => {
                Err(AddressError::Scheme { wanted: "wss://", address: address.text })
            }
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn parse(text: &str, allow_plain: bool) -> Result<Self, AddressError> {
        let text = text.trim().trim_end_matches('/');
        let shown = || text.chars().take(100).collect::<String>();
        let url = Url::parse(text).map_err(|_| AddressError::Unreadable(shown()))?;
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "wss" => Scheme::Wss,
            "ws" => Scheme::Ws,
            _ => return Err(AddressError::Unreadable(shown())),
        };
        let has_name = !url.username().is_empty() || url.password().is_some();
        if has_name || url.query().is_some() || url.fragment().is_some() {
            // What stands before the @ may be a secret.
            return Err(AddressError::Extras(url.host_str().unwrap_or_default().to_owned()));
        }
        let is_plain = matches!(scheme, Scheme::Http | Scheme::Ws);
        if is_plain && !allow_plain && !is_this_machine(&url) {
            return Err(AddressError::Plain(shown()));
        }
        Ok(Self { text: text.to_owned(), scheme })
    }
}

fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_stay_on_this_machine() {
        for good in ["http://127.0.0.1:9000", "http://localhost:9000/", "http://[::1]:9000"] {
            assert!(Address::http(good, false).is_ok(), "{good}");
        }
        for bad in ["http://api.binance.com", "http://10.0.0.1:9000", "http://127.0.0.1.nip.io"] {
            assert!(matches!(Address::http(bad, false), Err(AddressError::Plain(_))), "{bad}");
            assert!(Address::http(bad, true).is_ok(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert!(matches!(
            Address::http("api.binance.com", false),
            Err(AddressError::Unreadable(_))
        ));
        assert!(matches!(Address::http("ftp://a.b", false), Err(AddressError::Unreadable(_))));
        assert!(matches!(Address::http("wss://a.b", false), Err(AddressError::Scheme { .. })));
        assert!(matches!(Address::socket("https://a.b", false), Err(AddressError::Scheme { .. })));
        let with_name = Address::http("https://me:secret@a.b", false).unwrap_err();
        assert!(!with_name.to_string().contains("secret"));
    }

    #[test]
    fn the_slash_at_the_end_goes() {
        assert_eq!(Address::socket("wss://a.b:443/x/", false).unwrap().as_str(), "wss://a.b:443/x");
    }
}
