//! Why an account did what it did, out of its journal.

use anyhow::Result;
use tranche_model::{
    ids::{AccountId, BotId, Seq},
    time::Timestamp,
};
use tranche_trading::{codec, why::WhyRecord};

use crate::ground::Ground;

/// Entries of the journal that are read at once, and at most.
const CHUNK: u32 = 500;
const ENTRIES_MAX: u64 = 50_000;

/// The last decisions, oldest first, and since when there are any.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) decisions: Vec<WhyRecord>,
    /// Said when fewer were found than were asked for, because older ones were let go.
    pub(super) since: Option<Timestamp>,
}

/// A bot's, or all of the account.
pub(super) async fn last(
    ground: &Ground,
    account: AccountId,
    (bot, count): (Option<BotId>, usize),
) -> Result<Story> {
    let decisions = decisions(ground, account, (bot, count)).await?;
    let is_cut = decisions.len() < count;
    let since = if is_cut { ground.store.remembers_since(account).await? } else { None };
    Ok(Story { decisions, since })
}

async fn decisions(
    ground: &Ground,
    account: AccountId,
    (bot, count): (Option<BotId>, usize),
) -> Result<Vec<WhyRecord>> {
    let Some((_, head)) = ground.store.standing(account).await? else { return Ok(Vec::new()) };
    let first = head.get().saturating_sub(ENTRIES_MAX);
    let mut story: Vec<WhyRecord> = Vec::new();
    let mut end = head.get().saturating_add(1);
    while first < end && story.len() < count {
        let from = end.saturating_sub(u64::from(CHUNK)).max(first);
        let limit = u32::try_from(end.saturating_sub(from)).unwrap_or(CHUNK);
        let mut chunk = Vec::new();
        for entry in ground.store.journal(account, Seq::new(from), limit).await? {
            let (_, whys) = codec::decode_entry(&entry.row.body)?;
            chunk.extend(whys.into_iter().filter(|why| bot.is_none() || why.bot == bot));
        }
        chunk.append(&mut story);
        story = chunk;
        end = from;
    }
    let surplus = story.len().saturating_sub(count);
    drop(story.drain(..surplus));
    Ok(story)
}
