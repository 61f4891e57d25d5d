//! The picture of the demo.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};
use tranche_model::{instrument::Instrument, money::Quote};

use super::{
    bar,
    pace::Pace,
    view::{self, BotView, DealView, State},
    words,
    world::World,
};

/// The columns before a deal's line, and those behind it.
const NAME_WIDTH: u16 = 24;
const RESULT_WIDTH: u16 = 17;
/// Bots that are shown at once when the screen is small.
const BOTS_MIN: u16 = 3;
const FILLS_WIDTH: u16 = 36;
/// From here on decisions name their bot in full.
const WIDE: u16 = 110;
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What the person in front of the screen did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Desk {
    pub(crate) selected: usize,
    /// Waits for a `y`.
    pub(crate) asks_to_close: bool,
    pub(crate) ends_after: Option<Duration>,
}

pub(crate) fn draw(
    frame: &mut Frame<'_>,
    world: &World,
    pace: &Pace,
    desk: &Desk,
    elapsed: Duration,
) {
    let bots = view::bots(world);
    let area = frame.area();
    let markets = lines_of(world.floor.instruments().len());
    let spare = area.height.saturating_sub(2 + markets + 1 + 1 + 3 + 1 + 5);
    let rows = lines_of(bots.len()).min(spare.max(BOTS_MIN));
    let [head, prices, deals, detail, logs, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(markets + 1),
        Constraint::Length(rows + 1),
        Constraint::Length(4),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(header(world, pace, desk, elapsed)), head);
    draw_prices(frame, prices, world);
    draw_deals(frame, deals, &bots, desk.selected);
    draw_detail(frame, detail, bots.get(desk.selected), &words::quote_of(world));
    draw_logs(frame, logs, world);
    frame.render_widget(Paragraph::new(keys(desk, pace)), foot);
}

fn lines_of(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn header(world: &World, pace: &Pace, desk: &Desk, elapsed: Duration) -> Vec<Line<'static>> {
    let now = world.floor.now();
    let tally = world.tally;
    let mut first = vec![
        " Tranche demo ".bold().black().on_cyan(),
        format!(" {} UTC · {} traded", words::minute(now), words::span(world.start, now)).into(),
        format!(" · speed {}×", pace.speed).into(),
    ];
    if pace.paused {
        first.push(" PAUSED".bold().magenta());
    } else if pace.lags {
        first.push(" slower".magenta());
    }
    if let Some(end) = desk.ends_after {
        first.push(format!(" · {} s left", end.saturating_sub(elapsed).as_secs()).into());
    }
    let books = match world.violations.len() {
        0 => "books balance".green(),
        count => format!("{count} VIOLATIONS").bold().red(),
    };
    let second = vec![
        " profit ".into(),
        money(tally.profit),
        format!(" {} · {} deals closed", words::quote_of(world), tally.deals_closed).into(),
        format!(" · {} fills · {} restarts · ", tally.fills, tally.restarts).into(),
        books,
    ];
    vec![Line::from(first), Line::from(second)]
}

fn money(quote: Quote) -> Span<'static> {
    let color = if quote.is_negative() { Color::Red } else { Color::Green };
    Span::styled(words::signed(quote), Style::new().fg(color).bold())
}

fn titled(title: &str) -> Block<'static> {
    Block::new()
        .borders(Borders::TOP)
        .border_style(Style::new().dark_gray())
        .title(Span::styled(format!(" {title} "), Style::new().gray()))
}

fn draw_prices(frame: &mut Frame<'_>, area: Rect, world: &World) {
    let instruments = world.floor.instruments();
    let width = usize::from(area.width.saturating_sub(32));
    let lines = instruments.iter().map(|instrument| price_line(world, instrument, width));
    let lines = lines.collect::<Vec<_>>();
    let title = format!("Prices: {}", world.source);
    frame.render_widget(Paragraph::new(lines).block(titled(&title)), area);
}

fn price_line(world: &World, instrument: &Instrument, width: usize) -> Line<'static> {
    let curve = world.curves.get(&instrument.id).map(|curve| &curve.prices);
    let shown: Vec<_> = curve.into_iter().flatten().rev().take(width).copied().collect();
    let (low, high) = (shown.iter().min(), shown.iter().max());
    let mut spans = vec![
        format!(" {:<9}", instrument.symbol.to_string()).bold(),
        format!("{:>11} ", words::price_or(shown.first().copied())).white(),
    ];
    let (Some(low), Some(high)) = (low, high) else { return Line::from(spans) };
    let change = shown.last().zip(shown.first()).and_then(|(then, now)| {
        let share = now.get().checked_sub(then.get())?.checked_div(then.get())?;
        share.checked_mul(rust_decimal::Decimal::ONE_HUNDRED)
    });
    let change = change.unwrap_or_default().round_dp(2);
    let color = if change.is_sign_negative() { Color::Red } else { Color::Green };
    spans.push(Span::styled(format!("{change:>+7.2} % "), Style::new().fg(color)));
    let spark = |price: &tranche_model::money::Price| {
        let place = bar::share(price.get(), low.get(), high.get(), 7);
        SPARKS.get(usize::from(place)).copied().unwrap_or(' ')
    };
    spans
        .push(Span::styled(shown.iter().rev().map(spark).collect::<String>(), Style::new().cyan()));
    Line::from(spans)
}

fn draw_deals(frame: &mut Frame<'_>, area: Rect, bots: &[BotView], selected: usize) {
    let rows = usize::from(area.height.saturating_sub(1));
    // The selected one stays in sight.
    let first = selected.saturating_sub(rows.saturating_sub(1));
    let shown = bots.iter().enumerate().skip(first).take(rows);
    let lines = shown.map(|(place, bot)| bot_line(bot, place == selected, area.width));
    let title = if rows < bots.len() {
        format!("Deals of bots {} to {} of {}", first + 1, first + rows, bots.len())
    } else {
        "Deals: ✖ stop loss  ▼ buys more  ┼ breaks even  ▲ sells  ● price".to_owned()
    };
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(titled(&title)), area);
}

fn bot_line(bot: &BotView, is_selected: bool, width: u16) -> Line<'static> {
    let mark = if is_selected { "▸" } else { " " };
    let name = format!("{mark}{:<12.12} {:<9.9} ", bot.name, bot.symbol);
    let style = if is_selected { Style::new().bold().cyan() } else { Style::new() };
    let mut spans = vec![Span::styled(name, style)];
    match &bot.state {
        State::Idle(reason) => spans.push(Span::styled(reason.clone(), Style::new().dark_gray())),
        State::Open(deal) => {
            spans.extend(bar::cells(deal, width.saturating_sub(NAME_WIDTH + RESULT_WIDTH)));
            let (done, most) = deal.safety_orders;
            spans.push(format!(" {:>5} ", format!("{done}/{most}")).dark_gray());
            let unrealised = deal.unrealised.unwrap_or_default();
            let color = if unrealised.is_negative() { Color::Red } else { Color::Green };
            let result = format!("{:>9}", words::signed(unrealised));
            spans.push(Span::styled(result, Style::new().fg(color)));
        }
    }
    Line::from(spans)
}

fn draw_detail(frame: &mut Frame<'_>, area: Rect, bot: Option<&BotView>, quote: &str) {
    let Some(bot) = bot else { return };
    let mut lines = vec![Line::from(vec![
        format!(" {} closed deals, realised ", bot.deals_closed).into(),
        money(bot.profit),
        format!(" {quote}").into(),
    ])];
    match &bot.state {
        State::Idle(reason) => lines.push(Line::from(format!(" no open deal: {reason}"))),
        State::Open(deal) => lines.extend(deal_lines(deal, quote)),
    }
    let title = format!("Bot {} on {}", bot.name, bot.symbol);
    frame.render_widget(Paragraph::new(lines).block(titled(&title)), area);
}

fn deal_lines(deal: &DealView, quote: &str) -> [Line<'static>; 2] {
    let (done, most) = deal.safety_orders;
    let spent = deal.spent.unwrap_or_default().get().round_dp(2).normalize();
    let prices = vec![
        "✖ ".red(),
        format!("stop {}  ", words::price_or(deal.stop)).into(),
        "▼ ".light_blue(),
        format!("buys {}  ", words::price_or(deal.next_safety)).into(),
        "┼ ".yellow(),
        format!("even {}  ", words::price_or(deal.break_even)).into(),
        "▲ ".green(),
        format!("sells {}", words::price_or(deal.take_profit)).into(),
    ];
    let mut prices = prices;
    prices.insert(0, " ".into());
    let state = format!(
        " deal {} {}, {done} of {most} safety orders, {spent} {quote} spent, ● {}",
        deal.no,
        deal.phase,
        words::price(deal.price)
    );
    [Line::from(prices), Line::from(state)]
}

fn draw_logs(frame: &mut Frame<'_>, area: Rect, world: &World) {
    let [left, right] =
        Layout::horizontal([Constraint::Length(FILLS_WIDTH), Constraint::Min(0)]).areas(area);
    let is_wide = WIDE <= area.width;
    let instruments = world.floor.instruments();
    let fills = world.fills.iter().take(usize::from(left.height));
    let fills = fills.map(|row| Line::from(format!(" {}", words::fill(row, instruments))));
    frame.render_widget(Paragraph::new(fills.collect::<Vec<_>>()).block(titled("Fills")), left);
    let whys = world.whys.iter().take(usize::from(right.height));
    let whys = whys.map(|record| Line::from(words::why(record, is_wide)));
    frame.render_widget(Paragraph::new(whys.collect::<Vec<_>>()).block(titled("Why")), right);
}

fn keys(desk: &Desk, pace: &Pace) -> Line<'static> {
    if desk.asks_to_close {
        return Line::from(" Sell everything at market? y yes, any other key no ".bold().on_red());
    }
    let space = if pace.paused { "go on" } else { "pause" };
    let keys = [
        ("q", "quit"),
        ("space", space),
        ("+-", "speed"),
        ("tab", "bot"),
        ("p", "pause entries"),
        ("r", "resume"),
        ("c", "close all"),
    ];
    let spans = keys.into_iter().flat_map(|(key, what)| {
        [Span::styled(format!(" {key}"), Style::new().bold().cyan()), format!(" {what} ").into()]
    });
    Line::from(spans.collect::<Vec<_>>())
}
