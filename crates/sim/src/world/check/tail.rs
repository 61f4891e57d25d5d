//! The last that happened, put into words only when something is wrong.

use std::collections::VecDeque;

use tranche_model::{
    fill::Fill, ids::AccountId, order::OrderReport, record::PrivateEvent, time::Timestamp,
};
use tranche_trading::why::WhyRecord;

use crate::world::fault::Fault;

const KEPT: usize = 160;

#[derive(Debug)]
enum Line {
    Decided(AccountId, WhyRecord),
    Order(AccountId, OrderReport),
    Executed(AccountId, Fill),
    Struck(Fault),
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Tail(VecDeque<(Timestamp, Line)>);

impl Tail {
    pub(super) fn decided(&mut self, account: AccountId, record: &WhyRecord) {
        self.push(record.at, Line::Decided(account, record.clone()));
    }

    pub(super) fn venue(&mut self, account: AccountId, event: &PrivateEvent) {
        match event {
            PrivateEvent::Order(report) => {
                self.push(report.updated_at, Line::Order(account, *report));
            }
            PrivateEvent::Fill(fill) => self.push(fill.at, Line::Executed(account, *fill)),
            PrivateEvent::Balances(_) => {}
        }
    }

    pub(super) fn struck(&mut self, fault: Fault, at: Timestamp) {
        self.push(at, Line::Struck(fault));
    }

    fn push(&mut self, at: Timestamp, line: Line) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((at, line));
    }

    pub(super) fn into_words(self) -> Vec<String> {
        let words = |(at, line): (Timestamp, Line)| match line {
            Line::Decided(account, WhyRecord { bot, deal, why, .. }) => {
                let bot = bot.map_or_else(String::new, |bot| format!(" bot {bot}"));
                let deal = deal.map_or_else(String::new, |deal| format!(" deal {deal}"));
                format!("{at} account {account}{bot}{deal}: {why}")
            }
            Line::Order(account, report) => {
                let key = report.client_id.key();
                let OrderReport { side, kind, status, executed, .. } = report;
                format!(
                    "{at} account {account} bot {} deal {} {}: exchange: {side} {kind} is {status:?}, \
                     executed {executed}",
                    key.bot, key.deal, key.slot
                )
            }
            Line::Executed(account, fill) => {
                let Fill { side, qty, price, fee, .. } = fill;
                let whose = fill.client_id.map_or_else(
                    || "another hand".to_owned(),
                    |id| format!("bot {} deal {} {}", id.key().bot, id.key().deal, id.key().slot),
                );
                format!(
                    "{at} account {account} {whose}: exchange: {side} {qty} at {price}, fee {} {}",
                    fee.amount, fee.asset
                )
            }
            Line::Struck(fault) => format!("{at} fault: {fault}"),
        };
        self.0.into_iter().map(words).collect()
    }
}
