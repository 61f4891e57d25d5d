//! A folder for one test, and the binary run in it.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

/// Settings that trade; tests change a line of them.
pub(crate) const BOT: &str = "\
name = \"test\"
pairs = [\"BTC/USDT\"]
base_order_volume = \"100\"
safety_order_volume = \"100\"
safety_order_step_pct = \"1\"
max_safety_orders = 3
active_safety_orders_count = 2
take_profit_pct = \"1\"
";

pub(crate) struct Place {
    folder: PathBuf,
}

pub(crate) struct Told {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// An empty folder; `name` is the test's own.
    pub(crate) fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// With `bot.toml` and `candles.csv`, in which the price swings.
    pub(crate) fn trading(name: &str) -> Self {
        let place = Self::new(name);
        place.write("bot.toml", BOT);
        place.write("candles.csv", &swings(3000));
        place
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }

    pub(crate) fn write_bytes(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join(name), bytes).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn run(&self, line: &str) -> Told {
        self.run_with(line, &[])
    }

    /// With variables of the environment.
    pub(crate) fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Told {
        Told::of(self.command(line).envs(variables.iter().copied()).output().unwrap())
    }

    /// The binary in this folder, without settings from outside.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tranche"));
        command.current_dir(&self.folder).args(line.split_whitespace());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRANCHE_")) {
            command.env_remove(name);
        }
        command
    }
}

impl Told {
    pub(crate) fn of(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// The one line of JSON that was printed.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    /// Refused, and each of the words was said.
    pub(crate) fn refuses(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in: {}", self.err);
        }
    }
}

/// Candles of a minute whose price goes up and down by a few per cent, over and over.
fn swings(count: i64) -> String {
    let mut text = String::from("open_time_ms,open,high,low,close,volume\n");
    let price = |minute: i64| {
        let wave = (minute % 400 - 200).abs();
        60_000 + wave * 12 + minute * 37 % 91
    };
    for minute in 0..count {
        let (open, close) = (price(minute), price(minute + 1));
        let (high, low) = (open.max(close) + 9, open.min(close) - 8);
        let at = 1_700_000_040_000 + minute * 60_000;
        writeln!(text, "{at},{open},{high},{low},{close},5").unwrap();
    }
    text
}
