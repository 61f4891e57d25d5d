//! Foreign bytes in the hands of libraries that may panic on them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::fault::Fault;

/// Runs what reads foreign bytes; a panic of the library is a damaged file. Whatever `work` was reading
/// must not be used after a fault.
pub(crate) fn guarded<T>(
    kind: &'static str,
    work: impl FnOnce() -> Result<T, Fault>,
) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = "the library that reads it gave up".to_owned();
        Err(Fault::DamagedKind { kind, text })
    })
}
