//! A process that trades, and what is done to it.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;

use crate::{patience::Patience, server::send};

/// What it says right before it sends an order.
pub(super) const ORDER_SENT: &str = "order is sent";
const HELD_BACK: &str = "order was held back";
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Between the two lines there is a look at the clock.
const HELD_BACK_WITHIN: Duration = Duration::from_secs(10);

/// Ended with this.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// Writes the log: a process whose own files cannot grow must still be heard.
    writer: Option<JoinHandle<()>>,
}

impl Process {
    pub(super) fn start(command: &Command, log: PathBuf) -> Self {
        let (mut said, told) = io::pipe().unwrap();
        let mut shell = Command::new("sh");
        // A write beyond a limit fails; without the trap it would kill.
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
        shell.arg(command.get_program()).args(command.get_args());
        shell.current_dir(command.get_current_dir().unwrap());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.stdin(Stdio::null()).stdout(told.try_clone().unwrap()).stderr(told);
        let mut file = File::create(&log).unwrap();
        let child = shell.spawn().unwrap();
        let writer = thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(count @ 1..) = said.read(&mut bytes) {
                file.write_all(&bytes[..count]).unwrap();
            }
        });
        Self { child, log, writer: Some(writer) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn wait_for(&self, what: &str, within: Duration) -> bool {
        let until = Patience::of(within);
        while !self.log().contains(what) {
            if !until.lasts() {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// The same, from what is said from here on.
    pub(crate) fn wait_for_more(&self, what: &str, within: Duration, deed: impl FnOnce()) -> bool {
        let before = self.log().matches(what).count();
        deed();
        let until = Patience::of(within);
        while self.log().matches(what).count() <= before {
            if !until.lasts() {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// Those that it held back at the last moment are none.
    pub(super) fn orders_sent(&self) -> usize {
        let log = self.log();
        log.matches(ORDER_SENT).count().saturating_sub(log.matches(HELD_BACK).count())
    }

    /// Stopped right before it sends, it looks once more whether it still may, and says what it held back.
    pub(super) fn sends_no_more_than(&self, count: usize) {
        let until = Patience::of(HELD_BACK_WITHIN);
        while count < self.orders_sent() {
            assert!(until.lasts(), "it sends without a lease: {}", self.log());
            thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn send(&self, signal: &str) {
        send(signal, self.id());
    }

    /// Stops it, and waits until it stands.
    pub(crate) fn stop(&self) {
        self.send("-STOP");
        let until = Patience::of(Duration::from_secs(5));
        let path = format!("/proc/{}/stat", self.id());
        // The state stands behind the name, which is in brackets.
        while !fs::read_to_string(&path).unwrap().contains(") T ") {
            assert!(until.lasts(), "it does not stop");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// As if the machine lost its power.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        drop(self.child.wait());
        self.writer.take().unwrap().join().unwrap();
    }

    /// Asks it to stop; it says that it went well.
    pub(crate) fn end(mut self) {
        self.send("-TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// No file of it grows beyond this; `None` lets them grow again.
    pub(crate) fn limit(&self, bytes: Option<u64>) {
        let soft = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        let pid = self.id().to_string();
        let status =
            Command::new("prlimit").args([&format!("--fsize={soft}:"), "--pid", &pid]).status();
        assert!(status.unwrap().success());
    }

    /// The processor's time that it took so far, in milliseconds.
    pub(crate) fn worked_ms(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // Behind the name, which is in brackets, the twelfth and the next: in hundredths of a second.
        let words = stat.rsplit(") ").next().unwrap().split(' ');
        words.skip(11).take(2).map(|word| word.parse::<u64>().unwrap() * 10).sum()
    }

    /// What its health address says; `None` when it does not answer.
    pub(crate) fn health(&self, path: &str) -> Option<(u16, String)> {
        let log = self.log();
        let address = log.lines().find_map(|line| line.strip_prefix("health"))?;
        let host = address.trim().strip_prefix("http://")?;
        let mut stream = TcpStream::connect(host).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, answer.split("\r\n\r\n").nth(1)?.to_owned()))
    }

    /// Whether every account is loaded and was compared with its exchange.
    pub(crate) fn is_compared(&self) -> bool {
        self.accounts_are(|account| account["state"] == "ready")
    }

    /// The same, and no order is of unknown fate.
    pub(crate) fn is_ready(&self) -> bool {
        self.accounts_are(|account| account["state"] == "ready" && account["orders_unknown"] == 0)
    }

    fn accounts_are(&self, is_so: impl Fn(&Value) -> bool) -> bool {
        if self.health("/readyz").is_none_or(|(status, _)| status != 200) {
            return false;
        }
        let Some((200, text)) = self.health("/status") else { return false };
        let status: Value = serde_json::from_str(&text).unwrap();
        status["accounts"].as_array().unwrap().iter().all(is_so)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The size of a file, 0 when there is none.
pub(crate) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}
