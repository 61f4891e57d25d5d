//! Files that are larger than the memory: read as streams, or refused in words.

use std::{
    env, fs,
    io::{BufWriter, Write as _},
    os::unix::process::parent_id,
    path::{Path, PathBuf},
    process::{Command, id},
};

use tranche_lab::{
    candles,
    depot::{Additions, Depot, Range},
    import::{self, Options},
};
use tranche_model::{
    asset::Symbol,
    time::{Millis, Timestamp},
};

const TEST: &str = "memory::files_larger_than_the_memory_are_streamed_or_refused";
/// Of addresses, the program itself and its stacks included.
const LIMIT_KIB: u64 = 48 << 10;
const ROWS: u64 = 900_000;
const FIRST: i64 = 1_704_067_200_000;

/// Writes a large file and runs itself again with few addresses: then it is the child of a process that
/// left a folder for it.
#[test]
fn files_larger_than_the_memory_are_streamed_or_refused() {
    let given = folder(parent_id());
    if given.is_dir() {
        with_little_memory(&given);
        return;
    }
    let own = folder(id());
    fs::create_dir_all(&own).unwrap();
    write_large(&own.join("large.csv"));
    write_bomb(&own.join("bomb.zip"));

    let limited = format!("ulimit -v {LIMIT_KIB} && exec \"$0\" --exact {TEST} --nocapture");
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(env::current_exe().unwrap());
    let told = command.env("RUST_BACKTRACE", "0").env("MALLOC_ARENA_MAX", "1").output().unwrap();

    fs::remove_dir_all(&own).unwrap();
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    let errors = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success(), "{said}\n{errors}");
    assert!(said.contains("all of it was streamed or refused"), "{said}\n{errors}");
}

fn with_little_memory(folder: &Path) {
    let large = folder.join("large.csv");
    assert!(LIMIT_KIB * 1024 < fs::metadata(&large).unwrap().len(), "it fits into the memory");
    let depot = Depot::new(folder.join("data"));
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    let additions = Additions { venue: "here".to_owned(), symbol, interval: None, replace: false };
    let inputs = |path: &Path| import::inputs(path, &Options::default()).unwrap();

    let added = depot.add(&additions, &inputs(&large)).unwrap();
    assert_eq!((added.entry.rows, added.new), (ROWS, ROWS));
    assert_eq!(depot.check(&added.entry).unwrap().entry, added.entry);

    let range = Range {
        from: Timestamp::from_ms(FIRST + 600_000_000),
        to: Timestamp::from_ms(FIRST + 600_000_000).plus(Millis::from_secs(1000)),
    };
    assert_eq!(depot.read(&added.entry, range).unwrap().candles.len(), 1000);
    let refused = depot.read(&added.entry, Range::ALL).unwrap_err().to_string();
    assert!(refused.contains("900000 candles take about 172 MiB"), "{refused}");
    let refused = candles::read(&large, None).unwrap_err().to_string();
    assert!(refused.contains("large.csv: the file is larger than the memory"), "{refused}");

    let bomb = depot.add(&additions, &inputs(&folder.join("bomb.zip"))).unwrap_err().to_string();
    assert!(bomb.contains("bomb.csv, line 1: the line is longer than 4096 bytes"), "{bomb}");
    println!("all of it was streamed or refused");
}

fn folder(process: u32) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("memory-{process}"))
}

/// A second each.
fn write_large(path: &Path) {
    let mut file = BufWriter::new(fs::File::create(path).unwrap());
    writeln!(file, "time,open,high,low,close,volume").unwrap();
    for row in 0..i64::try_from(ROWS).unwrap() {
        let (at, cents) = (FIRST + row * 1000, row % 90 + 10);
        writeln!(file, "{at},60000.{cents},60001.{cents},59999.{cents},60000.{cents},1.12345678")
            .unwrap();
    }
    file.flush().unwrap();
}

/// 64 MiB of noughts in a small archive.
fn write_bomb(path: &Path) {
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    archive.start_file("bomb.csv", options).unwrap();
    let noughts = vec![b'0'; 1 << 20];
    for _ in 0..64 {
        archive.write_all(&noughts).unwrap();
    }
    archive.finish().unwrap();
}
