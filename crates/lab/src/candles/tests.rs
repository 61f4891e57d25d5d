//! Candle files, good and bad.

use std::{fs, path::PathBuf};

use proptest::prelude::*;

use super::*;
use crate::folder::recorded;

const HEADER: &str = "open_time_ms,open,high,low,close,volume\n";

#[test]
fn candles_are_read_exactly() {
    let rows = "1514764800000,13763,13788,13752.18234,13753.00,5.13327\r\n\
                1514764860000,13763,13773,13741,13772,1.5e-05\n";

    let file = parse("a.csv", format!("{HEADER}{rows}").as_bytes(), None).unwrap();

    assert_eq!(file.interval, Millis::from_secs(60));
    assert_eq!(file.source.to_string(), "recorded market (a.csv)");
    assert_eq!(file.candles[0].low, Price::parse("13752.18234").unwrap());
    assert_eq!(file.candles[1].volume, Qty::parse("0.000015").unwrap());
    assert_eq!(file.gaps, []);
}

#[test]
fn columns_may_stand_in_any_order() {
    let text = "volume,close,low,high,open,open_time_ms\n7,4,1,5,2,1514764800000\n";

    let file = parse("a.csv", text.as_bytes(), Some(Millis::from_secs(60))).unwrap();

    let candle = file.candles[0];
    assert_eq!(candle.open, Price::parse("2").unwrap());
    assert_eq!(candle.high, Price::parse("5").unwrap());
    assert_eq!(candle.volume, Qty::parse("7").unwrap());
}

#[test]
fn a_gap_is_told_and_can_be_filled() {
    let file = minutes(&[0, 1, 4]);

    let minute = |n: i64| Timestamp::from_ms(1_514_764_800_000 + n * 60_000);
    assert_eq!(file.gaps, [Gap { from: minute(2), to: minute(4), missing: 2 }]);
    let dense = file.dense().unwrap();
    assert_eq!(dense.gaps, []);
    assert_eq!(dense.candles.len(), 5);
    let flat = dense.candles[3];
    assert_eq!((flat.open_at, flat.volume), (minute(3), Qty::ZERO));
    assert_eq!((flat.open, flat.high, flat.low), (flat.close, flat.close, file.candles[1].close));
}

#[test]
fn columns_hold_integers_at_the_scale() {
    let text = format!("{HEADER}1514764800000,2.5,4,1.125,3,1\n1514764860000,3,3,3,3,0\n");
    let file = parse("a.csv", text.as_bytes(), None).unwrap();

    let columns = file.columns(3).unwrap();

    assert_eq!(file.price_scale(), 3);
    assert_eq!((columns.len(), columns.scale), (2, 3));
    assert_eq!(columns.open_at, [1_514_764_800_000, 1_514_764_860_000]);
    assert_eq!((columns.open[0], columns.high[0]), (2500, 4000));
    assert_eq!((columns.low[0], columns.close[0]), (1125, 3000));
    assert_eq!(file.columns(2), None);
    assert_eq!(file.columns(19), None);
}

#[test]
fn every_wrong_line_is_named_with_field_and_value() {
    let cases = [
        ("15147648oo000,1,1,1,1,1", "open_time_ms: not a whole number: `15147648oo000`"),
        ("1514764860,1,1,1,1,1", "(2000-01-01) and 4102444800000 (2100-01-01): 1514764860"),
        ("1514764860001,1,1,1,1,1", "multiple of 1000 ms, the start of a second: 1514764860001"),
        ("1514764800000,1,1,1,1,1", "open_time_ms: the line before has the same, remove one"),
        ("1514764740000,1,1,1,1,1", "open_time_ms: must be after the line before (1514764800000)"),
        ("1514764860000,,1,1,1,1", "open: not a decimal number"),
        ("1514764860000,1,1x,1,1,1", "write digits and at most one point: `1x`"),
        ("1514764860000,1,1,NaN,1,1", "low: not a decimal number"),
        ("1514764860000,1,1,1,1e-50,1", "close: more than the 28 digits"),
        ("1514764860000,1,1,1,0,1", "close: must be above 0: 0"),
        ("1514764860000,-1,1,1,1,1", "open: must be above 0: -1"),
        ("1514764860000,2,1,1,1,1", "the high is below another price of the candle, correct or"),
        ("1514764860000,1,3,2,3,1", "open 1 high 3 low 2 close 3 volume 1"),
        ("1514764860000,1,1,1,1,-1", "the volume is below zero"),
        ("1514764860000,1,1,1,1", "the line has 5 fields where the header has 6"),
        ("1514764860000,1,1,1,1,1,1", "the line has 7 fields where the header has 6"),
        ("", "the line has 1 fields where the header has 6"),
    ];
    for (line, words) in cases {
        let text = format!("{HEADER}1514764800000,1,1,1,1,1\n{line}\n1514764920000,1,1,1,1,1\n");
        let error = parse("a.csv", text.as_bytes(), None).unwrap_err();
        assert_eq!(error.line, Some(3), "{line}");
        let shown = error.to_string();
        assert!(shown.starts_with("a.csv, line 3: ") && shown.contains(words), "{shown}");
    }
}

#[test]
fn every_wrong_header_is_named() {
    let cases = [
        ("", "a.csv: the file is empty: its first line must be open_time_ms,open"),
        ("open_time_ms,open,high,low,close", "a.csv, line 1: column volume is missing"),
        (
            "open_time_ms,open,high,low,close,vol",
            "of open_time_ms,open,high,low,close,volume: `vol`",
        ),
        ("open,open", "a.csv, line 1: column open is there twice: remove one"),
        (HEADER, "a.csv: the file has a header but no row"),
    ];
    for (text, words) in cases {
        let shown = parse("a.csv", text.as_bytes(), None).unwrap_err().to_string();
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn a_candle_between_two_intervals_is_refused() {
    let text = format!(
        "{HEADER}1514764800000,1,1,1,1,1\n1514764860000,1,1,1,1,1\n1514764950000,1,1,1,1,1\n"
    );

    let error = parse("a.csv", text.as_bytes(), None).unwrap_err();

    let fault = Fault::TimeOffGrid {
        field: TIME,
        interval_ms: 60_000,
        first: 1_514_764_800_000,
        value: 1_514_764_950_000,
    };
    assert_eq!((error.line, *error.fault), (Some(4), fault));
}

#[test]
fn one_candle_needs_to_be_told_its_interval() {
    let text = format!("{HEADER}1514764800000,1,1,1,1,1\n");

    let error = parse("a.csv", text.as_bytes(), None).unwrap_err();

    assert_eq!(*error.fault, Fault::IntervalUnknown);
    assert!(parse("a.csv", text.as_bytes(), Some(Millis::from_secs(60))).is_ok());
}

#[test]
fn a_stray_line_does_not_fill_the_memory() {
    let text = format!(
        "{HEADER}946684800000,1,1,1,1,1\n946684801000,1,1,1,1,1\n4102444799000,1,1,1,1,1\n"
    );
    let file = parse("a.csv", text.as_bytes(), None).unwrap();

    let error = file.dense().unwrap_err();

    assert_eq!(error, TooLong { rows: 3_155_760_000, rows_max: DENSE_MAX });
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let folder = std::env::temp_dir().join(format!("tranche-candles-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cases = [
        (folder.join("absent.csv"), "there is no such file"),
        (put("a.txt", b""), "ends neither in .csv nor in .csv.zst"),
        (put("a.zst", b""), "ends neither in .csv nor in .csv.zst"),
        (
            put("empty.csv.zst", b""),
            "damaged or cut short, fetch the file again: the file is empty",
        ),
        (put("text.csv.zst", HEADER.as_bytes()), "the zstd data is damaged or cut short"),
        (put("cut.csv.zst", &PACKED[..30]), "the zstd data is damaged or cut short"),
        (put("flip.csv.zst", &flipped()), "fetch the file again: the checksum differs"),
    ];
    for (path, words) in cases {
        let shown = read(&path, None).unwrap_err().to_string();
        assert!(shown.contains(words) && shown.starts_with(&bytes::name(&path)), "{shown}");
    }
    let whole = [PACKED_NOTE, PACKED].concat();
    assert_eq!(read(&put("good.csv.zst", &whole), None).unwrap().candles.len(), 2);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_recorded_year_is_read_whole() {
    let year = recorded("bitfinex-BTCUSD-1m-2018.csv.zst");
    println!("{year}");
    let Some(path) = year.path() else {
        let file = crate::excerpt::candles().unwrap();
        println!("used instead: {}", file.source);
        assert_eq!(file.candles.len(), 180);
        return;
    };

    let file = read(path, None).unwrap();

    assert_eq!(file.interval, Millis::from_secs(60));
    assert_eq!((file.candles.len(), file.gaps.len()), (520_499, 3992));
    let dense = file.dense().unwrap();
    assert_eq!(dense.candles.len(), 525_600);
    assert_eq!(dense.columns(file.price_scale()).unwrap().len(), 525_600);
}

proptest! {
    #[test]
    fn no_bytes_stop_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _csv = parse("a.csv", &bytes, None);
        let _zst = bytes::unpack(&bytes);
    }

    #[test]
    fn no_lines_stop_the_program(lines in "([-0-9.eE,\r\n]|1514764800000,){0,200}") {
        let _file = parse("a.csv", format!("{HEADER}{lines}").as_bytes(), None);
    }

    #[test]
    fn no_damage_to_a_zstd_file_passes(place in 0..PACKED.len(), mask in 1_u8..) {
        let mut packed = PACKED.to_vec();
        packed[place] ^= mask;

        if let Ok(text) = bytes::unpack(&packed) {
            prop_assert_eq!(text, bytes::unpack(PACKED).unwrap());
        }
    }

    #[test]
    fn what_was_written_is_read(rows in proptest::collection::vec((1_u32..5000, 1_u32..5000, 0_u32..99), 2..50)) {
        let lines = rows.iter().enumerate().map(|(n, (a, b, volume))| {
            let (low, high) = (a.min(b), a.max(b));
            let at = 1_514_764_800_000 + n * 60_000;
            format!("{at},0.{a:04},0.{high:04},0.{low:04},0.{b:04},{volume}\n")
        });
        let text = format!("{HEADER}{}", lines.collect::<Vec<_>>().concat());

        let file = parse("a.csv", text.as_bytes(), None).unwrap();

        prop_assert_eq!(file.candles.len(), rows.len());
        let columns = file.columns(4).unwrap();
        for (n, (a, b, _)) in rows.iter().enumerate() {
            prop_assert_eq!((columns.open[n], columns.close[n]), (i64::from(*a), i64::from(*b)));
        }
    }
}

fn minutes(minutes: &[i64]) -> CandleFile {
    let at = |minute: &i64| 1_514_764_800_000 + minute * 60_000;
    let lines = minutes.iter().map(|minute| format!("{},10,12,9,11,3\n", at(minute)));
    let text = format!("{HEADER}{}", lines.collect::<Vec<_>>().concat());
    parse("a.csv", text.as_bytes(), None).unwrap()
}

/// Two candles, packed with a checksum.
const PACKED: &[u8] =
    b"(\xB5/\xFD\x04h\xED\x02\x00B\x05\x11\x11\xA0o\x80J\xD0\xEB\xB3\xAA`\xAD\xF4\xD45\xFF[\xC5\
    \x03\xA0\x8B\x7F\xF8\xE6\xD1\xC4\x143\xDC;<;\xF1q:\x8C?\xC7\x8B\xF1fqH1\xA4\xBF\x81z\xD5E\
    \xCBjF\x97\xF8F\xC7l5\xC6<\x1FR\xAFQ\x04\x95\x8C\x01\x09\x00\xAF\xE0{1 \xC5Uz^\x9A\x83\xC5\
    )[\xE0\xEE\x03\xEB\xFC\x02r*_i";

/// A frame that carries four bytes of foreign notes.
const PACKED_NOTE: &[u8] = b"\x50\x2A\x4D\x18\x04\0\0\0note";

/// With another checksum.
fn flipped() -> Vec<u8> {
    let mut packed = PACKED.to_vec();
    *packed.last_mut().unwrap() ^= 1;
    packed
}
