//! Users' commands, each answered with a verdict and carried out at most once.

use tranche_model::{
    ids::{BotId, DealNo, InstrumentId},
    record::VerdictRow,
};

use super::{Account, World, note};
use crate::{
    bot::{Bot, BotStatus},
    dca::{Config, Fact},
    event::{Command, CommandBody, Effects, KillLevel, LaneKey, Scope, StepError, WatchKey},
    why::Why,
};

/// `Err` says why not, and what to do.
type Verdict = Result<(), String>;

impl Account {
    pub(super) fn command(
        &mut self,
        command: &Command,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        if !self.desk.is_new(command.id) {
            return Ok(());
        }
        let verdict = self.carry_out(&command.body, world, out)?;
        out.verdicts.push(VerdictRow { command: command.id, verdict });
        out.account_dirty = true;
        Ok(())
    }

    fn carry_out(
        &mut self,
        body: &CommandBody,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        match body {
            CommandBody::CreateBot { bot, config } => self.create(*bot, config, world, out),
            CommandBody::EditBot { bot, config, open_deals } => {
                self.edit((*bot, config, *open_deals), world, out)
            }
            CommandBody::DeleteBot { bot } => Ok(self.delete(*bot, out)),
            CommandBody::PauseEntries { scope } => self.pause(*scope, true, world, out),
            CommandBody::Resume { scope } => self.pause(*scope, false, world, out),
            CommandBody::StopBot { bot } => self.set_status(*bot, BotStatus::Stopped, world, out),
            CommandBody::StartBot { bot } => self.set_status(*bot, BotStatus::Running, world, out),
            CommandBody::StartDeal { bot, instrument } => {
                self.start_deal(*bot, *instrument, world, out)
            }
            CommandBody::CancelDeal { bot, deal } => {
                self.tell_deal((*bot, *deal), Fact::Abandon, world, out)
            }
            CommandBody::CloseDeal { bot, deal } => {
                self.tell_deal((*bot, *deal), Fact::Close, world, out)
            }
            CommandBody::Kill { level } => self.kill(*level, world, out),
            CommandBody::Rearm => {
                self.desk.kill = None;
                self.run_all(world, out)?;
                Ok(Ok(()))
            }
            CommandBody::SetRisk(risk) => {
                self.desk.risk.clone_from(risk);
                self.run_all(world, out)?;
                Ok(Ok(()))
            }
            CommandBody::Unreadable { error } => Ok(Err(format!("unreadable: {error}"))),
        }
    }

    fn create(
        &mut self,
        bot: BotId,
        config: &Config,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        if bot == BotId::new(0) || self.bots.contains_key(&bot) {
            return Ok(Err(format!("bot {bot} exists already; choose another number")));
        }
        if self.desk.retired.contains(&bot) {
            return Ok(Err(format!("bot {bot} was deleted; choose another number")));
        }
        if let Err(refusal) = self.check_config(config, world) {
            return Ok(Err(refusal));
        }
        let Some(new) = Bot::new(bot, config.clone(), world.instruments) else {
            return Ok(Err("an instrument of the bot does not exist here".to_owned()));
        };
        self.bots.insert(bot, Box::new(new));
        out.dirty(bot);
        self.run_bot(bot, world, out)?;
        Ok(Ok(()))
    }

    fn edit(
        &mut self,
        (bot, config, open_deals): (BotId, &Config, bool),
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        if let Err(refusal) = self.check_config(config, world) {
            return Ok(Err(refusal));
        }
        let Some(known) = self.bots.get_mut(&bot) else { return Ok(Err(no_bot(bot))) };
        if open_deals && let Err(refusal) = check_open_deals(known, config, world) {
            return Ok(Err(refusal));
        }
        if known.has_orders() || known.active_deals() != 0 {
            // Lanes with a deal keep their place, which their watches and orders are known by.
            let is_kept = |lane: &crate::bot::Lane| {
                config.pairs().iter().any(|symbol| {
                    world.instruments.find(*symbol).is_some_and(|i| i.id == lane.instrument)
                })
            };
            if !known.lanes.iter().all(is_kept) {
                return Ok(Err("pairs can be taken away only while no deal is open".to_owned()));
            }
        }
        let former: Vec<_> = known.lanes.iter().map(|lane| lane.instrument).collect();
        let Some(version) = known.edit(config.clone(), world.instruments) else {
            return Ok(Err("an instrument of the bot does not exist here".to_owned()));
        };
        // Who is woken by a price of an instrument must not be another one by then.
        for (lane, instrument) in (0_u16..).zip(former) {
            let now = known.lanes.get(usize::from(lane)).map(|lane| lane.instrument);
            if now != Some(instrument) {
                out.watches.push((WatchKey::Lane(LaneKey { bot, lane }), None));
            }
        }
        if open_deals {
            self.adopt_settings(bot, Some(version), world, out)?;
        }
        self.run_bot(bot, world, out)?;
        Ok(Ok(()))
    }

    /// Open deals follow the new settings too, or what hangs on their own is computed anew.
    fn adopt_settings(
        &mut self,
        bot: BotId,
        version: Option<u32>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<(), StepError> {
        for key in self.lanes_of(bot) {
            let Some(turn) = self.turn(key, world)? else { continue };
            let own = turn.lane.deal.as_ref().map(|deal| deal.version);
            let Some(version) = version.or(own) else { continue };
            let Some(config) = turn.head.config(version) else { continue };
            let scene = turn.scene(&config);
            let mut log = Vec::new();
            if let Some(deal) = &mut turn.lane.deal {
                deal.adopt(version, &scene, &mut log)?;
            }
            for why in log {
                turn.note(why, out);
            }
        }
        if let Some(bot) = self.bots.get_mut(&bot) {
            bot.forget_old_versions();
        }
        Ok(())
    }

    /// Whether every pair exists here and takes the bot's orders, and the account's fees leave room.
    fn check_config(&self, config: &Config, world: &World<'_>) -> Verdict {
        for symbol in config.pairs() {
            let Some(instrument) = world.instruments.find(*symbol) else {
                return Err(format!(
                    "pairs is {symbol}: the exchange does not list it; choose another"
                ));
            };
            config.check_instrument(instrument, None).map_err(|error| error.to_string())?;
        }
        config.check_fees(&self.desk.settings.fees).map_err(|error| error.to_string())
    }

    fn delete(&mut self, bot: BotId, out: &mut Effects) -> Verdict {
        let known = self.bots.get(&bot).ok_or_else(|| no_bot(bot))?;
        if known.has_orders() || known.active_deals() != 0 {
            return Err("a deal is open: close or cancel it first".to_owned());
        }
        for key in self.lanes_of(bot) {
            out.watches.push((WatchKey::Lane(key), None));
        }
        if DealNo::new(1) < known.head.next_deal {
            self.desk.retired.put(bot);
        }
        self.bots.remove(&bot);
        out.dirty(bot);
        Ok(())
    }

    fn pause(
        &mut self,
        scope: Scope,
        is_paused: bool,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        match scope {
            Scope::Account => {
                if is_paused {
                    self.bots.values_mut().for_each(|bot| bot.forget_wishes());
                }
                self.desk.entries_paused = is_paused;
                self.run_all(world, out)?;
            }
            Scope::Bot(bot) => {
                let Some(known) = self.bots.get_mut(&bot) else { return Ok(Err(no_bot(bot))) };
                if is_paused {
                    known.forget_wishes();
                }
                known.head.entries_paused = is_paused;
                self.run_bot(bot, world, out)?;
            }
        }
        Ok(Ok(()))
    }

    fn set_status(
        &mut self,
        bot: BotId,
        status: BotStatus,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        let Some(known) = self.bots.get(&bot) else { return Ok(Err(no_bot(bot))) };
        let is_quarantined = matches!(known.head.status, BotStatus::Quarantined { .. });
        if is_quarantined && status == BotStatus::Stopped {
            return Ok(Err(in_quarantine(bot)));
        }
        let spent = known.head.current().and_then(|config| config.stop_after_deals());
        let spent = spent.filter(|most| *most <= known.head.deals_opened);
        if let Some(most) = spent.filter(|_| status == BotStatus::Running && !is_quarantined) {
            return Ok(Err(format!(
                "the bot has opened its {most} deals: raise stop_after_deals first"
            )));
        }
        if is_quarantined && let Err(error) = self.adopt_settings(bot, None, world, out) {
            return Ok(Err(format!("the bot cannot go on: {error}")));
        }
        if let Some(known) = self.bots.get_mut(&bot) {
            if status == BotStatus::Stopped {
                known.forget_wishes();
            }
            known.head.status = status;
        }
        self.run_bot(bot, world, out)?;
        Ok(Ok(()))
    }

    fn start_deal(
        &mut self,
        bot: BotId,
        instrument: InstrumentId,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        let Some(known) = self.bots.get_mut(&bot) else { return Ok(Err(no_bot(bot))) };
        if known.head.status != BotStatus::Running {
            return Ok(Err("the bot is stopped: start it first".to_owned()));
        }
        if self.desk.rights.may_withdraw() {
            let what = "the account's key may withdraw: take that right away at the exchange first";
            return Ok(Err(what.to_owned()));
        }
        if known.head.entries_paused || self.desk.entries_paused || self.desk.kill.is_some() {
            let what = "entries are paused: resume them, or lift the kill switch, first";
            return Ok(Err(what.to_owned()));
        }
        let config = known.head.current();
        let last = config.as_ref().and_then(|config| config.stop_after_deals());
        if last.is_some_and(|last| last <= known.head.deals_opened) {
            let what = "the bot has opened as many deals as it may: raise stop_after_deals first";
            return Ok(Err(what.to_owned()));
        }
        let most = config.map_or(0, |config| config.max_active_deals());
        if most <= known.active_deals().saturating_add(known.wishes_beside(instrument)) {
            return Ok(Err(format!(
                "{most} deals are open or asked for, the most that the bot allows"
            )));
        }
        let lane = known.lanes.iter_mut().find(|lane| lane.instrument == instrument);
        let Some(lane) = lane else {
            return Ok(Err("the bot does not trade this instrument".to_owned()));
        };
        if lane.deal.is_some() {
            return Ok(Err("a deal is open on this instrument already".to_owned()));
        }
        lane.start_wanted = true;
        lane.look_at_price_again();
        self.run_bot(bot, world, out)?;
        Ok(Ok(()))
    }

    fn tell_deal(
        &mut self,
        (bot, deal): (BotId, DealNo),
        fact: Fact<'_>,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        for key in self.lanes_of(bot) {
            let Some(mut turn) = self.turn(key, world)? else { continue };
            if turn.lane.deal.as_ref().is_some_and(|open| open.no == deal) {
                if turn.is_quarantined() {
                    return Ok(Err(in_quarantine(bot)));
                }
                turn.tell(fact, out)?;
                self.run(key, world, out)?;
                return Ok(Ok(()));
            }
        }
        Ok(Err(format!("bot {bot} has no open deal {deal}")))
    }

    fn kill(
        &mut self,
        level: KillLevel,
        world: &World<'_>,
        out: &mut Effects,
    ) -> Result<Verdict, StepError> {
        self.desk.kill = Some(self.desk.kill.map_or(level, |former| former.max(level)));
        self.bots.values_mut().for_each(|bot| bot.forget_wishes());
        note(Why::Killed { level }, world, out);
        let mut left = Vec::new();
        if level == KillLevel::CloseAll {
            for key in self.all_lanes() {
                if let Some(mut turn) = self.turn(key, world)?
                    && turn.lane.deal.is_some()
                {
                    turn.tell(Fact::Close, out)?;
                    left.extend(turn.is_quarantined().then(|| key.bot.to_string()));
                }
            }
        }
        self.run_all(world, out)?;
        if left.is_empty() {
            return Ok(Ok(()));
        }
        left.dedup();
        Ok(Err(format!(
            "done, but for bots in quarantine ({}): start them, and they sell, or sell by hand",
            left.join(", ")
        )))
    }
}

/// Whether what is left of each open deal can follow other settings.
fn check_open_deals(bot: &Bot, config: &Config, world: &World<'_>) -> Verdict {
    for lane in &bot.lanes {
        let origin = lane.deal.as_ref().and_then(|deal| deal.origin);
        if let (Some(origin), Some(instrument)) = (origin, world.instruments.get(lane.instrument)) {
            let checked = config.check_instrument(instrument, Some(origin));
            checked.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

fn in_quarantine(bot: BotId) -> String {
    format!("bot {bot} is in quarantine, where it does nothing: start it first")
}

fn no_bot(bot: BotId) -> String {
    format!("there is no bot {bot} on this account")
}
