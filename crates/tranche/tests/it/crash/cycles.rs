//! One life after the other: killed, paused, without room on its disk, put back from a backup.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use crate::patience::Patience;

use super::{
    audit,
    dice::Dice,
    plan::{Fault, Faults},
    process::{self, Process, size},
    tally::{Deed, Finding, Kind},
    world::World,
};

/// The shortest that the program allows: a killed owner is waited for that long.
const LEASE: &str = "--lease 6s";
/// A takeover waits for the end of a lease, and the next attempt comes within a second.
const TAKEOVER_WITHIN: Duration = Duration::from_secs(20);
const SAYS_SO_WITHIN: Duration = Duration::from_secs(40);
const GOES_ON_WITHIN: Duration = Duration::from_mins(1);
/// On a bad line questions fail, and are asked again ever more rarely.
const COMPARED_WITHIN: Duration = Duration::from_secs(150);
const FIRST_ORDER_WITHIN: Duration = Duration::from_millis(1500);
const DEALS_AT_LEAST: usize = 3;
/// No file of a process grows beyond this while its disk fails.
pub(crate) const LITTLE: u64 = 64 * 1024;
/// A disk that can be filled within a moment, and holds the database of a world.
const SMALL_DISK: &str = "size=96m,mode=0700";
/// The ages of backups: two of a moment, then by the exchange's clock.
const AGES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_mins(10),
    Duration::from_hours(3),
    Duration::from_hours(24),
];

/// What the next cycle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cycle {
    Kill,
    Pause,
    Disk,
    Restore,
}

/// Many cycles in one world, and everything compared at the end.
pub(crate) fn live(world: &mut World, cycles: u64, faults: &Faults, mut dice: Dice) {
    let _disk =
        (faults.has(Fault::Disks) && world.database.is_none()).then(|| Disk::mount(world.folder()));
    if world.database.is_some() {
        LEASE.clone_into(&mut world.flags);
    }
    let mut process = world.serve_first();
    world.set_up();
    world.until_trading();
    world.begin_bad_day(faults.has(Fault::Proxy));
    for _ in 0..cycles {
        process = match next(faults, &mut dice) {
            Cycle::Kill => kill(world, process, &mut dice),
            Cycle::Pause => pause(world, process, &mut dice),
            Cycle::Disk => fill(world, process, &mut dice),
            Cycle::Restore => {
                let age = dice.below(AGES.len().try_into().unwrap());
                restore(world, process, AGES[usize::try_from(age).unwrap()], &mut dice)
            }
        };
        world.tally.add(Deed::Cycles);
    }
    // Few cycles may pass without anything that could be compared.
    world.until_deals_closed(DEALS_AT_LEAST, GOES_ON_WITHIN);
    world.settle(&process);
    world.tally.add_many(Deed::Intents, world.intents().try_into().unwrap());
    world.tally.add_many(Deed::DealsClosed, world.deals_closed().try_into().unwrap());
    process.end();
}

/// A world that is put back from a backup of three hours, and nothing else.
pub(crate) fn restore_once(world: &mut World, mut dice: Dice) {
    let process = world.serve_first();
    world.set_up();
    world.until_trading();
    let process = restore(world, process, Duration::from_hours(3), &mut dice);
    world.settle(&process);
    process.end();
}

fn next(faults: &Faults, dice: &mut Dice) -> Cycle {
    match dice.below(12) {
        0 if faults.has(Fault::Pauses) => Cycle::Pause,
        1 if faults.has(Fault::Disks) => Cycle::Disk,
        2 if faults.has(Fault::Restores) => Cycle::Restore,
        _ => Cycle::Kill,
    }
}

/// Lets it trade for a moment of any length, kills it, and starts the next one.
fn kill(world: &mut World, process: Process, dice: &mut Dice) -> Process {
    trade(world, &process, dice);
    bury(world, process);
    world.serve()
}

/// One of five dies while it starts or, on a server, while it waits for the former one's lease. The others
/// live until they have sent an order, and for a moment of any length after it; one whose orders are all of
/// unknown fate sends none for a while.
fn trade(world: &World, process: &Process, dice: &mut Dice) {
    if dice.below(5) == 0 {
        thread::sleep(Duration::from_millis(dice.below(250)));
        return;
    }
    if world.database.is_some() {
        world.until_owner(process.id(), TAKEOVER_WITHIN);
    }
    let _sent = process.wait_for(process::ORDER_SENT, FIRST_ORDER_WITHIN);
    thread::sleep(Duration::from_millis(dice.below(500)));
}

fn bury(world: &World, process: Process) {
    process.kill();
    world.tally.add(Deed::Kills);
    world.check_orders();
}

/// On a server another one takes over while it stands still; on a file nobody may.
fn pause(world: &mut World, process: Process, dice: &mut Dice) -> Process {
    world.tally.add(Deed::Pauses);
    if world.database.is_some() {
        world.until_owner(process.id(), TAKEOVER_WITHIN);
        thread::sleep(Duration::from_millis(dice.below(900)));
        return take_over(world, process);
    }
    // Stopped before it had the file, it would not have it.
    assert!(process.wait_for("tranche serves", GOES_ON_WITHIN), "{}", process.log());
    process.stop();
    let told = world.serve_to_its_end();
    told.refuses(&["in use by process", &process.id().to_string(), "stop that one first"]);
    world.tally.add(Deed::SecondsRefused);
    thread::sleep(Duration::from_millis(dice.below(900)));
    process.send("-CONT");
    thread::sleep(Duration::from_millis(dice.below(500)));
    bury(world, process);
    world.serve()
}

/// The first one stands still for longer than its lease, and wakes up when another has its place.
pub(crate) fn take_over(world: &mut World, first: Process) -> Process {
    first.stop();
    let second = world.serve();
    world.until_owner(second.id(), TAKEOVER_WITHIN);
    let intents = world.intents();
    world.until_intents_above(intents, GOES_ON_WITHIN);

    let sent = first.orders_sent();
    let said = first.wait_for_more("the lease is over", SAYS_SO_WITHIN, || first.send("-CONT"));
    assert!(said, "the first one has to notice: {}", first.log());
    first.sends_no_more_than(sent);
    world.tally.add(Deed::Takeovers);
    bury(world, first);
    second
}

/// There is no room for what is to be committed, or the disk does not take it.
fn fill(world: &mut World, process: Process, dice: &mut Dice) -> Process {
    let is_server = world.database.is_some();
    if is_server {
        world.until_owner(process.id(), TAKEOVER_WITHIN);
    }
    // One that cannot even begin ends, and says why.
    assert!(process.wait_for("tranche serves", GOES_ON_WITHIN), "{}", process.log());
    thread::sleep(Duration::from_millis(300 + dice.below(500)));
    let filler = Disk::is_small(&world.folder()) && dice.below(2) == 0;
    let said = process.wait_for_more("the store failed", SAYS_SO_WITHIN, || {
        if let Some(database) = &world.database {
            assert!(0 < database.fail_disk().unwrap());
        } else if filler {
            Disk::fill(&world.folder());
        } else {
            process.limit(Some(LITTLE));
        }
    });
    assert!(said, "it says so: {}", process.log());
    world.tally.add(if filler { Deed::FullDisks } else { Deed::FailingDisks });
    let process = if dice.below(2) == 0 {
        process.kill();
        world.tally.add(Deed::Kills);
        Disk::make_room(&world.folder());
        world.check_orders();
        world.serve()
    } else {
        Disk::make_room(&world.folder());
        if !is_server {
            process.limit(None);
        }
        process
    };
    let before = world.intents();
    world.until_intents_above(before, GOES_ON_WITHIN);
    process
}

/// A copy from a while ago takes the place of the database, while the exchange knows what came after.
fn restore(world: &mut World, process: Process, age: Duration, dice: &mut Dice) -> Process {
    let number = world.tally.count(Deed::Restores);
    let name = format!("copy-{number}.db");
    let dump = world.database.as_ref().map(|database| database.dump().unwrap());
    if dump.is_none() {
        world.order(&format!("backup {name}"));
    }
    let process = grow_old(world, process, age, dice);
    bury(world, process);

    let lost: BTreeSet<_> = audit::committed(world).into_iter().collect();
    put_back(world, &name, dump);
    let known = audit::deals_known(world);
    let remembered: BTreeSet<_> = audit::committed(world).into_iter().collect();
    let deals = lost.difference(&remembered).map(|id| (id.key().bot, id.key().deal));
    world.past.deals.extend(deals.filter(|deal| !known.contains(deal)));
    world.past.committed.extend(lost);
    world.tally.add(Deed::Restores);
    world.tally.add_many(Deed::BackupHours, age.as_secs() / 3600);

    world.proxy.count_writes();
    let process = world.serve();
    assert!(process.wait_for("tranche serves", GOES_ON_WITHIN), "{}", process.log());
    let until = Patience::of(COMPARED_WITHIN);
    while !process.is_compared() {
        let story = || world.ask("account show ours --story 80").out;
        assert!(
            until.lasts(),
            "not compared: {:?} {:?} {} {}",
            process.health("/status"),
            process.health("/metrics"),
            story(),
            process.log()
        );
        thread::sleep(Duration::from_millis(30));
    }
    thread::sleep(Duration::from_millis(300 + dice.below(1200)));
    let sent = world.proxy.writes();
    if 0 < sent {
        let what = format!("{sent} requests before it was released");
        world.tally.judge(vec![Finding::new(Kind::Sent, what)], &process.log());
    }
    world.order("account release --all");
    let before = world.intents();
    world.until_intents_above(before, GOES_ON_WITHIN);
    world.check_orders();
    process
}

/// Trades on until the backup is this old by the exchange's clock, in several lives.
fn grow_old(world: &mut World, mut process: Process, age: Duration, dice: &mut Dice) -> Process {
    if age <= AGES[1] {
        thread::sleep(age);
        return process;
    }
    let hops = 2 + dice.below(3);
    for _ in 0..hops {
        thread::sleep(Duration::from_millis(400 + dice.below(800)));
        bury(world, process);
        world.pass(age / u32::try_from(hops).unwrap());
        process = world.serve();
        let before = world.intents();
        world.until_intents_above(before, GOES_ON_WITHIN);
    }
    process
}

fn put_back(world: &mut World, name: &str, dump: Option<Vec<u8>>) {
    if let (Some(database), Some(dump)) = (world.database.take(), dump) {
        world.database = Some(database.restored(&dump).unwrap());
        world.order("restore --mark");
        return;
    }
    world.order(&format!("restore {name} --force"));
    // Their room is needed for the next ones.
    fs::remove_file(world.place.path(name)).unwrap();
    for entry in fs::read_dir(world.folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !["tranche.db", "tranche.db-wal", "tranche.db-shm", "tranche.db.lock"].contains(&name) {
            fs::remove_file(path).unwrap();
        }
    }
}

/// A small file system over the folder of a database, where this process may make one.
struct Disk(Option<PathBuf>);

impl Disk {
    fn mount(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SMALL_DISK, "tranche-crash"]).arg(&folder);
        let is_made = mount.output().is_ok_and(|output| output.status.success());
        Self(is_made.then_some(folder))
    }

    fn is_small(folder: &Path) -> bool {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        mounts.contains(&format!("tranche-crash {} ", folder.display()))
    }

    /// Takes all the room that is left.
    fn fill(folder: &Path) {
        let mut file = File::create(folder.join("filler")).unwrap();
        for block in [vec![0; 1 << 20], vec![0; 4096]] {
            while file.write_all(&block).is_ok() {}
        }
        assert!(0 < size(&folder.join("filler")));
    }

    fn make_room(folder: &Path) {
        drop(fs::remove_file(folder.join("filler")));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            drop(Command::new("umount").arg("-l").arg(folder).status());
        }
    }
}
