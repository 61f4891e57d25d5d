//! The index itself: bounds, times and trails of all lanes of a shard.

use std::cmp::Reverse;

use tranche_model::{
    candle::Tick,
    cast,
    ids::InstrumentId,
    instrument::Instrument,
    money::Price,
    time::{Millis, Timestamp},
};

use super::{
    BadTick, Cause, Urgency, Wake, Watch, WatchId,
    book::{Book, Print},
    ladder::Ladder,
    lane::{Lane, Lanes},
    units::Units,
};

/// Knows who waits for what, and finds who must act without asking the others.
#[derive(Debug, Clone)]
pub struct Index {
    lanes: Lanes,
    /// By instrument.
    books: Vec<Book>,
    /// Lanes by time, the earliest on top.
    times: Ladder,
    checkpoint_every: Millis,
    /// The earliest time of the next round of checkpoints.
    checkpoint_at: Timestamp,
    /// Whether a peak rose since the last round.
    has_risen: bool,
    /// The wakes of the input at hand; kept for its memory, as the next two.
    hits: Vec<Hit>,
    crossed: Vec<u32>,
    told: Vec<(u32, Units)>,
}

/// A wake with what orders it among others.
#[derive(Debug, Clone)]
struct Hit {
    /// How far the price, or the clock, went past the level: the level passed first comes first.
    overshoot: i64,
    wake: Wake,
}

impl Hit {
    fn rank(&self) -> (Urgency, Reverse<i64>, WatchId) {
        (self.wake.urgency, Reverse(self.overshoot), self.wake.id)
    }
}

impl Index {
    /// A risen peak is told at most this often.
    pub fn new(checkpoint_every: Millis) -> Self {
        Self {
            lanes: Lanes::default(),
            books: Vec::new(),
            times: Ladder::default(),
            checkpoint_every,
            checkpoint_at: Timestamp::MIN,
            has_risen: false,
            hits: Vec::new(),
            crossed: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Replaces the former answer of a lane, also on another instrument.
    pub fn set(&mut self, id: WatchId, instrument: &Instrument, watch: Watch) {
        self.open(instrument);
        self.arm(id.get(), instrument.id.get(), &watch);
    }

    /// Forgets a lane; its id can be used again.
    pub fn remove(&mut self, id: WatchId) {
        self.disarm(id.get());
        if let Some(lane) = self.lanes.get_mut(id.get()) {
            *lane = Lane::ASLEEP;
        }
    }

    /// Takes in a trade and appends who must act: the most urgent first, then in the order in which
    /// the price passed their levels, then by id. A price that a second one confirms counts before it,
    /// as a trade of its own.
    pub fn tick(
        &mut self,
        instrument: &Instrument,
        tick: &Tick,
        wakes: &mut Vec<Wake>,
    ) -> Result<(), BadTick> {
        debug_assert_eq!(tick.instrument, instrument.id, "a tick of another instrument");
        self.open(instrument);
        let place = cast::index(instrument.id.get());
        let Some(book) = self.books.get_mut(place) else { return Ok(()) };
        let print = book.read(tick)?;
        if let Some(held) = book.admit(print)? {
            self.apply(place, held, wakes);
        }
        self.apply(place, print, wakes);
        Ok(())
    }

    /// Moves the clock and appends who must act, the longest overdue first, and then the risen peaks.
    pub fn time(&mut self, now: Timestamp, wakes: &mut Vec<Wake>) {
        while let Some(id) = self.times.reached(now.ms().saturating_neg()) {
            let Some(lane) = self.lanes.get_mut(id) else { break };
            let overshoot = now.ms().saturating_sub(lane.at.ms());
            self.times.change(lane.time_level(), None, id);
            lane.at = Timestamp::MAX;
            if !std::mem::replace(&mut lane.is_muted, true) {
                self.hit(id, Cause::Time, now, overshoot);
            }
        }
        if self.has_risen && self.checkpoint_at <= now {
            self.tell_peaks(now);
        }
        self.deliver(wakes);
    }

    /// The market data broke: the last price is stale until the next tick.
    pub fn gap(&mut self, instrument: InstrumentId) {
        if let Some(book) = self.books.get_mut(cast::index(instrument.get())) {
            book.break_off();
        }
    }

    /// The last price, unless it is stale.
    pub fn last(&self, instrument: InstrumentId) -> Option<Price> {
        self.books.get(cast::index(instrument.get()))?.fresh
    }

    /// The running maximum of a trailing lane. A wake does not end it: until the lane answers anew it
    /// goes on up to the first retracement.
    pub fn peak(&self, id: WatchId) -> Option<Price> {
        let lane = self.lanes.get(id.get())?;
        let book = self.books.get(cast::index(lane.book))?;
        let peak = if lane.trails() { book.trails.peak(lane.group) } else { lane.peak };
        peak.map(|peak| peak.price(book.scale))
    }

    /// When [`Index::time`] may have something to do next; never too late.
    pub fn next_time(&self) -> Option<Timestamp> {
        let top = self.times.top();
        let waiting = (top != Ladder::NOTHING).then(|| Timestamp::from_ms(top.saturating_neg()));
        let checkpoint = self.has_risen.then_some(self.checkpoint_at);
        [waiting, checkpoint].into_iter().flatten().min()
    }

    /// The prices, in integers of the instrument, at or beyond which a tick may wake a lane or move a
    /// peak: no tick strictly between them does anything. A lane that awaits any price, and a jump that
    /// awaits confirmation, make the lower one `i64::MAX`.
    ///
    /// A driver that skips ticks by this feeds the two before the one on which it lands, lest that
    /// one be taken for a jump.
    pub fn band(&self, instrument: InstrumentId) -> (Option<i64>, Option<i64>) {
        self.books.get(cast::index(instrument.get())).map_or((None, None), Book::band)
    }

    /// About how much memory the index holds.
    pub fn resident_bytes(&self) -> usize {
        let books = self.books.iter().map(Book::resident_bytes).sum::<usize>();
        let spare = self.books.capacity().saturating_sub(self.books.len());
        [self.lanes.resident_bytes(), self.times.resident_bytes(), books]
            .into_iter()
            .sum::<usize>()
            .saturating_add(spare.saturating_mul(size_of::<Book>()))
            .saturating_add(self.hits.capacity().saturating_mul(size_of::<Hit>()))
    }

    /// Makes sure that the instrument has a book on its grid.
    fn open(&mut self, instrument: &Instrument) {
        let place = cast::index(instrument.id.get());
        let scale = instrument.price_scale;
        if self.books.len() <= place {
            self.books.resize_with(place.saturating_add(1), || Book::new(Book::UNNAMED));
        }
        match self.books.get_mut(place) {
            Some(book) if book.scale == scale => {}
            Some(book) if book.scale == Book::UNNAMED => book.scale = scale,
            Some(_) => self.rescale(instrument.id.get(), scale),
            None => {}
        }
    }

    /// Moves a book to another grid: the venue changed its tick. A risen peak that was not told yet
    /// waits for the next rise.
    fn rescale(&mut self, place: u32, scale: u32) {
        let Some(former) = self.books.get(cast::index(place)).map(|book| book.scale) else {
            return;
        };
        let mut answers = Vec::new();
        for id in self.lanes.of_book(place) {
            let Some(lane) = self.lanes.get(id).copied() else { continue };
            let peak = self.trailing_peak(&lane);
            answers.push((id, lane.watch(peak, former), lane));
            self.disarm(id);
        }
        if let Some(book) = self.books.get_mut(cast::index(place)) {
            book.rescale(scale);
        }
        for (id, watch, before) in answers {
            self.arm(id, place, &watch);
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            lane.is_muted = before.is_muted;
            if !before.trails() {
                lane.peak = before.peak.map(|peak| peak.moved_up(former, scale));
            }
        }
    }

    fn trailing_peak(&self, lane: &Lane) -> Option<Units> {
        self.books.get(cast::index(lane.book))?.trails.peak(lane.group)
    }

    fn arm(&mut self, id: u32, place: u32, watch: &Watch) {
        if self.lanes.get(id).is_some_and(|lane| lane.book != place) {
            self.disarm(id);
        }
        let mut former = self.lanes.get(id).copied().unwrap_or(Lane::ASLEEP);
        let Some(book) = self.books.get_mut(cast::index(place)) else { return };
        let mut lane = Lane::new(watch, place, book.scale);
        book.change(id, &mut former, &mut lane, watch.trail);
        self.times.change(former.time_level(), lane.time_level(), id);
        self.lanes.put(id, lane);
    }

    /// Takes the lane out of every tree.
    fn disarm(&mut self, id: u32) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        self.times.change(lane.time_level(), None, id);
        lane.at = Timestamp::MAX;
        if let Some(book) = self.books.get_mut(cast::index(lane.book)) {
            book.disarm(id, lane);
        }
    }

    fn apply(&mut self, place: usize, print: Print, wakes: &mut Vec<Wake>) {
        let Some(book) = self.books.get_mut(place) else { return };
        book.note(print);
        if !book.is_quiet(print.units) {
            self.wake_crossed(place, print);
            self.deliver(wakes);
        }
    }

    fn wake_crossed(&mut self, place: usize, print: Print) {
        let Some(book) = self.books.get_mut(place) else { return };
        if book.trails.rises(print.units.get()) {
            book.trails.rise(print.units, &mut self.lanes);
            if !self.has_risen {
                self.has_risen = true;
                self.checkpoint_at = self.checkpoint_at.max(print.at);
            }
        }
        book.take_crossed(print.units, &mut self.crossed);
        self.hits.reserve(self.lanes.awake(&self.crossed));
        for id in self.crossed.drain(..) {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            if !lane.is_muted
                && let Some(crossing) = book.crossing(lane, print.units)
            {
                let (cause, urgency) = (crossing.cause, crossing.urgency);
                let (id, price) = (WatchId::new(id), Some(print.price));
                let wake = Wake { id, cause, urgency, price, at: print.at };
                self.hits.push(Hit { overshoot: crossing.overshoot, wake });
                lane.is_muted = true;
            }
            book.clear_crossed(lane, print.units);
        }
    }

    /// One round over the groups whose peak rose.
    fn tell_peaks(&mut self, now: Timestamp) {
        self.has_risen = false;
        self.checkpoint_at = now.plus(self.checkpoint_every);
        let mut told = std::mem::take(&mut self.told);
        for book in &mut self.books {
            book.trails.take_risen(&mut self.lanes, &mut told);
        }
        for (id, peak) in told.drain(..) {
            let Some(peak) = self.price_for(id, peak) else { continue };
            self.hit(id, Cause::Checkpoint { peak }, now, 0);
        }
        self.told = told;
    }

    fn price_for(&self, id: u32, units: Units) -> Option<Price> {
        let lane = self.lanes.get(id)?;
        self.books.get(cast::index(lane.book)).map(|book| units.price(book.scale))
    }

    /// Notes a wake that no price caused.
    fn hit(&mut self, id: u32, cause: Cause, at: Timestamp, overshoot: i64) {
        let Some(lane) = self.lanes.get(id) else { return };
        let price = self.books.get(cast::index(lane.book)).and_then(|book| book.fresh);
        let wake = Wake { id: WatchId::new(id), cause, urgency: cause.urgency(), price, at };
        self.hits.push(Hit { overshoot, wake });
    }

    fn deliver(&mut self, wakes: &mut Vec<Wake>) {
        self.hits.sort_unstable_by_key(Hit::rank);
        wakes.extend(self.hits.drain(..).map(|hit| hit.wake));
    }
}
