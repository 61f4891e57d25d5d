//! Reading what was committed.

use tranche_model::{
    asset::Asset,
    fill::{Fee, Fill},
    ids::{AccountId, BotId, DealNo, Epoch, InstrumentId, Seq, TradeId, VenueOrderId},
    money::{Amount, Price, Qty, Quote},
    order::OrderRequest,
    record::{DealRow, FillRow, IntentRow, JournalRow},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    settings::Versions,
    sql::{Cells, Statement},
    store::Store,
    words,
};

/// An input of an account with what it was stepped under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    pub row: JournalRow,
    pub epoch: Epoch,
    pub versions: Versions,
}

const FILL: &str = "SELECT bot, deal, trade_id, client_id, venue_order_id, instrument, side, \
    price, qty, quote, fee_asset, fee, fee_in_quote, liquidity, at FROM fills";
const DEAL: &str = "SELECT bot, deal, instrument, opened_at, closed_at, ended, profit, fees, \
    bought, safety_orders FROM deals";
const INTENT: &str =
    "SELECT client_id, instrument, side, kind, price, amount, send_by, at FROM intents";

impl Store {
    /// At most `limit` entries of an account's journal, from input `from` on. What retention took is
    /// absent at the beginning only.
    pub async fn journal(
        &self,
        account: AccountId,
        from: Seq,
        limit: u32,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let some = Statement::new(
            "SELECT seq, at, body, epoch, schema_version, rules_version FROM journal \
             WHERE account = $1 AND $2 <= seq ORDER BY seq LIMIT $3",
        );
        let rows = self.read.rows("journal", some.bind(account).bind(from).bind(limit)).await?;
        rows.into_iter()
            .map(|mut row| {
                let entry = JournalRow { seq: row.seq()?, at: row.time()?, body: row.bytes()? };
                let epoch = Epoch::new(row.id()?);
                let versions = Versions { schema: row.id()?, rules: row.id()? };
                Ok(JournalEntry { row: entry, epoch, versions })
            })
            .collect()
    }

    /// All fills of an account in the order in which they were booked.
    pub async fn fills(&self, account: AccountId) -> Result<Vec<FillRow>, StoreError> {
        let all = format!("{FILL} WHERE account = $1 ORDER BY seq, instrument, at");
        let rows = self.read.rows("fills", Statement::composed(all).bind(account)).await?;
        rows.into_iter().map(read_fill).collect()
    }

    /// The fills of one deal.
    pub async fn fills_of(&self, bot: BotId, deal: DealNo) -> Result<Vec<FillRow>, StoreError> {
        let all = format!("{FILL} WHERE bot = $1 AND deal = $2 ORDER BY seq, instrument, at");
        let all = Statement::composed(all).bind(bot).bind(deal);
        self.read.rows("fills", all).await?.into_iter().map(read_fill).collect()
    }

    /// The closed deals of an account in the order in which they closed.
    pub async fn deals(&self, account: AccountId) -> Result<Vec<DealRow>, StoreError> {
        let all = format!("{DEAL} WHERE account = $1 ORDER BY seq, bot, deal");
        let rows = self.read.rows("deals", Statement::composed(all).bind(account)).await?;
        rows.into_iter().map(read_deal).collect()
    }

    /// The intents of an account from a moment on, in the order in which they were committed.
    pub async fn intents(
        &self,
        account: AccountId,
        since: Timestamp,
    ) -> Result<Vec<IntentRow>, StoreError> {
        let all = format!("{INTENT} WHERE account = $1 AND $2 <= at ORDER BY seq, place");
        let all = Statement::composed(all).bind(account).bind(since);
        self.read.rows("intents", all).await?.into_iter().map(read_intent).collect()
    }
}

fn read_fill(mut row: Cells) -> Result<FillRow, StoreError> {
    let (bot, deal) = (BotId::new(row.id()?), DealNo::new(row.id()?));
    let fill = Fill {
        trade_id: TradeId::new(row.wide()?),
        client_id: row.client_id_or_null()?,
        venue_order_id: VenueOrderId::new(row.wide()?),
        instrument: InstrumentId::new(row.id()?),
        side: words::read_side(&mut row)?,
        price: Price::new(row.decimal()?),
        qty: Qty::new(row.decimal()?),
        quote: Quote::new(row.decimal()?),
        fee: read_fee(&mut row)?,
        liquidity: words::read_liquidity(&mut row)?,
        at: row.time()?,
    };
    Ok(FillRow { bot, deal, fill })
}

fn read_fee(row: &mut Cells) -> Result<Fee, StoreError> {
    let asset: Asset = row.asset()?;
    let amount = Amount::new(row.decimal()?);
    Ok(Fee { asset, amount, in_quote: row.decimal_or_null()?.map(Quote::new) })
}

fn read_deal(mut row: Cells) -> Result<DealRow, StoreError> {
    Ok(DealRow {
        bot: BotId::new(row.id()?),
        deal: DealNo::new(row.id()?),
        instrument: InstrumentId::new(row.id()?),
        opened_at: row.time()?,
        closed_at: row.time()?,
        ended: row.text()?,
        profit: Quote::new(row.decimal()?),
        fees: Quote::new(row.decimal()?),
        bought: Quote::new(row.decimal()?),
        safety_orders: row.id()?,
    })
}

fn read_intent(mut row: Cells) -> Result<IntentRow, StoreError> {
    let request = OrderRequest {
        client_id: row.client_id()?,
        instrument: InstrumentId::new(row.id()?),
        side: words::read_side(&mut row)?,
        kind: words::read_kind(&mut row)?,
    };
    Ok(IntentRow { request, send_by: row.time()?, at: row.time()? })
}
