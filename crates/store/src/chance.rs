//! Chance from the operating system: for keys, and for numbers that must not be met again.

use crate::error::StoreError;

/// Random bytes that nobody can foresee.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes)
        .map_err(|error| StoreError::Failed(format!("no randomness from the system: {error}")))
}

pub(crate) fn number() -> Result<u16, StoreError> {
    bytes().map(u16::from_ne_bytes)
}
