//! What comes out of a row, cell after cell, in the order in which the statement names the columns.

use rust_decimal::Decimal;
use tranche_model::{
    asset::Asset, client_order_id::ClientOrderId, decimal, ids::Seq, time::Timestamp,
};

use super::value::{Value, moment};
use crate::error::StoreError;

/// One row. What does not fit is corrupt, never a guess.
#[derive(Debug)]
pub(crate) struct Cells {
    table: &'static str,
    cells: std::vec::IntoIter<Value>,
}

impl Cells {
    pub(super) fn new(table: &'static str, cells: Vec<Value>) -> Self {
        Self { table, cells: cells.into_iter() }
    }

    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        self.int_or_null()?.ok_or_else(|| self.corrupt("a number is absent"))
    }

    pub(crate) fn int_or_null(&mut self) -> Result<Option<i64>, StoreError> {
        match self.cells.next() {
            Some(Value::Int(value)) => Ok(value),
            Some(Value::Text(None) | Value::Bytes(None) | Value::Decimal(None)) => Ok(None),
            Some(Value::Text(_) | Value::Bytes(_) | Value::Decimal(_)) | None => {
                Err(self.corrupt("not a whole number"))
            }
        }
    }

    /// A number in the range of `T`.
    pub(crate) fn id<T: TryFrom<i64>>(&mut self) -> Result<T, StoreError> {
        let value = self.int()?;
        T::try_from(value).map_err(|_| self.corrupt(&format!("out of range: {value}")))
    }

    pub(crate) fn id_or_null<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, StoreError> {
        let Some(value) = self.int_or_null()? else { return Ok(None) };
        let id = T::try_from(value).map_err(|_| self.corrupt(&format!("out of range: {value}")))?;
        Ok(Some(id))
    }

    pub(crate) fn seq(&mut self) -> Result<Seq, StoreError> {
        self.id().map(Seq::new)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, StoreError> {
        self.int().map(|value| value != 0)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.int().map(moment)
    }

    pub(crate) fn time_or_null(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.int_or_null()?.map(moment))
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.text_or_null()?.ok_or_else(|| self.corrupt("a text is absent"))
    }

    pub(crate) fn text_or_null(&mut self) -> Result<Option<String>, StoreError> {
        match self.cells.next() {
            Some(Value::Text(value)) => Ok(value),
            Some(Value::Int(None) | Value::Bytes(None) | Value::Decimal(None)) => Ok(None),
            Some(Value::Int(_) | Value::Bytes(_) | Value::Decimal(_)) | None => {
                Err(self.corrupt("not a text"))
            }
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.cells.next() {
            Some(Value::Bytes(Some(value))) => Ok(value),
            Some(Value::Int(_) | Value::Text(_) | Value::Decimal(_) | Value::Bytes(None))
            | None => Err(self.corrupt("not bytes")),
        }
    }

    /// A number of an exchange, which may need 128 bits.
    pub(crate) fn wide(&mut self) -> Result<u128, StoreError> {
        let text = self.text()?;
        text.parse().map_err(|_| self.corrupt("not a number of an exchange"))
    }

    pub(crate) fn decimal(&mut self) -> Result<Decimal, StoreError> {
        self.decimal_or_null()?.ok_or_else(|| self.corrupt("a decimal is absent"))
    }

    pub(crate) fn decimal_or_null(&mut self) -> Result<Option<Decimal>, StoreError> {
        match self.cells.next() {
            Some(Value::Decimal(value)) => Ok(value.map(|value| value.normalize())),
            Some(Value::Text(Some(text))) => {
                decimal::parse(&text).map(Some).map_err(|error| self.corrupt(&error.to_string()))
            }
            Some(Value::Text(None) | Value::Int(None) | Value::Bytes(None)) => Ok(None),
            Some(Value::Int(_) | Value::Bytes(_)) | None => Err(self.corrupt("not a decimal")),
        }
    }

    pub(crate) fn asset(&mut self) -> Result<Asset, StoreError> {
        let text = self.text()?;
        Asset::parse(&text).map_err(|error| self.corrupt(&error.to_string()))
    }

    pub(crate) fn client_id(&mut self) -> Result<ClientOrderId, StoreError> {
        self.client_id_or_null()?.ok_or_else(|| self.corrupt("a client order id is absent"))
    }

    pub(crate) fn client_id_or_null(&mut self) -> Result<Option<ClientOrderId>, StoreError> {
        let Some(text) = self.text_or_null()? else { return Ok(None) };
        match ClientOrderId::parse(&text) {
            Some(id) => Ok(Some(id)),
            None => Err(self.corrupt("not a client order id")),
        }
    }

    /// A cell whose text says none of the words that are known.
    pub(crate) fn corrupt(&self, what: &str) -> StoreError {
        StoreError::Corrupt { table: self.table, what: what.to_owned() }
    }
}
