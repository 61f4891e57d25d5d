//! A connection that is replaced by a fresh one before it ends, and opened again after it broke.
//!
//! The relay only keeps lines open. Whoever uses it says when a new line is ready to take over
//! (subscribed and acknowledged); until then the former one goes on.

use std::{collections::VecDeque, fmt, future::pending, pin::Pin, sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    clock::timer_now,
    reconnect::Backoff,
    socket::{Socket, SocketFault, SocketLimits},
};

/// Names a line; a later one has a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineNo(u64);

/// How lines are opened and when they are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    pub socket: SocketLimits,
    /// Age at which a line is replaced. Binance ends connections at 24 h.
    pub rotate_after: Duration,
    /// How long a new line may take until it takes over.
    pub ready_within: Duration,
    /// How long a line that is ready listens along before it takes over, so that what the former one
    /// delivers late is not lost. Shorter than `ready_within`.
    pub overlap: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            socket: SocketLimits::default(),
            rotate_after: Duration::from_hours(23),
            ready_within: Duration::from_mins(1),
            overlap: Duration::from_secs(5),
        }
    }
}

/// What happened to the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// A line is open and has to be made ready.
    Opened(LineNo),
    Text(LineNo, Utf8Bytes),
    /// A line is gone. Another one is opened by itself.
    Lost {
        line: LineNo,
        /// Whether it was the one in use.
        was_current: bool,
        fault: SocketFault,
    },
    /// No line could be opened; it is tried again.
    Unreachable(SocketFault),
}

/// A line that lived this long worked: when it breaks, the next attempt is a first one.
const LASTED: Duration = Duration::from_mins(1);

type Dial = Pin<Box<dyn Future<Output = Result<Socket, SocketFault>> + Send>>;

#[derive(Debug)]
struct Line {
    number: LineNo,
    socket: Socket,
    opened: Instant,
    /// When it is replaced, or, not being in use, given up.
    until: Instant,
}

/// The lines to one address.
pub struct Relay {
    address: String,
    tls: Arc<ClientConfig>,
    limits: RelayLimits,
    backoff: Backoff,
    current: Option<Line>,
    successor: Option<Line>,
    dial: Option<Dial>,
    /// When the next attempt may start.
    dial_at: Instant,
    last: u64,
    is_retiring: bool,
    /// Losses that [`Relay::next`] has yet to tell.
    lost: VecDeque<RelayEvent>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("address", &self.address)
            .field("current", &self.current)
            .field("successor", &self.successor)
            .finish_non_exhaustive()
    }
}

/// What the wait ended with.
enum Turn {
    Text(LineNo, Result<Utf8Bytes, SocketFault>),
    Dialled(Result<Socket, SocketFault>),
    Clock,
}

impl Relay {
    pub fn new(
        address: String,
        tls: Arc<ClientConfig>,
        limits: RelayLimits,
        backoff: Backoff,
    ) -> Self {
        Self {
            address,
            tls,
            limits,
            backoff,
            current: None,
            successor: None,
            dial: None,
            dial_at: timer_now(),
            last: 0,
            is_retiring: false,
            lost: VecDeque::new(),
        }
    }

    /// The line in use.
    pub fn current(&self) -> Option<LineNo> {
        self.current.as_ref().map(|line| line.number)
    }

    /// Waits for what comes next. May be dropped while it waits; nothing is lost.
    pub async fn next(&mut self) -> RelayEvent {
        loop {
            if let Some(event) = self.lost.pop_front() {
                return event;
            }
            self.dial_if_due();
            match self.turn().await {
                Turn::Text(number, Ok(text)) => return RelayEvent::Text(number, text),
                Turn::Text(number, Err(fault)) => self.drop_line(number, fault),
                Turn::Dialled(result) => return self.dialled(result),
                Turn::Clock => {
                    let is_late = |line: &&Line| line.until <= timer_now();
                    if let Some(line) = self.successor.as_ref().filter(is_late) {
                        self.drop_line(line.number, SocketFault::NoAcknowledgement);
                    }
                }
            }
        }
    }

    /// Sends on a line. A line that cannot be written to is lost with the next [`Relay::next`].
    pub async fn send(&mut self, number: LineNo, text: String) {
        let lines = [&mut self.current, &mut self.successor];
        let line = lines.into_iter().flatten().find(|line| line.number == number);
        if let Some(line) = line
            && let Err(fault) = line.socket.send(text).await
        {
            self.drop_line(number, fault);
        }
    }

    /// The line is ready: it is the one in use from now on, the former one is closed.
    pub fn take_over(&mut self, number: LineNo) {
        if self.successor.as_ref().is_none_or(|line| line.number != number) {
            return;
        }
        self.is_retiring = false;
        self.current = self.successor.take();
        if let Some(line) = &mut self.current {
            line.until = timer_now() + self.limits.rotate_after;
        }
    }

    /// The other side is about to end the line in use: a new one is opened at once.
    pub const fn retire(&mut self) {
        self.is_retiring = true;
    }

    /// Gives up a line that does not do what it should; [`Relay::next`] tells of it.
    pub fn drop_line(&mut self, number: LineNo, fault: SocketFault) {
        let was_current = self.current() == Some(number);
        let lost = if was_current {
            self.is_retiring = false;
            self.current.take()
        } else {
            self.successor.take_if(|line| line.number == number)
        };
        let Some(lost) = lost else { return };
        if lost.opened + LASTED <= timer_now() {
            self.backoff.worked();
        }
        if self.successor.is_none() && self.dial.is_none() {
            self.wait(fault);
        }
        self.lost.push_back(RelayEvent::Lost { line: number, was_current, fault });
    }

    fn dial_if_due(&mut self) {
        let is_wanted = self.successor.is_none() && self.wants_successor();
        if is_wanted && self.dial.is_none() && self.dial_at <= timer_now() {
            let open =
                Socket::open(self.address.clone(), Arc::clone(&self.tls), self.limits.socket);
            self.dial = Some(Box::pin(open));
        }
    }

    fn wants_successor(&self) -> bool {
        match &self.current {
            Some(line) => self.is_retiring || line.until <= timer_now(),
            None => true,
        }
    }

    async fn turn(&mut self) -> Turn {
        let alarm = self.alarm();
        tokio::select! {
            (number, text) = next_of(&mut self.current) => Turn::Text(number, text),
            (number, text) = next_of(&mut self.successor) => Turn::Text(number, text),
            result = dialled(&mut self.dial) => Turn::Dialled(result),
            () = sleep_until(alarm) => Turn::Clock,
        }
    }

    /// When something is due without a word from outside.
    fn alarm(&self) -> Instant {
        let far = timer_now() + Duration::from_hours(1);
        let Some(successor) = &self.successor else {
            let is_idle = self.dial.is_none();
            let next = match &self.current {
                Some(line) if !self.is_retiring => line.until.max(self.dial_at),
                Some(_) | None => self.dial_at,
            };
            return if is_idle { next.min(far) } else { far };
        };
        successor.until
    }

    fn dialled(&mut self, result: Result<Socket, SocketFault>) -> RelayEvent {
        self.dial = None;
        match result {
            Ok(socket) => {
                self.last = self.last.saturating_add(1);
                let number = LineNo(self.last);
                let until = timer_now() + self.limits.ready_within;
                self.successor = Some(Line { number, socket, opened: timer_now(), until });
                RelayEvent::Opened(number)
            }
            Err(fault) => {
                self.wait(fault);
                RelayEvent::Unreachable(fault)
            }
        }
    }

    fn wait(&mut self, fault: SocketFault) {
        let wished = match fault {
            SocketFault::Denied { retry_after, .. } => retry_after.unwrap_or_default(),
            SocketFault::Connect(_)
            | SocketFault::NotSocket
            | SocketFault::Deaf
            | SocketFault::Closed
            | SocketFault::Broken
            | SocketFault::TooLarge
            | SocketFault::NoAcknowledgement => Duration::ZERO,
        };
        self.dial_at = timer_now() + self.backoff.failed().max(wished);
    }
}

async fn next_of(line: &mut Option<Line>) -> (LineNo, Result<Utf8Bytes, SocketFault>) {
    match line {
        Some(line) => (line.number, line.socket.next().await),
        None => pending().await,
    }
}

async fn dialled(dial: &mut Option<Dial>) -> Result<Socket, SocketFault> {
    match dial {
        Some(dial) => dial.await,
        None => pending().await,
    }
}
