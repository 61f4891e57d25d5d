//! A deal as a line: where it buys more, breaks even and sells, and where the price is.

use ratatui::{
    style::{Color, Style},
    text::Span,
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use tranche_model::money::Price;

use super::view::DealView;

const STOP: char = '✖';
const SAFETY: char = '▼';
const BREAK_EVEN: char = '┼';
const TAKE_PROFIT: char = '▲';
const PRICE: char = '●';

/// The cells of the line, from the lowest price to the highest.
pub(crate) fn cells(deal: &DealView, width: u16) -> Vec<Span<'static>> {
    let known = [deal.stop, deal.next_safety, deal.break_even, deal.take_profit, deal.peak];
    let known = known.into_iter().flatten().chain([deal.price]);
    let low = known.clone().min().unwrap_or(deal.price);
    let high = known.max().unwrap_or(deal.price);
    let place = |price: Price| column(price, (low, high), width);
    let mut cells = vec![('─', Style::new().dark_gray()); usize::from(width)];
    if let Some(even) = deal.break_even {
        let (from, to) = (place(even).min(place(deal.price)), place(even).max(place(deal.price)));
        let style = Style::new().fg(if deal.price < even { Color::Red } else { Color::Green });
        for cell in cells.iter_mut().take(usize::from(to)).skip(usize::from(from)) {
            *cell = ('━', style);
        }
    }
    let marks = [
        (deal.stop, STOP, Style::new().red()),
        (deal.next_safety, SAFETY, Style::new().light_blue()),
        (deal.break_even, BREAK_EVEN, Style::new().yellow()),
        (deal.take_profit, TAKE_PROFIT, Style::new().green()),
        (Some(deal.price), PRICE, Style::new().white().bold()),
    ];
    for (price, letter, style) in marks {
        let cell = price.and_then(|price| cells.get_mut(usize::from(place(price))));
        if let Some(cell) = cell {
            *cell = (letter, style);
        }
    }
    cells.into_iter().map(|(letter, style)| Span::styled(letter.to_string(), style)).collect()
}

/// The cell of a price, from 0 to the last one.
fn column(price: Price, (low, high): (Price, Price), width: u16) -> u16 {
    share(price.get(), low.get(), high.get(), width.saturating_sub(1))
}

/// `value` between `low` and `high` as a whole number from 0 to `most`.
pub(crate) fn share(value: Decimal, low: Decimal, high: Decimal, most: u16) -> u16 {
    let part = || {
        let span = high.checked_sub(low).filter(|span| !span.is_zero())?;
        let part = value.checked_sub(low)?.checked_mul(most.into())?.checked_div(span)?;
        part.round().to_u16()
    };
    part().unwrap_or(most / 2).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_find_their_cells() {
        let price = |text: &str| Price::parse(text).unwrap();
        let range = (price("90"), price("110"));

        assert_eq!(column(price("90"), range, 21), 0);
        assert_eq!(column(price("100"), range, 21), 10);
        assert_eq!(column(price("110"), range, 21), 20);
        assert_eq!(column(price("5"), (price("5"), price("5")), 21), 10);
    }
}
