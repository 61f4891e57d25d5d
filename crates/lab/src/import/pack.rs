//! What a file is and what it is packed in.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use flate2::{
    CrcReader,
    read::{DeflateDecoder, MultiGzDecoder},
};
use ruzstd::decoding::StreamingDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::shown;
use crate::fault::{Fault, FileError};

pub(super) type Reader = Box<dyn BufRead + Send>;

/// What one packed file may unpack to: three hundred years of minutes. A small archive that promises
/// more is a trap.
const UNPACKED_MAX: u64 = 16 << 30;
const INSIDE_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Json,
    Parquet,
    Arrow,
}

/// A file, or a file inside an archive.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    packing: Packing,
}

#[derive(Debug, Clone)]
enum Packing {
    None,
    Gzip,
    Zstd,
    Zip { name: String, start: u64, length: u64, is_deflated: bool, crc: u32 },
}

/// The parts of a file; more than one only in an archive.
pub(super) fn parts(path: &Path) -> Result<Vec<Part>, FileError> {
    let name = shown(path);
    let whole = |fault| FileError::whole(&name, fault);
    let lower = name.to_ascii_lowercase();
    let (inner, packing) = if let Some(inner) = lower.strip_suffix(".gz") {
        (inner, Packing::Gzip)
    } else if let Some(inner) = lower.strip_suffix(".zst") {
        (inner, Packing::Zstd)
    } else {
        (lower.as_str(), Packing::None)
    };
    let is_packed = !matches!(packing, Packing::None);
    if !path.is_file() {
        return Err(whole(Fault::Unreadable("there is no such file".to_owned())));
    }
    if inner.rsplit_once('.').is_some_and(|(_, ending)| ending == "zip") && !is_packed {
        return inside(path).map_err(whole);
    }
    let kind = kind(inner).filter(|kind| !is_packed || matches!(kind, Kind::Csv | Kind::Json));
    let kind = kind.ok_or_else(|| whole(Fault::UnknownImport))?;
    Ok(vec![Part { path: path.to_owned(), kind, packing }])
}

fn kind(name: &str) -> Option<Kind> {
    let (_, ending) = name.rsplit_once('.')?;
    match ending {
        "csv" | "txt" => Some(Kind::Csv),
        "json" => Some(Kind::Json),
        "parquet" => Some(Kind::Parquet),
        "feather" | "arrow" => Some(Kind::Arrow),
        _ => None,
    }
}

/// The candle files of an archive, by name.
fn inside(path: &Path) -> Result<Vec<Part>, Fault> {
    let file = File::open(path).map_err(|error| Fault::Unreadable(error.to_string()))?;
    let damaged = |text: String| Fault::DamagedKind { kind: "ZIP", text };
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    if INSIDE_MAX < archive.len() {
        return Err(Fault::TooManyInside { files_max: INSIDE_MAX });
    }
    let mut parts = Vec::new();
    for place in 0..archive.len() {
        let entry = archive.by_index_raw(place).map_err(|error| damaged(error.to_string()))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let Some(kind @ (Kind::Csv | Kind::Json)) = kind(&name.to_ascii_lowercase()) else {
            continue;
        };
        let is_deflated = entry.compression() == CompressionMethod::Deflated;
        if entry.encrypted() || !(is_deflated || entry.compression() == CompressionMethod::Stored) {
            return Err(Fault::PackedOddly { name });
        }
        if UNPACKED_MAX < entry.size() {
            return Err(Fault::TooLarge { bytes_max: UNPACKED_MAX });
        }
        let start = entry.data_start().ok_or_else(|| damaged(name.clone()))?;
        let (length, crc) = (entry.compressed_size(), entry.crc32());
        let packing = Packing::Zip { name, start, length, is_deflated, crc };
        parts.push(Part { path: path.to_owned(), kind, packing });
    }
    parts.sort_by_key(Part::name);
    if parts.is_empty() { Err(Fault::NothingInside) } else { Ok(parts) }
}

impl Part {
    pub(super) fn name(&self) -> String {
        match &self.packing {
            Packing::None | Packing::Gzip | Packing::Zstd => shown(&self.path),
            Packing::Zip { name, .. } => {
                let name: String = name.chars().flat_map(char::escape_debug).collect();
                format!("{}/{name}", shown(&self.path))
            }
        }
    }

    pub(super) fn open(&self) -> Result<Reader, FileError> {
        let name = self.name();
        self.reader().map_err(|error| FileError::whole(&name, Fault::Unreadable(error.to_string())))
    }

    fn reader(&self) -> io::Result<Reader> {
        let mut file = File::open(&self.path)?;
        Ok(match &self.packing {
            Packing::None => Box::new(BufReader::new(file)),
            Packing::Gzip => bounded(MultiGzDecoder::new(BufReader::new(file))),
            Packing::Zstd => {
                let decoder = StreamingDecoder::new(BufReader::new(file));
                bounded(Zstd(decoder.map_err(io::Error::other)?))
            }
            Packing::Zip { start, length, is_deflated, crc, .. } => {
                file.seek(SeekFrom::Start(*start))?;
                let packed = BufReader::new(file).take(*length);
                if *is_deflated {
                    bounded(Checked::new(DeflateDecoder::new(packed), *crc))
                } else {
                    bounded(Checked::new(packed, *crc))
                }
            }
        })
    }
}

fn bounded(reader: impl Read + Send + 'static) -> Reader {
    Box::new(BufReader::new(Bounded { reader, left: UNPACKED_MAX }))
}

/// Fails where a packed file goes on too long.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let left = self.left.checked_sub(tranche_model::cast::count(count));
        self.left = left.ok_or_else(|| {
            io::Error::other(format!("more than {UNPACKED_MAX} bytes when unpacked: split it"))
        })?;
        Ok(count)
    }
}

/// Compares the checksum at the end.
struct Checked<R> {
    reader: CrcReader<R>,
    crc: u32,
}

impl<R: Read> Checked<R> {
    fn new(reader: R, crc: u32) -> Self {
        Self { reader: CrcReader::new(reader), crc }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.reader.crc().sum() != self.crc {
            return Err(io::Error::other("cut short or damaged: the checksum differs"));
        }
        Ok(count)
    }
}

/// One frame of zstd; its checksum is compared at the end, which the library leaves to its caller.
struct Zstd(StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>);

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            let stated = self.0.decoder.get_checksum_from_data();
            if stated.is_some() && stated != self.0.decoder.get_calculated_checksum() {
                return Err(io::Error::other("cut short or damaged: the checksum differs"));
            }
        }
        Ok(count)
    }
}
