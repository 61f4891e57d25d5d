//! A server: two addresses, a market, a way to stop.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;
use tranche_model::instrument::Instruments;
use tranche_sim::exchange::{Exchange, LedgerError};

use crate::{
    clock::Clock,
    control,
    feed::Feed,
    http::{self, Door, Host},
    keys::KeyError,
    market::{self, Market, Recording},
    settings::{Settings, Speed},
    tasks::Tasks,
    world::{Key, Shared, World, account_id},
};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{address} is taken by another program")]
    Taken { address: SocketAddr },
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("instruments must be counted from zero without gaps")]
    Instruments,
    #[error("two keys are called `{0}`")]
    SameKey(String),
    #[error("two accounts are called `{0}`")]
    SameAccount(String),
    #[error("the key `{name}` cannot be used")]
    Key { name: String, source: KeyError },
    #[error("the balances cannot be held")]
    Balances(#[from] LedgerError),
}

/// A server that listens, and has not begun to answer.
#[derive(Debug)]
pub struct Server {
    host: Host,
    exchange: (TcpListener, SocketAddr),
    control: (TcpListener, SocketAddr),
}

/// A server at work. Dropping this does not end it; [`Running::stop`] does.
#[derive(Debug)]
pub struct Running {
    host: Host,
    exchange: SocketAddr,
    control: SocketAddr,
}

impl Server {
    /// Takes both addresses. The market begins to pass when the server starts.
    pub async fn bind(
        settings: Settings,
        feed: Box<dyn Feed>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BindError> {
        let host = host(&settings, feed, clock)?;
        let exchange = listen(settings.listen).await?;
        let control = listen(settings.control).await?;
        Ok(Self { host, exchange, control })
    }

    /// Where clients connect.
    pub const fn exchange_address(&self) -> SocketAddr {
        self.exchange.1
    }

    /// Where tests and operators connect.
    pub const fn control_address(&self) -> SocketAddr {
        self.control.1
    }

    pub fn market(&self) -> Market {
        Market::new(Arc::clone(&self.host.shared))
    }

    /// Answers until `stop` is ready, then ends all connections.
    pub async fn serve_until(self, stop: impl Future<Output = ()> + Send) {
        let running = self.start();
        stop.await;
        running.stop().await;
    }

    /// Answers from now on, in tasks of its own.
    pub fn start(self) -> Running {
        let Self { host, exchange, control } = self;
        let shared = Arc::clone(&host.shared);
        if shared.recording.speed() != Speed::Stepped {
            let pass =
                market::pass(shared.recording.clone(), Arc::clone(&shared), host.tasks.stopping());
            host.tasks.spawn("market", pass);
        }
        host.tasks.spawn("beat", market::beat(shared, host.tasks.stopping()));
        let addresses = (exchange.1, control.1);
        for ((listener, _), door) in [(exchange, Door::Exchange), (control, Door::Control)] {
            host.tasks.spawn("door", accept(host.clone(), listener, door));
        }
        Running { host, exchange: addresses.0, control: addresses.1 }
    }
}

impl Running {
    pub const fn exchange_address(&self) -> SocketAddr {
        self.exchange
    }

    pub const fn control_address(&self) -> SocketAddr {
        self.control
    }

    pub fn market(&self) -> Market {
        Market::new(Arc::clone(&self.host.shared))
    }

    /// Lets somebody in the same process look at the exchange's own books, between two requests.
    pub fn look<T>(&self, look: impl FnOnce(&Exchange) -> T) -> T {
        look(&self.host.shared.world().exchange)
    }

    /// What the control address would answer: an HTTP status and JSON.
    pub fn control(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = control::answer(&self.host.shared, method, path, body.as_bytes());
        (answer.status, answer.body)
    }

    /// Ends all connections and waits for them, at most a few seconds.
    pub async fn stop(self) {
        self.host.tasks.stop().await;
    }
}

/// Everything but the addresses.
pub(crate) fn host(
    settings: &Settings,
    feed: Box<dyn Feed>,
    clock: Arc<dyn Clock>,
) -> Result<Host, BindError> {
    let instruments = settings.instruments.clone();
    let instruments = Instruments::new(instruments).ok_or(BindError::Instruments)?;
    let keys = keys(settings, clock.as_ref())?;
    let world = World::new(settings, instruments, keys, clock)?;
    let recording = Recording::new(feed, settings.speed);
    let shared = Arc::new(Shared::new(world, recording, settings));
    Ok(Host { shared, tasks: Tasks::new() })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let refused = |source: io::Error| {
        if source.kind() == io::ErrorKind::AddrInUse {
            BindError::Taken { address }
        } else {
            BindError::Listen { address, source }
        }
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let local = listener.local_addr().map_err(refused)?;
    Ok((listener, local))
}

fn keys(settings: &Settings, clock: &dyn Clock) -> Result<BTreeMap<String, Key>, BindError> {
    let mut keys = BTreeMap::new();
    let mut names = std::collections::BTreeSet::new();
    for (index, account) in settings.accounts.iter().enumerate() {
        if !names.insert(account.name.clone()) {
            return Err(BindError::SameAccount(account.name.clone()));
        }
        for key in &account.keys {
            let name = key.name.clone();
            let verifier = key.secret.verifier();
            let verifier =
                verifier.map_err(|source| BindError::Key { name: name.clone(), source })?;
            let ready = Key {
                name: name.clone(),
                account: account_id(index),
                verifier,
                rights: key.rights,
                is_ip_restricted: key.is_ip_restricted,
                created_at: clock.now(),
            };
            if keys.insert(name.clone(), ready).is_some() {
                return Err(BindError::SameKey(name));
            }
        }
    }
    Ok(keys)
}

async fn accept(host: Host, listener: TcpListener, door: Door) {
    let mut stop = host.tasks.stopping();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.wait() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "a connection goes without nodelay");
                }
                host.tasks.spawn("connection", http::serve(host.clone(), stream, peer, door));
            }
            Err(error) => {
                // Out of file handles, or a peer that was gone at once: neither ends the server.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}
