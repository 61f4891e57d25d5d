//! A line between the binary and the exchange that delays, cuts, doubles and truncates.
//!
//! It reads whole HTTP messages and whole WebSocket frames, so that what comes twice is a request, an
//! answer or a message, and not a piece of one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{
        AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _,
        BufReader,
    },
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::Mutex,
    task::JoinHandle,
    time::sleep,
};

use super::dice::Dice;

/// The longest head or message that is believed.
const LONGEST: usize = 64 << 20;
const OPCODES_OF_MESSAGES: [u8; 2] = [1, 2];
const IS_LAST: u8 = 0x80;

/// What is done to a part of the talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoil {
    Delayed,
    Cut,
    Doubled,
    Truncated,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Request,
    Answer,
    Frame,
}

const SPOILS: [Spoil; 4] = [Spoil::Delayed, Spoil::Cut, Spoil::Doubled, Spoil::Truncated];
const NAMES: [&str; 4] = ["delayed", "cut", "doubled", "truncated"];
const PARTS: [&str; 3] = ["requests", "answers", "frames"];
/// Of ten thousand requests, answers and frames: how many meet each of `SPOILS`. Prices come by the hundred
/// in a second, so that a connection for them lives for some seconds.
const RATES: [[u64; 4]; 3] = [[400, 150, 250, 150], [400, 150, 100, 150], [50, 2, 100, 2]];
const OF: u64 = 10_000;

/// What the line has done so far.
#[derive(Debug, Default)]
pub(crate) struct Struck([[AtomicU64; 4]; 3]);

/// Listens as long as this lives.
pub(crate) struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
    listening: JoinHandle<()>,
}

struct Line {
    exchange: SocketAddr,
    seed: u64,
    connections: AtomicU64,
    is_bad: AtomicBool,
    struck: Arc<Struck>,
    /// The first connection of those whose writes are counted.
    since: AtomicU64,
    /// Requests to place or to cancel that came from them.
    writes: AtomicU64,
    market: Arc<Mutex<()>>,
}

impl Proxy {
    /// A good line to the exchange. Who holds `market` keeps the prices from moving.
    pub(crate) fn start(
        runtime: &Handle,
        (exchange, market): (SocketAddr, Arc<Mutex<()>>),
        (seed, struck): (u64, Arc<Struck>),
    ) -> Self {
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let line = Arc::new(Line {
            exchange,
            seed,
            connections: AtomicU64::new(0),
            is_bad: AtomicBool::new(false),
            struck,
            since: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            market,
        });
        let (heard, tasks) = (Arc::clone(&line), runtime.clone());
        let listening = runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let line = Arc::clone(&heard);
                let number = line.connections.fetch_add(1, SeqCst);
                let dice = Dice::new(line.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9)));
                drop(tasks.spawn(async move { line.carry(client, (number, dice)).await }));
            }
        });
        Self { address, line, listening }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set_bad(&self, is_bad: bool) {
        self.line.is_bad.store(is_bad, SeqCst);
    }

    /// Counts from here on what those who connect from here on ask to be placed or cancelled. What a former
    /// one sent may still be on its way.
    pub(crate) fn count_writes(&self) {
        self.line.since.store(self.line.connections.load(SeqCst), SeqCst);
        self.line.writes.store(0, SeqCst);
    }

    pub(crate) fn writes(&self) -> u64 {
        self.line.writes.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Struck {
    fn add(&self, part: Part, spoil: Spoil) {
        self.0[part.place()][spoil.place()].fetch_add(1, SeqCst);
    }

    pub(crate) fn json(&self) -> Value {
        let part = |counts: &[AtomicU64; 4]| {
            let named = NAMES.iter().zip(counts);
            named.map(|(name, count)| ((*name).to_owned(), json!(count.load(SeqCst)))).collect()
        };
        let parts = PARTS.iter().zip(&self.0);
        Value::Object(
            parts.map(|(name, counts)| ((*name).to_owned(), Value::Object(part(counts)))).collect(),
        )
    }

    /// Whether each kind struck each part of the talk.
    pub(crate) fn is_all_seen(&self) -> bool {
        self.0.iter().flatten().all(|count| 0 < count.load(SeqCst))
    }
}

impl Part {
    const fn place(self) -> usize {
        match self {
            Self::Request => 0,
            Self::Answer => 1,
            Self::Frame => 2,
        }
    }
}

impl Spoil {
    const fn place(self) -> usize {
        match self {
            Self::Delayed => 0,
            Self::Cut => 1,
            Self::Doubled => 2,
            Self::Truncated => 3,
        }
    }
}

impl Line {
    fn draw(&self, dice: &mut Dice, part: Part) -> Option<Spoil> {
        if !self.is_bad.load(SeqCst) {
            return None;
        }
        let mut drawn = dice.below(OF);
        for (spoil, rate) in SPOILS.into_iter().zip(RATES[part.place()]) {
            if drawn < rate {
                return Some(spoil);
            }
            drawn -= rate;
        }
        None
    }

    /// One connection to its end. An error is an end as well.
    async fn carry(&self, client: TcpStream, (number, mut dice): (u64, Dice)) -> io::Result<()> {
        let server = TcpStream::connect(self.exchange).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
        while let Some(request) = message(&mut client).await? {
            if is_write(&request) && self.since.load(SeqCst) <= number {
                self.writes.fetch_add(1, SeqCst);
            }
            let Some(answer) = self.ask(&mut server, &request, &mut dice).await? else { break };
            if !self.reply(&mut client, &answer, &mut dice).await? {
                break;
            }
            if answer.starts_with(b"HTTP/1.1 101") {
                return self.frames(client, server, dice).await;
            }
        }
        Ok(())
    }

    /// Hands a request on; `None` when the line broke.
    async fn ask(
        &self,
        server: &mut BufReader<TcpStream>,
        request: &[u8],
        dice: &mut Dice,
    ) -> io::Result<Option<Vec<u8>>> {
        match self.draw(dice, Part::Request) {
            Some(Spoil::Delayed) => {
                self.struck.add(Part::Request, Spoil::Delayed);
                sleep(Duration::from_millis(20 + dice.below(700))).await;
            }
            Some(Spoil::Cut) => {
                self.struck.add(Part::Request, Spoil::Cut);
                return Ok(None);
            }
            Some(Spoil::Truncated) => {
                self.struck.add(Part::Request, Spoil::Truncated);
                server.write_all(part_of(request, dice)).await?;
                return Ok(None);
            }
            Some(Spoil::Doubled) if !is_upgrade(request) => {
                return self.ask_twice(server, request, dice).await;
            }
            Some(Spoil::Doubled) | None => {}
        }
        Self::ask_once(server, request).await
    }

    async fn ask_once(
        server: &mut BufReader<TcpStream>,
        request: &[u8],
    ) -> io::Result<Option<Vec<u8>>> {
        server.write_all(request).await?;
        message(server).await
    }

    /// The same request again, as it was signed. The client hears the first answer or the second.
    ///
    /// An order that was executed could be placed a second time under its id, which no exchange refuses and
    /// no network does behind encryption: only what rests is sent twice, while the prices stand still.
    async fn ask_twice(
        &self,
        server: &mut BufReader<TcpStream>,
        request: &[u8],
        dice: &mut Dice,
    ) -> io::Result<Option<Vec<u8>>> {
        let is_placing = request.starts_with(b"POST");
        let _still = self.market.lock().await;
        let Some(first) = Self::ask_once(server, request).await? else { return Ok(None) };
        let rests = first.starts_with(b"HTTP/1.1 200") && has(&first, b"\"status\":\"NEW\"");
        if is_placing && !rests {
            return Ok(Some(first));
        }
        self.struck.add(Part::Request, Spoil::Doubled);
        let Some(second) = Self::ask_once(server, request).await? else { return Ok(None) };
        Ok(Some(if dice.below(2) == 0 { first } else { second }))
    }

    /// Whether the connection still stands.
    async fn reply(
        &self,
        client: &mut BufReader<TcpStream>,
        answer: &[u8],
        dice: &mut Dice,
    ) -> io::Result<bool> {
        let spoil = self.draw(dice, Part::Answer);
        let spoil = spoil.filter(|spoil| *spoil != Spoil::Doubled || !is_upgrade(answer));
        if let Some(spoil) = spoil {
            self.struck.add(Part::Answer, spoil);
        }
        match spoil {
            Some(Spoil::Cut) => return Ok(false),
            Some(Spoil::Truncated) => {
                client.write_all(part_of(answer, dice)).await?;
                return Ok(false);
            }
            Some(Spoil::Doubled) => client.write_all(&[answer, answer].concat()).await?,
            Some(Spoil::Delayed) => {
                sleep(Duration::from_millis(20 + dice.below(700))).await;
                client.write_all(answer).await?;
            }
            None => client.write_all(answer).await?,
        }
        Ok(true)
    }

    async fn frames(
        &self,
        client: BufReader<TcpStream>,
        server: BufReader<TcpStream>,
        dice: Dice,
    ) -> io::Result<()> {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_server, to_server) = tokio::io::split(server);
        let back = dice.clone();
        // Whichever way breaks first breaks both.
        tokio::select! {
            ended = self.pump(BufReader::new(from_client), to_server, dice) => ended,
            ended = self.pump(BufReader::new(from_server), to_client, back) => ended,
        }
    }

    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        mut dice: Dice,
    ) -> io::Result<()> {
        loop {
            let frame = frame(&mut from).await?;
            let is_message =
                frame[0] & IS_LAST != 0 && OPCODES_OF_MESSAGES.contains(&(frame[0] & !IS_LAST));
            let spoil = self.draw(&mut dice, Part::Frame);
            let spoil = spoil.filter(|spoil| *spoil != Spoil::Doubled || is_message);
            if let Some(spoil) = spoil {
                self.struck.add(Part::Frame, spoil);
            }
            match spoil {
                Some(Spoil::Cut) => return Ok(()),
                Some(Spoil::Truncated) => return to.write_all(part_of(&frame, &mut dice)).await,
                Some(Spoil::Doubled) => to.write_all(&[&frame[..], &frame].concat()).await?,
                Some(Spoil::Delayed) => {
                    sleep(Duration::from_millis(5 + dice.below(200))).await;
                    to.write_all(&frame).await?;
                }
                None => to.write_all(&frame).await?,
            }
        }
    }
}

/// The next HTTP message, head and body; `None` when the peer is done.
async fn message(from: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        from.read_until(b'\n', &mut bytes).await?;
        if bytes.len() == before {
            return Ok(None);
        }
        if &bytes[before..] == b"\r\n" {
            break;
        }
        check(bytes.len())?;
    }
    let body = length(&bytes)?;
    let head = bytes.len();
    bytes.resize(head + body, 0);
    from.read_exact(&mut bytes[head..]).await?;
    Ok(Some(bytes))
}

/// Of the body, as the head says it.
fn length(head: &[u8]) -> io::Result<usize> {
    let head = String::from_utf8_lossy(head).to_lowercase();
    assert!(!head.contains("transfer-encoding"), "bodies come in one piece: {head}");
    let said = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = said.map_or(0, |text| text.trim().parse().expect("a length"));
    check(length)?;
    Ok(length)
}

/// The next frame as it is on the wire (RFC 6455, section 5.2).
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 2];
    from.read_exact(&mut bytes).await?;
    let is_masked = bytes[1] & 0x80 != 0;
    let longer = match bytes[1] & 0x7F {
        126 => 2,
        127 => 8,
        0..=125 | 128..=255 => 0,
    };
    bytes.resize(2 + longer, 0);
    from.read_exact(&mut bytes[2..]).await?;
    let said = bytes[2..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let said = if longer == 0 { u64::from(bytes[1] & 0x7F) } else { said };
    let length = usize::try_from(said).map_err(io::Error::other)?;
    check(length)?;
    let head = bytes.len();
    bytes.resize(head + length + if is_masked { 4 } else { 0 }, 0);
    from.read_exact(&mut bytes[head..]).await?;
    Ok(bytes)
}

fn check(length: usize) -> io::Result<()> {
    if LONGEST < length { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
}

/// Some of it, never all.
fn part_of<'a>(bytes: &'a [u8], dice: &mut Dice) -> &'a [u8] {
    let length = dice.below(bytes.len().try_into().unwrap());
    &bytes[..usize::try_from(length).unwrap()]
}

fn is_upgrade(message: &[u8]) -> bool {
    message.starts_with(b"HTTP/1.1 101") || has(&message.to_ascii_lowercase(), b"\r\nupgrade:")
}

fn is_write(request: &[u8]) -> bool {
    [&b"POST /api/v3/order"[..], b"DELETE /api/v3/"].iter().any(|start| request.starts_with(start))
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
