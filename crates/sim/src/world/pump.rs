//! What a process wants done is done, up to the moment at which it dies.

use tranche_model::{
    ids::AccountId,
    record::{Call, Outcome, PrivateEvent, Reply},
    time::{Millis, Timestamp},
};
use tranche_trading::{
    dispatch::{Action, Applicant},
    event::Event,
    shard::{Input, Output},
};

use super::{
    World,
    chance::Chance,
    fault::Fault,
    line::{Arrival, What},
    node::{Commit, Fate, Node},
    state::State,
};
use crate::memory::CommitError;

impl World<'_> {
    /// Lets a process act until it has nothing left to do at this moment.
    pub(super) fn pump(&mut self, place: usize) {
        let Some(mut node) = self.nodes.get_mut(place).and_then(Option::take) else { return };
        if node.is_paused(self.now) {
            self.put_back(place, node);
            return;
        }
        let mut rounds = 0_u32;
        loop {
            node.shard.flush(&mut node.outputs);
            if node.is_idle(self.now) {
                break;
            }
            rounds = rounds.saturating_add(1);
            if 10_000 < rounds {
                self.checks.fail("I-23", "a process finds no rest".to_owned());
                break;
            }
            if !self.round(&mut node) {
                self.bury(place, &node);
                return;
            }
        }
        self.put_back(place, node);
    }

    fn put_back(&mut self, place: usize, node: Box<Node>) {
        if let Some(seat) = self.nodes.get_mut(place) {
            *seat = Some(node);
        }
    }

    /// One round; `false` when the process died in it.
    fn round(&mut self, node: &mut Node) -> bool {
        let outputs = std::mem::take(&mut node.outputs);
        for output in outputs {
            if !self.carry_out(node, output) {
                return false;
            }
        }
        if !self.turn_store(node) {
            return false;
        }
        self.look_up(node);
        for account in std::mem::take(&mut node.loads) {
            self.load(node, account);
        }
        let is_alive = self.turn_sender(node);
        self.collect();
        is_alive
    }

    fn carry_out(&mut self, node: &mut Node, output: Output) -> bool {
        match output {
            Output::Commit { ticket, batch } => {
                let is_heavy = !batch.intents.is_empty();
                if self.is_deadly(Fault::KillBeforeCommit, is_heavy) {
                    return false;
                }
                let (fate, delay) = self.fate_of_commit(is_heavy);
                let last = node.commits.back().map_or(self.now, |commit| commit.due);
                let due = self.now.plus(delay).max(last);
                node.commits.push_back(Commit { ticket, batch, due, fate });
            }
            Output::Reload { account } => node.loads.push(account),
            Output::Call { account, user, lane, call } => {
                let clock = node.clock(self.now);
                node.sender.send(Applicant { account, user }, lane, call, clock);
            }
            Output::Ask { account, user, lane, places } => {
                let clock = node.clock(self.now);
                node.sender.ask(Applicant { account, user }, lane, places, clock);
            }
            Output::Lookup { account, fill } => node.lookups.push((account, fill)),
            Output::More => node.step(Input::More, self.now),
            Output::HandBack { account, lane, places } => {
                node.sender.hand_back(account, lane, places);
            }
            Output::Forget { account } => node.sender.forget(account),
            told @ (Output::Booked { .. }
            | Output::Closed { .. }
            | Output::Verdict { .. }
            | Output::Why { .. }
            | Output::BadTick { .. }
            | Output::Quarantined { .. }
            | Output::Dead { .. }
            | Output::Recorded { .. }) => {
                self.guard_output(&told);
                self.checks.told(&told, &mut self.states);
            }
        }
        true
    }

    pub(super) fn tell(&self, node: &mut Node, account: AccountId, event: Event) {
        node.step(Input::Event { account, event: Box::new(event) }, self.now);
    }

    /// Whether a death waits for this moment. Some wait for a commit or a send that matters.
    fn is_deadly(&mut self, fault: Fault, is_heavy: bool) -> bool {
        let suits =
            |act: &super::plan::Act| act.fault == fault && (act.detail & 1 == 0 || is_heavy);
        let Some(place) = self.deaths.iter().position(suits) else { return false };
        self.deaths.remove(place);
        self.struck.add(fault);
        true
    }

    fn fate_of_commit(&mut self, is_heavy: bool) -> (Fate, Millis) {
        if self.is_deadly(Fault::KillAfterCommit, is_heavy) {
            return (Fate::StandsThenDies, Millis::ZERO);
        }
        let Some(act) = self.store_faults.pop() else { return (Fate::Stands, Millis::ZERO) };
        self.struck.add(act.fault);
        let mut chance = Chance::new(act.detail);
        match chance.below(4) {
            0 => (Fate::Fails, Millis::ZERO),
            1 => (Fate::Unheard, Millis::ZERO),
            2 => (Fate::Fails, chance.span(1, 4_000)),
            _ => (Fate::Stands, chance.span(1, 8_000)),
        }
    }

    /// The store answers several questions at a time, and the last one first as well as in their order.
    fn look_up(&self, node: &mut Node) {
        let mut lookups = std::mem::take(&mut node.lookups);
        if self.now.ms() & 1 == 1 {
            lookups.reverse();
        }
        for (account, fill) in lookups {
            let known = self.memory.fill_known(account, fill.instrument, fill.trade_id);
            self.tell(node, account, Event::FillKnown { fill, known });
        }
    }

    /// Carries out the commits that are due.
    fn turn_store(&mut self, node: &mut Node) -> bool {
        while node.commits.front().is_some_and(|commit| commit.due <= self.now) {
            let Some(commit) = node.commits.pop_front() else { break };
            let (ticket, fate) = (commit.ticket, commit.fate);
            let stands = fate != Fate::Fails && self.write(node, &commit);
            match fate {
                Fate::StandsThenDies => return false,
                Fate::Unheard => {
                    self.states.add(State::CommitReplyLost);
                    node.step(Input::CommitFailed(ticket), self.now);
                }
                Fate::Stands | Fate::Fails if stands => {
                    node.step(Input::Committed(ticket), self.now);
                }
                Fate::Stands | Fate::Fails => node.step(Input::CommitFailed(ticket), self.now),
            }
        }
        true
    }

    /// Writes a batch, or not: the store knows who owns the account.
    pub(super) fn write(&mut self, node: &Node, commit: &Commit) -> bool {
        let batch = &commit.batch;
        match self.memory.commit(batch) {
            Ok(()) => {
                self.trace.note(1, batch.account, self.now);
                self.trace.mix(batch.seq.get());
                for row in &batch.journal {
                    self.trace.bytes(&row.body);
                }
                self.checks.committed(batch, node.shard.instruments(), self.now);
                self.guard_batch(batch);
                true
            }
            Err(error) => {
                if matches!(error, CommitError::Stale { .. }) {
                    self.states.add(State::EpochLost);
                    if !batch.verdicts.is_empty() {
                        self.states.add(State::EpochLostWithCommand);
                    }
                }
                false
            }
        }
    }

    fn load(&mut self, node: &mut Node, account: AccountId) {
        if node.is_fenced {
            return;
        }
        let Some((epoch, seq, snapshot)) = self.memory.load(account) else { return };
        let times = node.loaded.entry(account).or_default();
        *times = times.saturating_add(1);
        self.checks.loaded(account, epoch, &snapshot);
        let snapshot = Box::new(snapshot);
        node.step(Input::Loaded { account, epoch, seq, snapshot }, self.now);
        self.people.retell(account);
    }

    /// Lets out what may leave, and hands places to those who asked.
    fn turn_sender(&mut self, node: &mut Node) -> bool {
        let clock = node.clock(self.now);
        if !node.sender.is_due(clock) {
            return true;
        }
        let mut sent = 0_u32;
        for action in node.sender.turn(clock) {
            match action {
                Action::Granted { account, lane, n: places } => {
                    self.tell(node, account, Event::Granted { lane, places });
                }
                Action::Transmit { account, call, .. } => {
                    if 0 < sent && self.is_deadly(Fault::KillBetweenSends, true) {
                        return false;
                    }
                    sent = sent.saturating_add(1);
                    self.transmit(node, account, call);
                    let is_order = matches!(call, Call::Place { .. });
                    if self.is_deadly(Fault::KillAfterSend, is_order) {
                        return false;
                    }
                }
                Action::NotSent { account, call } => {
                    let reply = Reply { call, outcome: Outcome::NotSent };
                    self.states.add(State::NotSent);
                    self.tell(node, account, Event::Reply(reply));
                }
            }
        }
        true
    }

    fn transmit(&mut self, node: &mut Node, account: AccountId, call: Call) {
        let clock = node.clock(self.now);
        let caller = node.caller(account);
        if let Call::Place { send_by, .. } = call
            && send_by < clock
        {
            // The sender's last look.
            let reply = Reply { call, outcome: Outcome::NotSent };
            self.line.tell_at(caller, What::Reply(reply), self.now);
            return;
        }
        let silence = node.sender.dispatch().map_or(Timestamp::MIN, |_| node.silent_until);
        self.checks.transmitted(account, &call, (self.now, clock), silence);
        self.trace.note(2, account, self.now);
        self.line.submit(&mut self.exchange, caller, call, self.now);
        if let Some(act) = self.weights.pop() {
            // The venue counted more than we did.
            let used = Chance::new(act.detail).between(1_000, 6_500);
            let used = u32::try_from(used).unwrap_or(1_000);
            if node.sender.report_weight(used, clock) {
                self.struck.add(act.fault);
            }
        }
    }

    /// What the exchange has said goes onto the line.
    pub(super) fn collect(&mut self) {
        let replies = self.exchange.take_numbered_replies(self.now);
        let events = self.exchange.take_events();
        if !events.is_empty() {
            let lives: Vec<u64> = self.nodes.iter().flatten().map(|node| node.life).collect();
            for (account, event) in &events {
                self.note_event(*account, event);
            }
            for (account, message) in self.line.messages(events, self.now) {
                self.line.carry_message(&lives, account, message, self.now);
            }
        }
        if !replies.is_empty() {
            self.line.carry_replies(&self.exchange, replies, self.now);
        }
    }

    fn note_event(&mut self, account: AccountId, event: &PrivateEvent) {
        self.trace.note(3, account, self.now);
        if let PrivateEvent::Fill(fill) = event {
            let number = u64::try_from(fill.trade_id.get()).unwrap_or(u64::MAX);
            self.trace.mix(number);
        }
        self.checks.at_venue(account, event, &mut self.states);
    }

    /// Hands over what has come.
    pub(super) fn deliver(&mut self) {
        while let Some(Arrival { to, what }) = self.line.take(self.now) {
            let is_it = |node: &Option<Box<Node>>| node.as_ref().is_some_and(|n| n.life == to.life);
            let Some(place) = self.nodes.iter().position(is_it) else { continue };
            let Some(mut node) = self.nodes.get_mut(place).and_then(Option::take) else { continue };
            if let Some(until) = node.paused_until.filter(|until| self.now < *until) {
                self.line.tell_at(to, what, until);
                self.put_back(place, node);
                continue;
            }
            let account = to.account;
            match what {
                What::Reply(reply) => {
                    let clock = node.clock(self.now);
                    if let Outcome::Throttled { retry_at } = &reply.outcome {
                        self.states.add(State::Throttled);
                        node.silent_until = node.silent_until.max(*retry_at);
                    }
                    node.sender.replied(account, &reply, clock);
                    let is_stale = reply.call.is_question() && node.caller(account) != to;
                    if is_stale {
                        self.states.add(State::AnswerForNobody);
                    } else {
                        self.checks.answered(account, &reply, &mut self.states);
                        self.tell(&mut node, account, Event::Reply(reply));
                    }
                }
                What::Event(event) => self.tell(&mut node, account, Event::Private(event)),
                What::Stream { live } => self.tell(&mut node, account, Event::Stream { live }),
                What::KeyMayWithdraw(may_withdraw) => {
                    self.tell(&mut node, account, Event::Key { may_withdraw });
                }
                What::Flow { .. } => {}
            }
            self.put_back(place, node);
            self.pump(place);
        }
    }

    /// A process is gone: what it had not yet written is lost, or not.
    pub(super) fn bury(&mut self, place: usize, node: &Node) {
        self.line.disconnect(node.life);
        if let Some(seat) = self.nodes.get_mut(place) {
            *seat = None;
        }
        if place == self.owner && !node.is_fenced {
            self.kills = self.kills.saturating_add(1);
            let pause = Chance::new(self.trace.hash()).among(200, &[1_500, 20_000]);
            self.starts_at = Some(self.now.plus(Millis::new(pause)));
        }
    }

    /// When the next thing happens without the market.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let nodes = self.nodes.iter().flatten().filter_map(|node| node.next_at()).min();
        let acts = self.plan.acts.get(self.next_act).map(|act| act.at);
        [nodes, acts, self.line.next_at(), self.exchange.next_arrival(), self.starts_at]
            .into_iter()
            .flatten()
            .min()
    }
}
