//! The demo on a terminal: pictures out, keys in.

use std::time::Duration;

use anyhow::Result;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};
use tranche_trading::event::{CommandBody, KillLevel, Scope};

use super::{
    pace::Pace,
    screen::{self, Desk},
    world::{Reached, World},
};
use crate::console::Stopwatch;

/// The time of one picture, most of it for trading.
const FRAME: Duration = Duration::from_millis(50);

/// Runs until somebody quits, the time is over or the market ends.
pub(super) fn run(world: &mut World, pace: &mut Pace, ends_after: Option<Duration>) -> Result<()> {
    let mut terminal = ratatui::try_init()?;
    let result = show(&mut terminal, world, pace, ends_after);
    ratatui::restore();
    result
}

fn show(
    terminal: &mut DefaultTerminal,
    world: &mut World,
    pace: &mut Pace,
    ends_after: Option<Duration>,
) -> Result<()> {
    let watch = Stopwatch::start();
    let mut desk = Desk { ends_after, ..Desk::default() };
    while ends_after.is_none_or(|end| watch.elapsed() < end) {
        let begun = watch.elapsed();
        let target = pace.target(begun);
        let mut is_over = || FRAME < watch.elapsed().saturating_sub(begun);
        let reached = world.run_until(target, &mut is_over)?;
        pace.settle(world.floor.now());
        terminal.draw(|frame| screen::draw(frame, world, pace, &desk, watch.elapsed()))?;
        let spent = watch.elapsed().saturating_sub(begun);
        let wait = FRAME.saturating_sub(spent);
        if !take_keys(world, pace, &mut desk, wait)? || reached == Reached::End {
            break;
        }
    }
    Ok(())
}

/// `false` when somebody wants to quit.
fn take_keys(world: &mut World, pace: &mut Pace, desk: &mut Desk, wait: Duration) -> Result<bool> {
    let mut wait = wait;
    while event::poll(wait)? {
        wait = Duration::ZERO;
        let Event::Key(key) = event::read()? else { continue };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Ok(false);
        }
        if !press(key.code, world, pace, desk)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn press(key: KeyCode, world: &mut World, pace: &mut Pace, desk: &mut Desk) -> Result<bool> {
    if std::mem::take(&mut desk.asks_to_close) {
        if key == KeyCode::Char('y') {
            world.command_all(&CommandBody::Kill { level: KillLevel::CloseAll })?;
        }
        return Ok(true);
    }
    if let KeyCode::Char(letter) = key {
        match letter {
            'q' => return Ok(false),
            ' ' => pace.paused = !pace.paused,
            '+' | '=' => pace.faster(),
            '-' => pace.slower(),
            'p' => world.command_all(&CommandBody::PauseEntries { scope: Scope::Account })?,
            'r' => {
                world.command_all(&CommandBody::Rearm)?;
                world.command_all(&CommandBody::Resume { scope: Scope::Account })?;
            }
            'c' => desk.asks_to_close = true,
            _ => {}
        }
    }
    let bots = world.floor.accounts().into_iter().map(|account| account.bots.len()).sum::<usize>();
    if key == KeyCode::Tab || key == KeyCode::Down {
        desk.selected = (desk.selected + 1) % bots.max(1);
    } else if key == KeyCode::BackTab || key == KeyCode::Up {
        desk.selected = desk.selected.checked_sub(1).unwrap_or_else(|| bots.saturating_sub(1));
    }
    Ok(true)
}
