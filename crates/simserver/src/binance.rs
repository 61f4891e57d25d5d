//! Binance's spot dialect: REST, market streams, WebSocket API.
//!
//! From Binance's spot API documents as of 2026-07-21 with the change log up to 2026-09-18. Where they
//! leave a detail open, the file that fills it in says so.

mod account;
mod amend;
pub(crate) mod api;
pub mod dialect;
mod gate;
mod info;
mod list_form;
mod lists;
mod market;
mod op;
mod order_form;
mod orders;
mod params;
mod refused;
mod replace;
pub(crate) mod rest;
mod routes;
mod run;
pub(crate) mod streams;
pub(crate) mod words;
