use std::{fs, io::Write as _, path::PathBuf};

use super::*;

const ROWS: &str = "1704067200000,10,12,9,11,5\n1704067260000,11,11.5,10.5,11,0\n";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("tranche-import-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn all(path: &Path, options: &Options) -> Result<Vec<Candle>, FileError> {
    let mut candles = Vec::new();
    for input in inputs(path, options)? {
        for candle in input.rows()? {
            candles.push(candle?);
        }
    }
    Ok(candles)
}

fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Vec<Candle>, String> {
    let folder = Folder::new(&name.replace(['.', '/'], "-"));
    let path = folder.put(name, text);
    let prefix = format!("{}/", folder.0.display());
    all(&path, &Options::default()).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn refused(name: &str, text: &str, words: &str) {
    let error = read(name, text).unwrap_err();
    assert!(error.contains(words), "{error}\nwanted: {words}");
    assert!(error.starts_with(name), "{error}");
}

fn two() -> Vec<Candle> {
    read("ours.csv", format!("open_time_ms,open,high,low,close,volume\n{ROWS}")).unwrap()
}

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_same_candles_in_every_layout() {
    let want = two();
    assert_eq!(want.len(), 2);
    assert_eq!(want[0].open_at.ms(), 1_704_067_200_000);
    assert_eq!(want[0].high.to_string(), "12");
    let seconds = "Timestamp;Open;High;Low;Close;Volume\n1704067200;10;12;9;11;5\n1704067260;11;11.5;10.5;11;0\n";
    let dates = "\u{feff}\"date\",\"open\",\"high\",\"low\",\"close\",\"volume\"\r\n\
                 \"2024-01-01 00:00:00\",10,12,9,11,5\r\n2024-01-01 00:01:00,11,11.5,10.5,11,0\r\n";
    let download = "https://www.example.org\nunix,date,symbol,open,high,low,close,Volume USDT\n\
                    1704067200,2024-01-01,X,10,12,9,11,5\n1704067260,2024-01-01,X,11,11.5,10.5,11,0\n";
    let archive = "1704067200000000,10,12,9,11,5,1,1,1,1,1,0\n1704067260000000,11,11.5,10.5,11,0,1,1,1,1,1,0\n";
    let json =
        "[[1704067200000, 10.0, 12, 9, 11, 5.00],\n [1704067260000, 11, 11.5, 1.05e1, 11, 0]]";
    for (name, text) in [
        ("s.csv", seconds),
        ("d.csv", dates),
        ("u.csv", download),
        ("b.csv", archive),
        ("f.json", json),
    ] {
        assert_eq!(read(name, text).as_deref(), Ok(want.as_slice()), "{name}");
        assert_eq!(read(&format!("{name}.gz"), gzipped(text)).as_deref(), Ok(want.as_slice()));
    }
    let (first, second) = archive.split_once('\n').unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("BTCUSDT-1m-2024-02.csv", second.as_bytes()),
        ("BTCUSDT-1m-2024-01.csv", &[first.as_bytes(), b"\n"].concat()),
        ("BTCUSDT.CHECKSUM", b"no candles"),
    ];
    assert_eq!(read("z.zip", zipped(&files)).as_deref(), Ok(want.as_slice()));
}

#[test]
fn what_the_file_does_not_say_the_user_says() {
    let folder = Folder::new("options");
    let bitfinex = folder.put("bitfinex.csv", "1704067200000,10,11,12,9,5\n");
    assert!(all(&bitfinex, &Options::default()).unwrap_err().to_string().contains("--columns"));
    let columns = ["time", "open", "close", "high", "low", "volume"].map(str::to_owned).to_vec();
    let read = all(&bitfinex, &Options { columns, ..Options::default() }).unwrap();
    assert_eq!(read, two()[..1]);
    let volumes = folder.put(
        "volumes.csv",
        "date,open,high,low,close,Volume USDT,Volume BTC\n2024-01-01 02:00,10,12,9,11,55,5\n",
    );
    assert!(all(&volumes, &Options::default()).unwrap_err().to_string().contains("could all be"));
    let options = Options {
        zone: Zone::parse("+02:00").unwrap(),
        symbol: Some(Symbol::parse("BTC/USDT").unwrap()),
        columns: Vec::new(),
    };
    assert_eq!(all(&volumes, &options).unwrap(), two()[..1]);
}

#[test]
fn faults_name_the_file_and_the_line() {
    let header = "time,open,high,low,close,volume\n";
    for (rows, words) in [
        (
            "1704067260000,11,11.5,10.5,11,0\n1704067200000,10,12,9,11,5\n",
            "line 3: time: must be after",
        ),
        (
            "1704067200000,10,12,9,11,5\n1704067200000,10,12,9,11,6\n",
            "line 3: time: a different candle",
        ),
        (
            "1704067200000,10,12,9,11,5\n1704067260000,0,12,9,11,5\n",
            "line 3: open: must be above 0",
        ),
        ("1704067200000,10,12,-9,11,5\n", "line 2: low: must be above 0"),
        ("1704067200000,10,8,9,11,5\n", "line 2: the high is below another price"),
        ("1704067200000,10,12,9,11,-5\n", "line 2: the volume is below zero"),
        ("1704067200000,10,12,9,11\n", "line 2: the line has 5 fields where the header has 6"),
        ("1704067200000,10,12,9,11,5\n17040672", "line 3: the last line has no end"),
        (
            "1704067200000,10,12,9,11,5\n1704067260,10,12,9,11,5\n",
            "line 3: time: the file's times are milli",
        ),
        (
            "2024-01-01T00:00Z,10,12,9,11,5\n2024-01-01T02:01+02:00,10,12,9,11,5\n",
            "line 3: time: the file's times are dates in UTC up to here, this one is dates in +02:00",
        ),
        (
            "2024-01-01T00:00Z,10,12,9,11,5\n2024-01-01T00:01,10,12,9,11,5\n",
            "this one is dates without a zone",
        ),
        ("noon,10,12,9,11,5\n", "line 2: time: neither a moment"),
        ("1704067200000,ten,12,9,11,5\n", "line 2: open: not a decimal"),
        ("1704067200000,NaN,12,9,11,5\n", "line 2: open: not a decimal"),
        ("1704067200000,,12,9,11,5\n", "line 2: open: not a decimal"),
        ("1704067200500,10,12,9,11,5\n", "line 2: time: must be a multiple of 1000 ms"),
        ("999,10,12,9,11,5\n", "line 2: time: must be milliseconds"),
    ] {
        refused("bad.csv", &format!("{header}{rows}"), words);
    }
    refused("no.csv", "time,open,high,low,volume\n", "no column for close among");
    refused("empty.csv", "", "the file is empty");
    refused("odd.xls", "x", "not a kind that can be read");
    refused("cut.json", "[[1704067200000, 10, 12, 9, 11, 5],", "the list has no end");
    refused("object.json", "{\"a\": 1}", "line 1: the JSON data is damaged");
    refused(
        "bad.json",
        "[[1704067200000, 10, 12, 9, 11, 5],\n[1704067260000, 10, 8, 9, 11, 5]]",
        "line 2: the high is below",
    );
}

#[test]
fn the_same_candle_twice_comes_once_and_is_counted() {
    let folder = Folder::new("twice");
    let path = folder.put(
        "a.csv",
        format!("time,open,high,low,close,volume\n{ROWS}{}\n", ROWS.lines().nth(1).unwrap()),
    );
    let input = inputs(&path, &Options::default()).unwrap().remove(0);
    let mut rows = input.rows().unwrap();

    assert_eq!(rows.by_ref().map(Result::unwrap).collect::<Vec<_>>(), two());
    assert_eq!(rows.repeated(), 1);
}

#[test]
fn digits_that_no_exchange_has_are_rounded_in_volumes_and_counted() {
    let folder = Folder::new("digits");
    let path = folder.put(
        "a.csv",
        "time,open,high,low,close,volume\n1704067200000,10,12,9,11,0.30000000000000004\n",
    );
    let mut rows = inputs(&path, &Options::default()).unwrap().remove(0).rows().unwrap();

    assert_eq!(rows.next().unwrap().unwrap().volume.to_string(), "0.3");
    assert_eq!(rows.rounded(), 1);
}

#[test]
fn a_damaged_or_cut_archive_is_refused() {
    let rows: String = (0..2000).fold(String::new(), |text, minute| {
        text + &format!(
            "{},10,12,9,11,{minute},1,1,1,1,1,0\n",
            1_704_067_200_000_i64 + minute * 60_000
        )
    });
    let whole = zipped(&[("a.csv", rows.as_bytes())]);
    assert_eq!(read("w.zip", &whole).unwrap().len(), 2000);
    for cut in [1, 20, whole.len() / 2, whole.len() - 5] {
        assert!(read("c.zip", &whole[..cut]).is_err(), "{cut}");
    }
    for place in (40..whole.len() - 120).step_by(97) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        assert!(read("d.zip", &bytes).is_err(), "{place}");
    }
    let gzip = gzipped(&rows);
    assert!(read("c.csv.gz", &gzip[..gzip.len() - 3]).is_err());
    assert!(read("n.zip", zipped(&[("a.txt.exe", b"x")])).unwrap_err().contains("holds no .csv"));
}

#[test]
fn a_row_without_end_is_refused() {
    let row = ROWS.lines().next().unwrap();
    let text = format!("time,open,high,low,close,volume\n{}", format!("{row}\n").repeat(1_000_010));

    let error = read("same.csv.gz", gzipped(&text)).unwrap_err();

    assert!(error.contains("more than 1000000 rows repeat the one before"), "{error}");
}

#[test]
fn a_bomb_stops_at_its_first_endless_line() {
    let bomb = zipped(&[("bomb.csv", &vec![b'0'; 64 << 20])]);
    assert!(bomb.len() < 1 << 20);

    let error = read("bomb.zip", bomb).unwrap_err();

    assert!(error.contains("bomb.csv, line 1: the line is longer than 4096 bytes"), "{error}");
}

/// What pandas writes for freqtrade: an Arrow file packed with LZ4, with floats.
fn feather(rows: usize) -> Vec<u8> {
    use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
    use arrow_ipc::{
        CompressionType,
        writer::{FileWriter, IpcWriteOptions},
    };
    use std::sync::Arc;

    let minutes = (0..i64::try_from(rows).unwrap()).map(|row| 1_704_067_200_000 + row * 60_000);
    let column = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value; rows])) };
    let times = TimestampMillisecondArray::from_iter_values(minutes).with_timezone("UTC");
    let times: ArrayRef = Arc::new(times);
    let batch = RecordBatch::try_from_iter([
        ("date", times),
        ("open", column(10.1)),
        ("high", column(12.3)),
        ("low", column(9.7)),
        ("close", column(11.0)),
        ("volume", column(0.300_000_000_000_000_04)),
    ]);
    let batch = batch.unwrap();
    let options = IpcWriteOptions::default();
    let options = options.try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

#[test]
fn freqtrades_feather_is_read_exactly() {
    let read = read("BTC_USDT-1m.feather", feather(500)).unwrap();

    assert_eq!(read.len(), 500);
    let Candle { open, high, volume, .. } = read[499];
    assert_eq!(
        (open.to_string(), high.to_string(), volume.to_string()),
        ("10.1".into(), "12.3".into(), "0.3".into())
    );
    assert_eq!(read[499].open_at.ms(), 1_704_067_200_000 + 499 * 60_000);
}

#[test]
fn no_bytes_of_a_feather_file_stop_the_program() {
    let whole = feather(200);
    for cut in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        assert!(read("c.feather", &whole[..cut]).is_err(), "{cut}");
    }
    for place in (0..whole.len()).step_by(3) {
        for mask in [0xff, 0x01] {
            let mut bytes = whole.clone();
            bytes[place] ^= mask;
            // Values may come out wrong, which a float cannot show; nothing may panic or take all memory.
            drop(read("d.feather", &bytes));
        }
    }
}
