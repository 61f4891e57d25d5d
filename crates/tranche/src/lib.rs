//! What the binary reads that people wrote: a library, so that fuzz targets reach it. Everything else
//! stays in the binary.

pub mod bot_file;
pub mod document;
