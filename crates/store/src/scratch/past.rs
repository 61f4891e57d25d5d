//! What a test does to a database past the store: with the server's own tools, as a stranger.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
};

use super::{PostgresDatabase, run};

/// What a stranger keeps locked until this is dropped.
#[derive(Debug)]
pub struct Held {
    psql: Child,
    stdin: Option<ChildStdin>,
}

/// What can be kept from an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// The rows of accounts, which a commit locks first.
    Accounts,
    /// The table of intents, which a commit writes to while it holds the rows of its accounts.
    Intents,
    /// The table of verdicts: a commit that answers a command takes more than one statement, and writes to
    /// it in the first.
    Verdicts,
}

/// A connection of an engine, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The server's process.
    pub pid: u32,
    /// `active`, `idle`, `idle in transaction` …
    pub state: String,
    pub waits_for_lock: bool,
}

impl Lock {
    const fn sql(self) -> &'static str {
        match self {
            Self::Accounts => "SELECT account FROM accounts FOR UPDATE",
            Self::Intents => "LOCK TABLE intents IN SHARE MODE",
            Self::Verdicts => "LOCK TABLE verdicts IN SHARE MODE",
        }
    }
}

impl PostgresDatabase {
    /// Locks something until the answer is dropped.
    pub fn hold(&self, lock: Lock) -> Result<Held, String> {
        let mut command = self.psql();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut psql = command.spawn().map_err(|error| format!("cannot start psql: {error}"))?;
        let mut stdin = psql.stdin.take().ok_or("psql takes nothing")?;
        let stdout = psql.stdout.take().ok_or("psql says nothing")?;
        let lines = format!("BEGIN;\n{};\n\\echo held\n", lock.sql());
        stdin.write_all(lines.as_bytes()).map_err(|error| error.to_string())?;
        for line in BufReader::new(stdout).lines() {
            if line.map_err(|error| error.to_string())? == "held" {
                return Ok(Held { psql, stdin: Some(stdin) });
            }
        }
        Err("psql ended before it had the lock".to_owned())
    }

    /// The connections of engines to this database.
    pub fn sessions(&self) -> Result<Vec<Session>, String> {
        let sql = "SELECT pid, state, COALESCE(wait_event_type, '') FROM pg_stat_activity \
            WHERE application_name = 'tranche' AND datname = current_database() ORDER BY pid";
        let output = self.psql().args(["-c", sql]).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().map(session).collect()
    }

    /// Another database of the same server, with what [`Self::dump`] wrote.
    pub fn restored(&self, dump: &[u8]) -> Result<Self, String> {
        let other = self.server.again()?.database()?;
        let mut command = other.psql();
        command.args(["-v", "ON_ERROR_STOP=1"]).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut psql = command.spawn().map_err(|error| format!("cannot start psql: {error}"))?;
        let mut stdin = psql.stdin.take().ok_or("psql takes nothing")?;
        stdin.write_all(dump).map_err(|error| error.to_string())?;
        drop(stdin);
        let status = psql.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(other) } else { Err(format!("psql failed ({status})")) }
    }

    /// Lets no backend that serves an engine write to a file any more, as if the server's disk were full:
    /// the server panics at the next commit and comes back by itself. The answer is how many they are.
    pub fn fail_disk(&self) -> Result<usize, String> {
        let limited = self.sessions()?.into_iter().filter(|session| {
            let pid = session.pid.to_string();
            // One that has ended meanwhile writes nothing anyway.
            let mut limit = Command::new("prlimit");
            self.server.take_account(&mut limit);
            run(limit.args(["--fsize=0", "--pid", &pid])).is_ok()
        });
        Ok(limited.count())
    }

    fn psql(&self) -> Command {
        let mut command = self.server.client("psql");
        command.args(["-X", "-q", "-A", "-t", "-d", &self.name]);
        command
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The end of its input ends it, and its transaction with it.
        drop(self.stdin.take());
        drop(self.psql.wait());
    }
}

fn session(line: &str) -> Result<Session, String> {
    let cells: Vec<&str> = line.split('|').collect();
    let [pid, state, waits] = cells[..] else { return Err(format!("not a session: {line}")) };
    let pid = pid.parse().map_err(|_| format!("not a session: {line}"))?;
    Ok(Session { pid, state: state.to_owned(), waits_for_lock: waits == "Lock" })
}
