//! One choice of TLS for requests and sockets: rustls with ring, and Mozilla's roots built in, so that
//! an image without certificates works and both kinds of connection trust the same.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The settings of every TLS connection. No global provider is needed.
pub(crate) fn client_config() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
