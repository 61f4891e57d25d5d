//! A server that speaks TLS with a certificate that it made itself.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

pub(crate) struct Impostor {
    port: u16,
    heard: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
}

impl Impostor {
    /// Listens on this machine and says that it is `name`.
    pub(crate) fn start(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (config, counted, is_over) = (Arc::new(config), Arc::clone(&heard), Arc::clone(&ends));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (config, counted) = (Arc::clone(&config), Arc::clone(&counted));
                thread::spawn(move || listen(stream.unwrap(), config, &counted));
            }
        });
        Self { port, heard, ends }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Bytes that were said to it behind the handshake.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn listen(stream: TcpStream, config: Arc<ServerConfig>, heard: &AtomicUsize) {
    let mut talk = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = talk.read(&mut bytes) {
        heard.fetch_add(count, Ordering::SeqCst);
    }
}
