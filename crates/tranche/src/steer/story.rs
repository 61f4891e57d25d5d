//! Why an account did what it did, out of its journal.

use anyhow::Result;
use tranche_model::ids::{AccountId, BotId, Seq};
use tranche_trading::{codec, why::WhyRecord};

use crate::ground::Ground;

/// Entries of the journal that are read at once, and at most.
const CHUNK: u32 = 500;
const ENTRIES_MAX: u64 = 50_000;

/// The last decisions, oldest first: a bot's, or all of the account.
pub(super) async fn last(
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
