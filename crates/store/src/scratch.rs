//! For tests: databases on a PostgreSQL server of their own, from the programs of this machine.
//!
//! All test processes of a checkout share one server in a temporary folder. Whoever comes first starts
//! it; a watching shell stops it a few seconds after the last one went, also when that one was killed.

mod line;
mod past;
mod programs;

use std::{
    fs::{self, File, OpenOptions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

pub use line::{Cut, Line};
pub use past::{Held, Lock, Session};

use crate::{error::StoreError, sql::Statement, store::Store};
use programs::{Account, programs, server_account};

/// A server in a folder. It runs as the folder's owner, never as root.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    programs: PathBuf,
    account: Option<Account>,
    /// Held by each process that uses the server.
    _user: File,
}

/// An empty database, dropped with this.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: PostgresServer,
    name: String,
}

/// Whether the server waits for the disk. Tests need not; measurements do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    Waits,
    Trusts,
}

/// SQLite's own limit.
const PAGES_MAX: u32 = 4_294_967_294;
const SUPERUSER: &str = "tranche";

/// Stops the server some seconds after nobody holds `users`. Handles 8 and 9 are locks.
const WATCH: &str = r#"
exec 8<watch 9<users
flock -xn 8 || exit 0
while :; do
    flock -x 9
    flock -u 9
    sleep 5
    if flock -xn 9; then
        "$1/pg_ctl" -D data -m immediate -w stop
        rm -rf data run log
        exit 0
    fi
done
"#;

static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Store {
    /// Lets a SQLite file grow to this many pages only, as if the disk were full; `None` lifts it.
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), StoreError> {
        let pages = pages.unwrap_or(PAGES_MAX);
        let limit = Statement::composed(format!("PRAGMA max_page_count = {pages}"));
        self.write.rows("pages", limit).await.map(drop)
    }
}

impl PostgresServer {
    /// The server that all tests of this checkout share; started when it does not run.
    pub fn shared() -> Result<Self, String> {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
        let name = format!("tranche-postgres-{:016x}", hasher.finish());
        Self::in_folder(&std::env::temp_dir().join(name), Disk::Trusts)
    }

    /// A server in this folder, which is made when it is absent and emptied when nobody uses it.
    pub fn in_folder(folder: &Path, disk: Disk) -> Result<Self, String> {
        let programs = programs()?;
        fs::create_dir_all(folder).map_err(|error| told(folder, &error))?;
        let account = server_account(fs::metadata(folder).map_or(0, |found| found.uid()))?;
        give(folder, account.as_ref())?;
        let user = lock_file(folder, "users")?;
        lock_file(folder, "watch")?;
        let starter = lock_file(folder, "start")?;
        user.lock_shared().map_err(|error| told(folder, &error))?;
        starter.lock().map_err(|error| told(folder, &error))?;
        let server = Self { folder: folder.to_owned(), programs, account, _user: user };
        if !server.runs() {
            server.start(disk)?;
        }
        server.watch()?;
        drop(starter);
        Ok(server)
    }

    /// The same server for one more database.
    fn again(&self) -> Result<Self, String> {
        let user = lock_file(&self.folder, "users")?;
        user.lock_shared().map_err(|error| told(&self.folder, &error))?;
        let Self { folder, programs, account, .. } = self;
        Ok(Self {
            folder: folder.clone(),
            programs: programs.clone(),
            account: *account,
            _user: user,
        })
    }

    /// Makes an empty database.
    pub fn database(self) -> Result<PostgresDatabase, String> {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", process::id());
        let mut command = self.client("createdb");
        run(command.args(["--template", "template0", "--encoding", "UTF8", &name]))?;
        Ok(PostgresDatabase { server: self, name })
    }

    fn start(&self, disk: Disk) -> Result<(), String> {
        let (data, sockets) = (self.folder.join("data"), self.folder.join("run"));
        for old in [&data, &sockets] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(|error| told(old, &error))?;
            }
        }
        fs::create_dir(&sockets).map_err(|error| told(&sockets, &error))?;
        give(&sockets, self.account.as_ref())?;
        let mut make = self.own("initdb");
        make.args(["--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"]);
        make.args(["--locale", "C", "--no-sync", "--pgdata"]).arg(&data);
        run(&mut make)?;
        let mut options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=200",
            sockets.display()
        );
        if disk == Disk::Trusts {
            options.push_str(" -c fsync=off");
        }
        let mut start = self.own("pg_ctl");
        start.args(["-w", "-t", "60", "-o", &options, "-l"]).arg(self.folder.join("log"));
        run(start.arg("-D").arg(&data).arg("start"))
    }

    fn runs(&self) -> bool {
        let probe = self.client("pg_isready").stdout(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    }

    /// Begins to watch; a second one ends at once. It outlives this process and holds nothing of it.
    fn watch(&self) -> Result<(), String> {
        let mut shell = Command::new("sh");
        self.take_account(&mut shell);
        shell.args(["-c", WATCH, "watch"]).arg(&self.programs).current_dir(&self.folder);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        shell.spawn().map(drop).map_err(|error| format!("cannot start sh: {error}"))
    }

    /// A program of the server, run as its account.
    fn own(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        self.take_account(&mut command);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        command
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.arg("--host").arg(self.folder.join("run")).args(["--username", SUPERUSER]);
        command
    }

    fn take_account(&self, command: &mut Command) {
        if let Some(account) = &self.account {
            command.uid(account.user).gid(account.group);
        }
    }
}

impl PostgresDatabase {
    /// For whoever opens it.
    pub fn url(&self) -> String {
        let sockets = self.server.folder.join("run");
        format!("postgres://{SUPERUSER}@localhost/{}?host={}", self.name, sockets.display())
    }

    /// The socket that the server listens on.
    pub fn socket(&self) -> PathBuf {
        self.server.folder.join("run").join(".s.PGSQL.5432")
    }

    /// Stops the server, for whoever has it in a folder of his own.
    pub fn stop(mut self) -> Result<(), String> {
        // There is nothing to drop any more.
        self.name.clear();
        let mut stop = self.server.own("pg_ctl");
        run(stop.args(["-D", "data", "-m", "fast", "-w", "stop"]))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it as text, by the database's own tool.
    pub fn dump(&self) -> Result<Vec<u8>, String> {
        let output = self.server.client("pg_dump").arg(&self.name).output();
        let output = output.map_err(|error| format!("cannot start pg_dump: {error}"))?;
        if output.status.success() { Ok(output.stdout) } else { Err("pg_dump failed".to_owned()) }
    }

    /// What the server wrote into its log.
    pub fn log(&self) -> Result<Vec<u8>, String> {
        let path = self.server.folder.join("log");
        fs::read(&path).map_err(|error| told(&path, &error))
    }

    /// The folder with all its files.
    pub fn files(&self) -> PathBuf {
        self.server.folder.join("data")
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        // What is left goes with the server.
        drop(run(self.server.client("dropdb").args(["--force", "--if-exists", &self.name])));
    }
}

fn lock_file(folder: &Path, name: &str) -> Result<File, String> {
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(&path).map_err(|error| told(&path, &error))
}

fn give(path: &Path, account: Option<&Account>) -> Result<(), String> {
    let Some(account) = account else { return Ok(()) };
    std::os::unix::fs::chown(path, Some(account.user), Some(account.group))
        .map_err(|error| told(path, &error))
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    let output = command.stdout(Stdio::null()).status();
    match output {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} failed ({status})")),
        Err(error) => Err(format!("cannot start {name}: {error}")),
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
