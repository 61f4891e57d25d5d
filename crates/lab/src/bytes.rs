//! Whole files as bytes, unpacked when they are zstd.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use ruzstd::decoding::{
    FrameDecoder, StreamingDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use crate::fault::{Fault, FileError};

/// Guards against a small file that unpacks to fill the memory.
const BYTES_MAX: u64 = 2 << 30;

/// Reads `.csv` as it is and `.csv.zst` unpacked.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    read_kind(path, "csv")
}

/// Reads `.txt` as it is and `.txt.zst` unpacked.
pub(crate) fn read_text(path: &Path) -> Result<Vec<u8>, FileError> {
    read_kind(path, "txt")
}

fn read_kind(path: &Path, ending: &'static str) -> Result<Vec<u8>, FileError> {
    let name = name(path);
    let is_packed = kind(&name, ending)?;
    let raw = fs::read(path).map_err(|error| FileError::whole(&name, io_fault(&error, ending)))?;
    if is_packed {
        return unpack(&raw).map_err(|fault| FileError::whole(&name, fault));
    }
    Ok(raw)
}

/// The path as errors show it.
pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Whether the name says zstd.
fn kind(name: &str, ending: &'static str) -> Result<bool, FileError> {
    let mut endings = name.rsplit('.').map(str::to_ascii_lowercase);
    let (last, before) = (endings.next(), endings.next());
    match (before.as_deref(), last.as_deref()) {
        (Some(before), Some("zst")) if before == ending => Ok(true),
        (Some(_), Some(last)) if last == ending => Ok(false),
        _ => Err(FileError::whole(name, Fault::UnknownKind(ending))),
    }
}

fn io_fault(error: &io::Error, ending: &'static str) -> Fault {
    if error.kind() == io::ErrorKind::NotFound {
        return Fault::NotFound(ending);
    }
    if error.kind() == io::ErrorKind::OutOfMemory {
        return Fault::LargerThanMemory;
    }
    Fault::Unreadable(error.to_string())
}

/// Unpacks all frames of a zstd file and compares their checksums.
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut rest = packed;
    let mut unpacked = Vec::new();
    if packed.is_empty() {
        return Err(Fault::Damaged("the file is empty".to_owned()));
    }
    while !rest.is_empty() {
        rest = frame(rest, &mut unpacked)?;
    }
    Ok(unpacked)
}

/// Unpacks one frame and gives what is behind it.
fn frame<'a>(packed: &'a [u8], unpacked: &mut Vec<u8>) -> Result<&'a [u8], Fault> {
    let mut decoder = match StreamingDecoder::new(packed) {
        Ok(decoder) => decoder,
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
            length,
            ..
        })) => return skip(packed, length),
        Err(error) => return Err(Fault::Damaged(error.to_string())),
    };
    let room = BYTES_MAX.saturating_sub(tranche_model::cast::count(unpacked.len()));
    let read = (&mut decoder).take(room.saturating_add(1)).read_to_end(unpacked);
    let count = read.map_err(|error| {
        if error.kind() == io::ErrorKind::OutOfMemory {
            return Fault::LargerThanMemory;
        }
        Fault::Damaged(error.to_string())
    })?;
    if room < tranche_model::cast::count(count) {
        return Err(Fault::TooLarge { bytes_max: BYTES_MAX });
    }
    let (rest, decoder) = decoder.into_parts();
    check(&decoder)?;
    Ok(rest)
}

/// A frame of foreign notes: 8 bytes of header, then `length` bytes that are not for us.
fn skip(packed: &[u8], length: u32) -> Result<&[u8], Fault> {
    let cut = || Fault::Damaged("a frame is cut short".to_owned());
    let length = usize::try_from(length).map_err(|_| cut())?;
    packed.get(length.saturating_add(8)..).ok_or_else(cut)
}

/// The library computes the checksum and leaves the comparison to its caller.
fn check(decoder: &FrameDecoder) -> Result<(), Fault> {
    let stated = decoder.get_checksum_from_data();
    if stated.is_some() && stated != decoder.get_calculated_checksum() {
        return Err(Fault::Damaged("the checksum differs".to_owned()));
    }
    Ok(())
}
