//! Users of a world: they make bots, change their minds, and insist until they have a verdict.

use std::collections::BTreeMap;

use tranche_model::{
    ids::{AccountId, BotId, CommandId, DealNo, InstrumentId},
    record::VerdictRow,
};
use tranche_trading::{
    account::Account,
    bot::BotStatus,
    event::{Command, CommandBody, Event, KillLevel, Scope},
};

use super::{World, chance::Chance, plan};

/// See the module's text.
#[derive(Debug)]
pub(super) struct People {
    chance: Chance,
    last_command: u128,
    last_bot: u32,
    /// Commands without a verdict.
    pending: BTreeMap<CommandId, (AccountId, CommandBody)>,
    /// The bots that there shall be.
    pub(super) bots: Vec<(AccountId, BotId)>,
    /// Commands are given again.
    is_anxious: bool,
}

impl People {
    pub(super) const fn new(chance: Chance) -> Self {
        Self {
            chance,
            last_command: 0,
            last_bot: 0,
            pending: BTreeMap::new(),
            bots: Vec::new(),
            is_anxious: false,
        }
    }

    fn ask(&mut self, account: AccountId, body: CommandBody) {
        self.last_command = self.last_command.saturating_add(1);
        self.pending.insert(CommandId::new(self.last_command), (account, body));
        self.is_anxious = true;
    }

    /// An account was loaded: what it was told before may be lost.
    pub(super) const fn retell(&mut self, _account: AccountId) {
        self.is_anxious = true;
    }

    pub(super) fn has_open_wishes(&self) -> bool {
        !self.pending.is_empty()
    }
}

impl World<'_> {
    fn ask(&mut self, account: AccountId, body: CommandBody) {
        if let CommandBody::StartBot { bot } = &body {
            self.checks.started(account, *bot);
        }
        if let CommandBody::EditBot { bot, open_deals: true, .. } = &body {
            self.checks.edits(account, *bot);
        }
        self.people.ask(account, body);
    }

    /// Commands are given until they have a verdict.
    pub(super) fn insist(&mut self) {
        if self.people.pending.is_empty() || !std::mem::take(&mut self.people.is_anxious) {
            return;
        }
        for (id, (account, body)) in self.people.pending.clone() {
            let known = self.memory.stored(account);
            let verdict: Option<VerdictRow> =
                known.and_then(|stored| stored.verdicts.get(&id).cloned());
            if let Some(row) = verdict {
                self.people.pending.remove(&id);
                self.checks.decided(account, &body, row.verdict.is_ok());
                // Of an account that is just being loaded nobody knows the deals: it stays exempt.
                if let CommandBody::EditBot { bot, open_deals: true, .. } = body
                    && self.account(account).is_some()
                {
                    let deals = self.open_deals(account, bot);
                    self.checks.edited(account, bot, deals);
                }
                continue;
            }
            self.people.is_anxious = true;
            // Whoever reads the commands may be an owner of some time ago.
            for place in 0..self.nodes.len() {
                let Some(mut node) = self.nodes.get_mut(place).and_then(Option::take) else {
                    continue;
                };
                if !node.is_paused(self.now) {
                    let body = body.clone();
                    self.tell(&mut node, account, Event::Command(Command { id, body }));
                }
                if let Some(seat) = self.nodes.get_mut(place) {
                    *seat = Some(node);
                }
                self.pump(place);
            }
        }
    }

    fn open_deals(&self, account: AccountId, bot: BotId) -> Vec<DealNo> {
        let live = self.account(account).and_then(|live| live.bots.get(&bot));
        let lanes = live.into_iter().flat_map(|bot| &bot.lanes);
        lanes.filter_map(|lane| lane.deal.as_ref().map(|deal| deal.no)).collect()
    }

    /// What an account looks like to its user.
    pub(super) fn account(&self, account: AccountId) -> Option<&Account> {
        self.nodes.get(self.owner)?.as_ref()?.shard.account(account)
    }

    /// All bots shall trade again.
    pub(super) fn begin_episode(&mut self) {
        let mut wishes = Vec::new();
        for account in self.plan.accounts.clone() {
            wishes.push((account, CommandBody::Rearm));
            wishes.push((account, CommandBody::Resume { scope: Scope::Account }));
        }
        let known: Vec<_> = self.people.bots.clone();
        self.people.bots.clear();
        let configs = (0_u32..).zip(self.plan.bots.clone());
        for (number, (account, config)) in configs {
            let kept = self.plan.wish.keep.bots.as_ref();
            if kept.is_some_and(|kept| !kept.contains(&number)) {
                continue;
            }
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            let former = known.get(place).copied().filter(|(account, bot)| {
                let live = self.account(*account);
                live.is_none_or(|live| live.bots.contains_key(bot))
            });
            if let Some((account, bot)) = former {
                let live = self.account(account).and_then(|live| live.bots.get(&bot));
                if live.is_some_and(|bot| bot.head.status != BotStatus::Running) {
                    wishes.push((account, CommandBody::StartBot { bot }));
                }
                if live.is_some_and(|bot| bot.head.entries_paused) {
                    wishes.push((account, CommandBody::Resume { scope: Scope::Bot(bot) }));
                }
                self.people.bots.push((account, bot));
                continue;
            }
            self.people.last_bot = self.people.last_bot.saturating_add(1);
            let bot = BotId::new(self.people.last_bot);
            let config = Box::new(config);
            wishes.push((account, CommandBody::CreateBot { bot, config }));
            self.people.bots.push((account, bot));
        }
        for (account, body) in wishes {
            self.ask(account, body);
        }
    }

    /// A user does something in the midst of it.
    pub(super) fn meddle(&mut self, detail: u64) {
        let mut chance = Chance::new(detail);
        let count = u64::try_from(self.people.bots.len()).unwrap_or(0);
        let place = usize::try_from(chance.below(count)).unwrap_or(0);
        let Some((account, bot)) = self.people.bots.get(place).copied() else { return };
        let live = self.account(account).and_then(|live| live.bots.get(&bot));
        let deal = live.and_then(|bot| bot.lanes.iter().find_map(|lane| lane.deal.as_ref()));
        let deal = deal.map_or(DealNo::new(1), |deal| deal.no);
        let pairs = live.and_then(|bot| bot.head.current()).map(|config| config.pairs().to_vec());
        let body = match chance.below(16) {
            0 | 1 => CommandBody::CloseDeal { bot, deal },
            2 => CommandBody::CancelDeal { bot, deal },
            3 | 4 => CommandBody::StopBot { bot },
            5 | 6 => CommandBody::StartBot { bot },
            7 => CommandBody::PauseEntries { scope: Scope::Bot(bot) },
            8 => CommandBody::Resume { scope: Scope::Bot(bot) },
            9 => {
                let instrument = InstrumentId::new(u32::try_from(chance.below(3)).unwrap_or(0));
                CommandBody::StartDeal { bot, instrument }
            }
            10 => CommandBody::DeleteBot { bot },
            11 if chance.hits(1, 4) => CommandBody::Kill { level: kill_level(&mut chance) },
            11 | 12 => CommandBody::Rearm,
            _ => {
                let open_deals = chance.hits(1, 2);
                let Some(mut config) = plan::config(&mut chance, self.exchange.instruments())
                else {
                    return;
                };
                // A deal keeps its pair: most edits name the same ones.
                for _ in 0..20 {
                    if pairs.as_deref().is_none_or(|pairs| pairs == config.pairs()) {
                        break;
                    }
                    if let Some(other) = plan::config(&mut chance, self.exchange.instruments()) {
                        config = other;
                    }
                }
                CommandBody::EditBot { bot, config: Box::new(config), open_deals }
            }
        };
        self.ask(account, body);
        self.insist();
    }

    /// How much trades at the next price.
    pub(super) fn depth(&mut self) -> tranche_model::money::Qty {
        use rust_decimal::Decimal;
        use tranche_model::money::Qty;
        if self.now < self.dry_until {
            return Qty::new(Decimal::new(1, 8));
        }
        if self.now < self.thin_until {
            return Qty::new(Decimal::new(self.people.chance.between(1, 2_000), 2));
        }
        Qty::ZERO
    }
}

fn kill_level(chance: &mut Chance) -> KillLevel {
    chance.among(KillLevel::PauseEntries, &[KillLevel::CancelEntries, KillLevel::CloseAll])
}
