//! Where a world is looked at: at what moved, and at everything when it is quiet.

use tranche_model::{ids::AccountId, time::Millis};
use tranche_trading::{
    bot::{BotStatus, Lane},
    order::Stage,
};

use super::CLOCK_ERROR;
use super::model;
use crate::world::World;

/// Longer than a request takes to leave and to be answered.
const MOMENT: Millis = Millis::from_secs(5);
/// So often something new may be wanted just then. All fit into a minute.
const MOMENTS: u8 = 5;

impl World<'_> {
    /// Looks at the sums of deals in which something moved.
    pub(in crate::world) fn check_touched(&mut self) {
        self.hear_wire();
        if self.checks.touched.is_empty() {
            return;
        }
        for (account, bot, deal) in std::mem::take(&mut self.checks.touched) {
            let is_edited = self.checks.edited.contains(&(account, bot, deal))
                || self.checks.editing.contains(&(account, bot));
            if is_edited || self.checks.disturbed.restored {
                continue;
            }
            let live = self.account(account).and_then(|live| live.bots.get(&bot));
            let known = live.and_then(|live| {
                let deals = live.lanes.iter().filter_map(|lane| lane.deal.as_ref());
                let deal = deals.into_iter().find(|known| known.no == deal)?;
                let most = live.head.config(deal.version)?.max_safety_orders();
                Some((deal.budget, most))
            });
            let Some((budget, most)) = known else { continue };
            let book = self.checks.books.get(&account);
            let checked = book.map_or(Ok(()), |book| book.within((bot, deal), budget, most));
            self.checks.take(account, checked);
        }
    }

    /// What was wanted a moment ago leaves first, and is answered.
    fn let_leave(&mut self) {
        for _ in 0..MOMENTS {
            if !self.is_leaving() {
                return;
            }
            self.advance(self.now.plus(MOMENT));
        }
    }

    fn is_leaving(&self) -> bool {
        let accounts = self.plan.accounts.iter().filter_map(|account| self.account(*account));
        let lanes = accounts.flat_map(|live| live.bots.values()).flat_map(|bot| &bot.lanes);
        lanes.flat_map(Lane::orders).any(|(_, order)| {
            order.stage == Stage::Intent && self.now <= order.send_by.plus(CLOCK_ERROR)
        })
    }

    /// The last fault was a while ago: nothing is in doubt any more.
    pub(in crate::world) fn look_soon(&mut self) {
        self.let_leave();
        if !self.checks.is_clean() {
            return;
        }
        if self.people.has_open_wishes() {
            self.checks.fail("I-23", "a command has no verdict".to_owned());
        }
        for account in self.plan.accounts.clone() {
            let checked = self.view(account).map(|view| model::soon(&view));
            match checked {
                Some(checked) => self.checks.take(account, checked),
                None => self.checks.fail("I-23", format!("account {account} is not loaded")),
            }
        }
    }

    fn view(&self, account: AccountId) -> Option<model::View<'_>> {
        Some(model::View {
            exchange: &self.exchange,
            memory: &self.memory,
            account: self.account(account)?,
            now: self.now,
            disturbed: self.checks.disturbed,
            is_writing: false,
            clock_error: CLOCK_ERROR,
        })
    }

    /// Everything is quiet: the model computes all anew.
    pub(in crate::world) fn look_closely(&mut self) {
        self.let_leave();
        if !self.checks.is_clean() {
            return;
        }
        if self.people.has_open_wishes() {
            self.checks.fail("I-23", "a command has no verdict".to_owned());
        }
        self.checks.bounded(self.line.load());
        self.guard_dumps();
        for account in self.plan.accounts.clone() {
            let Some(view) = self.view(account) else {
                self.checks.fail("I-23", format!("account {account} is not loaded"));
                continue;
            };
            let live = view.account;
            let checked = model::always(&view).and_then(|()| model::quiet(&view));
            let stopped: Vec<_> = live
                .bots
                .values()
                .filter(|bot| bot.head.status == BotStatus::Stopped)
                .map(|bot| (bot.head.id, bot.head.next_deal))
                .collect();
            self.checks.take(account, checked);
            self.check_hands(account);
            for (bot, next) in stopped {
                self.checks.stopped(account, bot, Some(next));
            }
        }
    }

    /// Orders of other hands are never ours to take back.
    fn check_hands(&mut self, account: AccountId) {
        let open = self.exchange.foreign_open_orders(account);
        let strangers =
            open.iter().filter(|order| !self.checks.by_hand.contains(&(account, order.venue_id)));
        if let Some(order) = strangers.into_iter().next() {
            let text = format!("{} is nobody's order", order.venue_id);
            self.checks.fail("I-27", text);
        }
    }
}
