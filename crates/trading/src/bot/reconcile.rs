//! Wanted against known: the one place where places and cancels come from, for every strategy.

use tranche_model::{
    ids::Slot,
    money::Qty,
    order::{OrderKind, TimeInForce},
    time::Timestamp,
};

use super::{Lane, Seat, Wanted};
use crate::{
    order::{Cancel, Order, Stage},
    why::{BlockReason, CancelReason},
};

/// What brings the exchange closer to what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    Cancel { slot: Slot, reason: CancelReason },
    Place(Wanted),
}

/// Compares. Cancels come first: an order of another slot may need the funds that they free. A slot
/// whose order is not settled gets no second one, whatever is wanted.
pub fn moves(lane: &mut Lane, wanted: &[Wanted], now: Timestamp, moves: &mut Vec<Move>) {
    for seat in &mut lane.seats {
        let wish = wanted.iter().find(|wanted| wanted.slot == seat.slot);
        if wish.is_none() {
            // A pause lasts although the wish comes and goes: the venue is not asked at every price.
            seat.unblock_unless(|blocked| now < blocked.retry_at);
            seat.queued = false;
        }
        let Some(order) = &mut seat.order else { continue };
        let reason = match wish {
            None => CancelReason::NoLongerWanted,
            Some(wish) if fits(order, wish) => {
                order.stay();
                continue;
            }
            Some(_) => CancelReason::Changed,
        };
        if may_cancel(order, now) {
            moves.push(Move::Cancel { slot: seat.slot, reason });
        }
    }
    for wish in wanted {
        let seat = lane.seat(wish.slot);
        let is_free = seat.is_none_or(|seat| seat.order.is_none());
        let waits = seat
            .and_then(Seat::blocked)
            .is_some_and(|blocked| blocked.reason != BlockReason::Funds && now < blocked.retry_at);
        if is_free && !waits {
            moves.push(Move::Place(*wish));
        }
    }
}

/// Whether the order does what is wanted. Market orders are wanted until they are settled.
fn fits(order: &Order, wish: &Wanted) -> bool {
    if order.side != wish.side {
        return false;
    }
    match (order.kind, wish.kind) {
        (
            OrderKind::Limit { price, qty, time_in_force: TimeInForce::GoodTillCancelled },
            OrderKind::Limit { price: wanted_price, qty: wanted_qty, .. },
        )
        | (
            OrderKind::LimitMaker { price, qty },
            OrderKind::LimitMaker { price: wanted_price, qty: wanted_qty },
        ) => price == wanted_price && leaves(qty, order) == wanted_qty,
        (OrderKind::Market { .. } | OrderKind::Limit { .. }, OrderKind::Market { .. }) => {
            !order.kind.rests()
        }
        (OrderKind::Market { .. } | OrderKind::Limit { .. } | OrderKind::LimitMaker { .. }, _) => {
            false
        }
    }
}

/// What is not booked yet: the strategy knows of booked fills only.
fn leaves(qty: Qty, order: &Order) -> Qty {
    qty.minus_floored(order.booked()).unwrap_or(Qty::ZERO)
}

/// An order can be taken back while it rests and nobody asked for it. One that was seen and that the
/// venue then did not know may rest all the same: an exit must not wait until that is cleared up.
fn may_cancel(order: &Order, now: Timestamp) -> bool {
    let is_asked = match order.cancel() {
        Cancel::No => false,
        Cancel::Asked { .. } => true,
        Cancel::Again { at, .. } => now < at,
    };
    let may_rest = matches!(order.stage, Stage::Open | Stage::Missing);
    may_rest && order.kind.rests() && !is_asked
}
