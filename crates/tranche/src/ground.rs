//! The folder and the database in which everything is kept, opened for whoever works with them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow};
use tranche_model::{
    ids::CommandId,
    time::{Millis, Timestamp},
};
use tranche_store::{Database, MasterKeys, OpenError, Role, Settings, Store, Versions};
use tranche_trading::codec;
use tranche_venue::net::clock::{Clock as _, SystemClock};

use crate::{cli::StoreOptions, console, secrets};

const FOLDER: &str = "tranche-data";
const FILE: &str = "tranche.db";
const MASTER_KEY: &str = "master.key";

/// An open database.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) store: Arc<Store>,
    pub(crate) folder: PathBuf,
    clock: SystemClock,
}

/// Where master keys are.
#[derive(Debug)]
pub(crate) enum MasterKeySource {
    /// With one more in a second variable, or not.
    Environment {
        keys: MasterKeys,
        has_next: bool,
    },
    File(PathBuf),
    None,
}

impl Ground {
    /// For the process that trades. It makes what is not there.
    pub(crate) async fn for_engine(options: &StoreOptions, lease: Millis) -> Result<Self> {
        let folder = folder(options);
        make(&folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        Self::open(options, (Role::Engine, lease)).await
    }

    /// For whoever sets something up, perhaps before the first process that trades.
    pub(crate) async fn for_first_client(options: &StoreOptions) -> Result<Self> {
        let settings = Self::settings(options, Role::Client)?;
        match Store::open(settings).await {
            Ok(store) => store.close().await,
            Err(OpenError::NotReady) => {
                Self::for_engine(options, Settings::LEASE).await?.store.close().await;
            }
            // Said by the next line, in the words of all.
            Err(_) => {}
        }
        Self::for_client(options).await
    }

    /// For whoever looks and asks.
    pub(crate) async fn for_client(options: &StoreOptions) -> Result<Self> {
        Self::open(options, (Role::Client, Settings::LEASE)).await
    }

    async fn open(options: &StoreOptions, (role, lease): (Role, Millis)) -> Result<Self> {
        let settings = Settings { lease, ..Self::settings(options, role)? };
        let name = settings.database.to_string();
        let store = Store::open(settings).await.map_err(|error| explain(&error, &name))?;
        let folder = folder(options);
        Ok(Self { store: Arc::new(store), folder, clock: SystemClock::new() })
    }

    /// How the database is opened.
    pub(crate) fn settings(options: &StoreOptions, role: Role) -> Result<Settings> {
        let database = match &options.database {
            Some(address) => Database::parse(address)?,
            None => Database::Sqlite(folder(options).join(FILE)),
        };
        let now = SystemClock::new().wall();
        Ok(Settings {
            database,
            role,
            owner: format!("process {} since {now}", process::id()),
            versions: Versions { schema: codec::SCHEMA, rules: codec::RULES },
            lease: Settings::LEASE,
            now,
        })
    }

    /// Where the keys come from that seal users' keys: those in the environment go before the file.
    pub(crate) fn master_key_source(&self) -> Result<MasterKeySource> {
        let path = self.folder.join(MASTER_KEY);
        let Some(text) = secrets::master_key_from_environment() else {
            let is_there = path.exists();
            return Ok(if is_there { MasterKeySource::File(path) } else { MasterKeySource::None });
        };
        let mut keys = MasterKeys::parse(text).context("TRANCHE_MASTER_KEY")?;
        let next = secrets::next_master_key_from_environment();
        let has_next = next.is_some();
        if let Some(next) = next {
            keys = keys.with_next(next).context("TRANCHE_MASTER_KEY_NEXT")?;
        }
        Ok(MasterKeySource::Environment { keys, has_next })
    }

    /// The keys that seal users' keys. Where there are none, a file in the folder is made.
    pub(crate) fn master_keys(&self) -> Result<MasterKeys> {
        let path = match self.master_key_source()? {
            MasterKeySource::Environment { keys, .. } => return Ok(keys),
            MasterKeySource::File(path) => return Ok(MasterKeys::read(&path)?),
            MasterKeySource::None => self.folder.join(MASTER_KEY),
        };
        make(&self.folder).with_context(|| format!("{}: cannot be made", self.folder.display()))?;
        let keys = MasterKeys::create(&path)?;
        console::complain(&format!(
            "note: {} was made; keep a copy apart from backups: without it no key can be opened",
            path.display()
        ));
        Ok(keys)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// A number that no other command has: the time in microseconds, and which process it was.
    pub(crate) fn command_id(&self) -> CommandId {
        let moment = u128::from(self.now().ms().unsigned_abs());
        let passed = self.clock.steady().as_nanos() & u128::from(u32::MAX);
        CommandId::new((moment << 64) | (u128::from(process::id()) << 32) | passed)
    }
}

fn folder(options: &StoreOptions) -> PathBuf {
    options.data_dir.clone().unwrap_or_else(|| PathBuf::from(FOLDER))
}

/// Nobody else on the machine looks into it.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn explain(error: &OpenError, name: &str) -> anyhow::Error {
    match error {
        OpenError::Held(holder) => {
            anyhow!("{name}: in use by {holder}; a SQLite file has one engine, stop that one first")
        }
        OpenError::NotReady => {
            anyhow!(
                "{name}: there is no database yet; start `tranche serve` first, or name another \
                     with --data-dir or --database"
            )
        }
        OpenError::Address(_)
        | OpenError::Newer { .. }
        | OpenError::Older { .. }
        | OpenError::Foreign(_)
        | OpenError::Failed(_) => anyhow!("{name}: {error}"),
    }
}
