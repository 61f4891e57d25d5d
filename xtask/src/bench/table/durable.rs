//! The rows of what lasts: commits, a start after a kill, a server over a day.

use super::{Goal, Row, Section, Show, row, section};

const RAW: &str = "the same bytes, fdatasync";
const PAGE: &str = "a page, fdatasync";

pub(super) const SECTIONS: [Section; 3] = [
    section(
        "group",
        "Group commit",
        "Callers that each commit an input with its journal row, a state of 400 bytes and an order, \
         one after the other, each for an account of its own. Beside it: as many callers with the \
         same bytes before a bare file, where what waits is appended at once and brought to the \
         disk; and one caller with a page. Both are measured right before and right behind.",
        &STORE,
    ),
    section(
        "start",
        "A start after a kill",
        "100,000 paper bots in a SQLite file, a hundred on an account. Half of them have an open \
         deal with two resting orders, the others wait for a price. The process that wrote them was \
         killed. From opening the file on.",
        &START,
    ),
    section(
        "serve",
        "A server",
        "The real `tranche serve` beside `tranche simserver`. At rest it has a paper account and no \
         bot; ready is what `/readyz` says. Then a day passes in minutes, with twelve bots: the \
         growth is the slope of the line through its resident memory, without the first two fifths \
         of the day, in which caches fill.",
        &SERVER,
    ),
];

const STORE: [Row; 26] = [
    row("SQLite, one caller: intents in a second", "store/sqlite/1/intent", Show::PerSecond)
        .beside("store/sqlite/1/disk/intent", RAW),
    row("SQLite, one caller: wait, p50", "store/sqlite/1/p50", Show::Nanos)
        .beside("store/sqlite/1/disk/p50", RAW),
    row("SQLite, one caller: wait, p99", "store/sqlite/1/p99", Show::Nanos)
        .beside("store/sqlite/1/disk/p99", RAW)
        .goal(Goal::Times(3.0)),
    row("SQLite, one caller: wait, p99", "store/sqlite/1/p99", Show::Nanos)
        .beside("store/sqlite/1/page/p99", PAGE),
    row("SQLite, 16 callers: intents in a second", "store/sqlite/16/intent", Show::PerSecond)
        .beside("store/sqlite/16/disk/intent", RAW),
    row("SQLite, 16 callers: wait, p50", "store/sqlite/16/p50", Show::Nanos)
        .beside("store/sqlite/16/disk/p50", RAW),
    row("SQLite, 16 callers: wait, p99", "store/sqlite/16/p99", Show::Nanos)
        .beside("store/sqlite/16/disk/p99", RAW)
        .goal(Goal::Times(3.0)),
    row("SQLite, 16 callers: wait, p99", "store/sqlite/16/p99", Show::Nanos)
        .beside("store/sqlite/16/page/p99", PAGE),
    row("SQLite, 128 callers: intents in a second", "store/sqlite/128/intent", Show::PerSecond)
        .beside("store/sqlite/128/disk/intent", RAW),
    row("SQLite, 128 callers: wait, p50", "store/sqlite/128/p50", Show::Nanos)
        .beside("store/sqlite/128/disk/p50", RAW),
    row("SQLite, 128 callers: wait, p99", "store/sqlite/128/p99", Show::Nanos)
        .beside("store/sqlite/128/disk/p99", RAW)
        .goal(Goal::Times(3.0)),
    row("SQLite, 128 callers: wait, p99", "store/sqlite/128/p99", Show::Nanos)
        .beside("store/sqlite/128/page/p99", PAGE),
    row(
        "SQLite, 128 callers: processor time of an intent, callers and all",
        "store/sqlite/128/cpu",
        Show::Nanos,
    ),
    row("PostgreSQL, one caller: intents in a second", "store/postgres/1/intent", Show::PerSecond)
        .beside("store/postgres/1/disk/intent", RAW),
    row("PostgreSQL, one caller: wait, p50", "store/postgres/1/p50", Show::Nanos)
        .beside("store/postgres/1/disk/p50", RAW),
    row("PostgreSQL, one caller: wait, p99", "store/postgres/1/p99", Show::Nanos)
        .beside("store/postgres/1/disk/p99", RAW)
        .goal(Goal::Times(3.0)),
    row("PostgreSQL, one caller: wait, p99", "store/postgres/1/p99", Show::Nanos)
        .beside("store/postgres/1/page/p99", PAGE),
    row("PostgreSQL, 16 callers: intents in a second", "store/postgres/16/intent", Show::PerSecond)
        .beside("store/postgres/16/disk/intent", RAW),
    row("PostgreSQL, 16 callers: wait, p50", "store/postgres/16/p50", Show::Nanos)
        .beside("store/postgres/16/disk/p50", RAW),
    row("PostgreSQL, 16 callers: wait, p99", "store/postgres/16/p99", Show::Nanos)
        .beside("store/postgres/16/disk/p99", RAW)
        .goal(Goal::Times(3.0)),
    row("PostgreSQL, 16 callers: wait, p99", "store/postgres/16/p99", Show::Nanos)
        .beside("store/postgres/16/page/p99", PAGE),
    row(
        "PostgreSQL, 128 callers: intents in a second",
        "store/postgres/128/intent",
        Show::PerSecond,
    )
    .beside("store/postgres/128/disk/intent", RAW),
    row("PostgreSQL, 128 callers: wait, p50", "store/postgres/128/p50", Show::Nanos)
        .beside("store/postgres/128/disk/p50", RAW),
    row("PostgreSQL, 128 callers: wait, p99", "store/postgres/128/p99", Show::Nanos)
        .beside("store/postgres/128/disk/p99", RAW)
        .goal(Goal::Times(3.0)),
    row("PostgreSQL, 128 callers: wait, p99", "store/postgres/128/p99", Show::Nanos)
        .beside("store/postgres/128/page/p99", PAGE),
    row(
        "PostgreSQL, 128 callers: processor time of an intent, callers, server and all",
        "store/postgres/128/cpu",
        Show::Nanos,
    ),
];

const START: [Row; 5] = [
    row("bots", "start/bots", Show::Count),
    row("orders that rest again", "start/resting", Show::Count),
    row("until the file is open", "start/opened", Show::Nanos),
    row("until all accounts are loaded", "start/loaded", Show::Nanos),
    row("until the first decision", "start/decision", Show::Nanos).goal(Goal::Most(3e9)),
];

const SERVER: [Row; 7] = [
    row("from its start until it is ready", "serve/start", Show::Nanos).goal(Goal::Most(5e8)),
    row("memory at rest", "serve/idle", Show::Mebibytes).goal(Goal::Most(60.0 * MEBIBYTE)),
    row("memory at the end of the day", "day/end", Show::Mebibytes),
    row("growth over the day", "day/growth", Show::Mebibytes)
        .beside("day/error", "standard error")
        .goal(Goal::Most(2.0 * MEBIBYTE)),
    row("trades of the market that it took in", "day/ticks", Show::Count),
    row("deals that it opened", "day/deals", Show::Count),
    row("database at the end of the day", "day/database", Show::Mebibytes),
];

const MEBIBYTE: f64 = 1_048_576.0;
