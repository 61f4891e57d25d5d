//! Requests: one client, the bytes sent as they were signed, limits on time and size, and errors told
//! apart by whether the request may have left.

use std::{error::Error as _, fmt, io, sync::Arc, time::Duration};

use reqwest::{
    Client, Method, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect, retry,
};

use super::tls;
use crate::secret::ApiKey;

/// Time limits of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// To open a connection, encryption included.
    pub connect: Duration,
    /// Silence between two parts of an answer.
    pub read: Duration,
    /// The whole exchange of an ordinary request. Longer than the venue's own limit (Binance: 10 s),
    /// so that its own word on a slow order is heard.
    pub total: Duration,
    /// The whole exchange of a request with a large answer.
    pub total_large: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(12),
            total: Duration::from_secs(15),
            total_large: Duration::from_mins(1),
        }
    }
}

/// The most bytes of an answer that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// 8 MiB.
    Usual,
    /// 64 MiB and more time: the list of all instruments.
    Large,
}

/// One request. The query is sent byte for byte.
pub struct HttpRequest<'a> {
    pub method: Method,
    /// Scheme, host and path.
    pub address: String,
    /// Without its question mark; empty for none. Percent-encoded already.
    pub query: String,
    /// A form body; percent-encoded already.
    pub body: Option<String>,
    /// Goes into this header.
    pub key: Option<(&'static str, &'a ApiKey)>,
    pub size: BodySize,
}

/// An answer of whatever status.
#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum HttpFault {
    /// The request cannot be formed; a fault of ours.
    #[error("the request cannot be formed")]
    Malformed,
    #[error("the name of the host is not known")]
    Dns,
    #[error("the host refuses connections")]
    ConnectionRefused,
    #[error("no encrypted connection: what answers there does not speak TLS")]
    Tls,
    /// The other side speaks TLS, and cannot prove who it is.
    #[error("no trusted connection: the certificate {0}")]
    Certificate(BadCertificate),
    #[error("no connection to the host")]
    Unreachable,
    #[error("no answer in time")]
    Timeout,
    #[error("the connection broke before the answer was complete")]
    Broken,
    #[error("the answer is longer than allowed")]
    TooLarge,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum BadCertificate {
    #[error("was made by nobody that is trusted")]
    Untrusted,
    #[error("is for another name")]
    Name,
    #[error("has expired, or this machine's clock is far ahead")]
    Expired,
    #[error("is not valid yet, or this machine's clock is far behind")]
    NotYet,
    #[error("is not accepted")]
    Other,
}

impl HttpFault {
    /// Whether the peer may have read the request.
    pub const fn may_have_left(self) -> bool {
        match self {
            Self::Malformed
            | Self::Dns
            | Self::ConnectionRefused
            | Self::Tls
            | Self::Certificate(_)
            | Self::Unreachable => false,
            Self::Timeout | Self::Broken | Self::TooLarge => true,
        }
    }
}

/// The client of one venue.
#[derive(Debug, Clone)]
pub struct Http {
    way: Way,
    limits: HttpLimits,
}

/// Where requests go.
#[derive(Clone)]
enum Way {
    Network(Client),
    Door(Door),
}

/// Takes requests in this process, each with the text of its key, in the place of a network.
pub type Door =
    Arc<dyn Fn(&HttpRequest<'_>, Option<&str>) -> Result<DoorAnswer, HttpFault> + Send + Sync>;

/// What a door answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Http {
    /// Redirects are not followed, proxies of the environment are not used, and nothing is sent twice.
    pub fn new(limits: HttpLimits) -> Result<Self, HttpFault> {
        let tls = tls::client_config().map_err(|_| HttpFault::Tls)?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .user_agent(concat!("tranche/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| HttpFault::Malformed)?;
        Ok(Self { way: Way::Network(client), limits })
    }

    /// A client that never touches a network.
    pub fn through(door: Door) -> Self {
        Self { way: Way::Door(door), limits: HttpLimits::default() }
    }

    pub async fn send(&self, request: HttpRequest<'_>) -> Result<HttpAnswer, HttpFault> {
        let (most, total) = match request.size {
            BodySize::Usual => (8 << 20, self.limits.total),
            BodySize::Large => (64 << 20, self.limits.total_large),
        };
        let client = match &self.way {
            Way::Network(client) => client,
            Way::Door(door) => {
                return door(&request, request.key.map(|(_, key)| key.expose())).map(Into::into);
            }
        };
        let built = build(client, request, total)?;
        let mut response = client.execute(built).await.map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| fault(&error))? {
            if most < body.len().saturating_add(part.len()) {
                return Err(HttpFault::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(HttpAnswer { status, headers, body })
    }
}

fn build(
    client: &Client,
    request: HttpRequest<'_>,
    total: Duration,
) -> Result<reqwest::Request, HttpFault> {
    let text = match request.query.as_str() {
        "" => request.address,
        query => format!("{}?{query}", request.address),
    };
    let url = Url::parse(&text).map_err(|_| HttpFault::Malformed)?;
    // What was signed must be what is sent: a URL library may not touch it.
    if url.query().unwrap_or_default() != request.query {
        return Err(HttpFault::Malformed);
    }
    let mut builder = client.request(request.method, url).timeout(total);
    if let Some((name, key)) = request.key {
        let mut value = HeaderValue::from_str(key.expose()).map_err(|_| HttpFault::Malformed)?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    if let Some(body) = request.body {
        builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
    }
    builder.build().map_err(|_| HttpFault::Malformed)
}

/// Query and body hold the signature: they are not shown.
impl fmt::Debug for HttpRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network(_) => "Network",
            Self::Door(_) => "Door",
        })
    }
}

impl From<DoorAnswer> for HttpAnswer {
    fn from(answer: DoorAnswer) -> Self {
        let DoorAnswer { status, headers, body } = answer;
        let headers = headers.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))
        });
        Self { status, headers: headers.collect(), body }
    }
}

/// The address in the error is not looked at: it holds the signature.
fn fault(error: &reqwest::Error) -> HttpFault {
    if error.is_builder() {
        return HttpFault::Malformed;
    }
    if !error.is_connect() {
        return if error.is_timeout() { HttpFault::Timeout } else { HttpFault::Broken };
    }
    if error.is_dns() {
        return HttpFault::Dns;
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<rustls::Error>() {
            return tls_fault(error);
        }
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            let found = connect_fault(io);
            if found != HttpFault::Unreachable {
                return found;
            }
        }
        source = inner.source();
    }
    HttpFault::Unreachable
}

/// What an IO error while connecting means.
pub(crate) fn connect_fault(error: &io::Error) -> HttpFault {
    if let Some(error) = tls_error(error) {
        return tls_fault(error);
    }
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return HttpFault::ConnectionRefused;
    }
    HttpFault::Unreachable
}

/// The error of TLS that is wrapped in it, however often.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<rustls::Error>().or_else(|| tls_error(inner.downcast_ref::<io::Error>()?))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "foreign enums; all other cases say the same")]
pub(crate) fn tls_fault(error: &rustls::Error) -> HttpFault {
    use rustls::CertificateError as E;
    let rustls::Error::InvalidCertificate(error) = error else { return HttpFault::Tls };
    HttpFault::Certificate(match error {
        E::UnknownIssuer => BadCertificate::Untrusted,
        E::NotValidForName | E::NotValidForNameContext { .. } => BadCertificate::Name,
        E::Expired | E::ExpiredContext { .. } => BadCertificate::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => BadCertificate::NotYet,
        _ => BadCertificate::Other,
    })
}

impl HttpAnswer {
    /// A header's text; `None` when it is absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str) -> HttpRequest<'static> {
        HttpRequest {
            method: Method::GET,
            address: "https://api.example.com/api/v3/order".to_owned(),
            query: query.to_owned(),
            body: None,
            key: None,
            size: BodySize::Usual,
        }
    }

    #[test]
    fn a_query_is_sent_as_it_was_signed_or_not_at_all() {
        let http = Http::new(HttpLimits::default()).unwrap();
        let Way::Network(client) = &http.way else { panic!("no network") };
        let encoded = "symbol=%E6%B5%8B%E8%AF%95USDT&symbols=%5B%22A%22%5D&signature=a%2Bb%2F%3D";
        let build = |query| build(client, request(query), Duration::from_secs(1));

        assert_eq!(build(encoded).unwrap().url().query(), Some(encoded));
        assert_eq!(build("symbol=测试").err(), Some(HttpFault::Malformed));
        assert_eq!(build("a=b c").err(), Some(HttpFault::Malformed));
    }

    #[test]
    fn a_request_shows_neither_query_nor_body() {
        let signed = HttpRequest { body: Some("c=d".to_owned()), ..request("signature=ab") };

        let shown = format!("{signed:?}");

        assert!(shown.contains("/api/v3/order"));
        assert!(!shown.contains("signature") && !shown.contains("c=d"), "{shown}");
    }

    #[test]
    fn only_a_connection_that_never_stood_proves_that_nothing_left() {
        assert!(!HttpFault::Dns.may_have_left());
        assert!(!HttpFault::Unreachable.may_have_left());
        assert!(HttpFault::Timeout.may_have_left());
        assert!(HttpFault::Broken.may_have_left());
    }
}
