use std::fmt::Write as _;

use super::*;
use crate::{
    generate::{Generator, Params},
    import::{self, Options},
};
use tranche_model::{candle::Candle, cast::count};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("tranche-depot-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn depot(&self) -> Depot {
        Depot::new(self.0.join("data"))
    }

    /// Writes candles as CSV and gives the input.
    fn input(&self, name: &str, candles: &[Candle]) -> Vec<Input> {
        let mut text = "open_time_ms,open,high,low,close,volume\n".to_owned();
        for Candle { open_at, open, high, low, close, volume } in candles {
            writeln!(text, "{},{open},{high},{low},{close},{volume}", open_at.ms()).unwrap();
        }
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        import::inputs(&path, &Options::default()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn market(count: usize) -> Vec<Candle> {
    Generator::new(7, &Params::btc_usdt()).unwrap().take(count).collect()
}

fn additions() -> Additions {
    let symbol = Symbol::parse("BTC/USDT").unwrap();
    Additions { venue: "made-up".to_owned(), symbol, interval: None, replace: false }
}

#[test]
fn what_is_stored_is_read_back_exactly_across_groups() {
    let folder = Folder::new("exact");
    let rows = usize::try_from(file::group_rows()).unwrap() + 1000;
    let candles = market(rows);
    let depot = folder.depot();

    let added = depot.add(&additions(), &folder.input("a.csv", &candles)).unwrap();

    let entry = added.entry;
    assert_eq!((entry.rows, added.new, entry.missing), (count(rows), count(rows), 0));
    let read = depot.read(&entry, Range::ALL).unwrap();
    assert_eq!(read.candles, candles);
    assert_eq!(read.interval, Params::btc_usdt().interval);
    assert!(
        read.candles
            .iter()
            .zip(&candles)
            .all(|(a, b)| a.close.get().scale() == b.close.get().normalize().scale())
    );
    let (from, to) = (candles[rows - 1500].open_at, candles[rows - 10].open_at);
    let part = depot.read(&entry, Range { from, to }).unwrap();
    assert_eq!(part.candles, candles[rows - 1500..rows - 10]);
    assert_eq!(depot.check(&entry).unwrap().entry, entry);
    assert_eq!(depot.list().0, [entry]);
}

#[test]
fn additions_in_any_order_give_the_same_file() {
    let folder = Folder::new("order");
    let candles = market(900);
    let parts = [&candles[..400], &candles[350..700], &candles[700..]];
    let (forth, back) = (folder.depot(), Depot::new(folder.0.join("back")));
    let mut entries = Vec::new();
    for (depot, order) in [(&forth, [0, 1, 2]), (&back, [2, 0, 1])] {
        let mut last = None;
        for place in order {
            let input = folder.input(&format!("{place}.csv"), parts[place]);
            last = Some(depot.add(&additions(), &input).unwrap());
        }
        entries.push(last.unwrap());
    }

    assert_eq!(entries[0].entry.checksum, entries[1].entry.checksum);
    assert_eq!(entries[0].entry.rows, 900);
    assert_eq!(entries[1].repeated, 50);
}

#[test]
fn gaps_are_counted_and_told() {
    let folder = Folder::new("gaps");
    let mut candles = market(100);
    candles.drain(40..45);
    candles.remove(10);

    let entry = folder.depot().add(&additions(), &folder.input("a.csv", &candles)).unwrap().entry;

    assert_eq!((entry.gaps, entry.missing), (2, 6));
    let gaps = folder.depot().check(&entry).unwrap().gaps;
    assert_eq!(gaps.iter().map(|gap| gap.missing).collect::<Vec<_>>(), [1, 5]);
    assert_eq!(folder.depot().read(&entry, Range::ALL).unwrap().gaps, gaps);
}

#[test]
fn a_contradiction_changes_nothing() {
    let folder = Folder::new("contradiction");
    let mut candles = market(50);
    let depot = folder.depot();
    let before = depot.add(&additions(), &folder.input("a.csv", &candles)).unwrap().entry;
    candles[20].volume = candles[20].volume.plus(candles[20].volume).unwrap();
    candles[20].volume = candles[20].volume.plus(tranche_model::money::Qty::new(1.into())).unwrap();

    let error = depot.add(&additions(), &folder.input("b.csv", &candles)).unwrap_err();

    assert!(matches!(*error.fault, Fault::Contradicts { .. }), "{error}");
    assert_eq!(depot.list().0, [before]);
    let files = fs::read_dir(folder.0.join("data/made-up")).unwrap().count();
    assert_eq!(files, 1, "nothing is left behind");
    let replaced = Additions { replace: true, ..additions() };
    assert_eq!(depot.add(&replaced, &folder.input("b.csv", &candles)).unwrap().entry.rows, 50);
}

#[test]
fn candles_off_the_grid_are_refused() {
    let folder = Folder::new("grid");
    let mut candles = market(10);
    candles[5].open_at = candles[5].open_at.plus(Millis::from_secs(7));
    let additions = Additions { interval: Some(Params::btc_usdt().interval), ..additions() };

    let error = folder.depot().add(&additions, &folder.input("a.csv", &candles)).unwrap_err();

    assert!(matches!(*error.fault, Fault::TimeOffGrid { .. }), "{error}");
}

#[test]
fn altered_and_cut_files_are_found() {
    let folder = Folder::new("altered");
    let depot = folder.depot();
    let entry = depot.add(&additions(), &folder.input("a.csv", &market(5000))).unwrap().entry;
    let path = depot.path(&entry.series);
    let whole = fs::read(&path).unwrap();
    let mut found = 0;
    for place in (0..whole.len()).step_by(211) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        fs::write(&path, &bytes).unwrap();
        let (entries, faults) = depot.list();
        let read = depot.read(&entry, Range::ALL);
        match depot.check(&entry) {
            Err(_) => found += 1,
            // Only what does not belong to the candles may differ unnoticed.
            Ok(checked) => {
                assert_eq!(read.unwrap().candles, market(5000), "{place}");
                assert_eq!(checked.entry.checksum, entry.checksum);
                assert!(faults.is_empty() && !entries.is_empty());
            }
        }
    }
    assert!(100 < found, "{found}");
    for cut in [0, 7, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(depot.check(&entry).is_err());
        assert_eq!(depot.list().1.len(), 1);
    }
}

#[test]
fn a_pair_is_found_or_the_error_names_what_is_there() {
    let folder = Folder::new("find");
    let depot = folder.depot();
    let candles = market(300);
    depot.add(&additions(), &folder.input("a.csv", &candles)).unwrap();
    let other = Additions { venue: "elsewhere".to_owned(), ..additions() };
    depot.add(&other, &folder.input("a.csv", &candles)).unwrap();
    let symbol = additions().symbol;

    let error = depot.find(symbol, None, None).unwrap_err().to_string();
    assert!(error.contains("elsewhere BTC/USDT 1m, made-up BTC/USDT 1m"), "{error}");
    assert_eq!(depot.find(symbol, Some("elsewhere"), None).unwrap().series.venue(), "elsewhere");
    let ether = Symbol::parse("ETH/USDT").unwrap();
    assert!(
        depot.find(ether, None, None).unwrap_err().to_string().contains("no candles of ETH/USDT")
    );
    assert!(Series::new("../up", symbol, Millis::from_secs(60)).is_err());
}

#[test]
fn our_files_can_be_imported_again() {
    let folder = Folder::new("again");
    let depot = folder.depot();
    let candles = market(700);
    let entry = depot.add(&additions(), &folder.input("a.csv", &candles)).unwrap().entry;

    let inputs = import::inputs(&depot.path(&entry.series), &Options::default()).unwrap();
    let copy = Depot::new(folder.0.join("copy")).add(&additions(), &inputs).unwrap().entry;

    assert_eq!(copy.checksum, entry.checksum);
}

#[test]
fn lengths_have_names() {
    for (name, seconds) in INTERVALS {
        assert_eq!(interval_of(name), Some(Millis::from_secs(seconds)));
        assert_eq!(interval_name(Millis::from_secs(seconds)), name);
    }
    assert_eq!(interval_name(interval_of("90s").unwrap()), "90s");
    assert_eq!(interval_of("0s"), None);
    assert_eq!(interval_of("1y"), None);
}
