//! The options of `tranche simulate`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tranche simulate --bot-years 20
  tranche simulate --bot-years 1000 --seed 7 --json
  tranche simulate --bot-years 5 --faults none
  tranche simulate --bot-years 5 --faults response_lost,kill_after_send
  tranche simulate --seed 94 --days 12 --only-acts 3,17 --only-minutes 500-520

Each seed is a world of ten bots on a simulated exchange, with the real engine's decisions and faults \
of up to sixty-one kinds. docs/reliability.md says what must hold all the same, and a name that --faults \
does not know is answered with all that it knows. In \
about every sixteenth world everything passes as the exchange's text, with secrets planted in it that \
must be told nowhere; `wire_worlds` and `wire_events` in the line of JSON count them.

A world that fails is made smaller, and the command that shows it again is printed. The exit code is 0 \
only if nothing was violated, the seeds that were run twice left the same trace, and a run of 200 \
bot-years with all faults reached every rare state that it should.")]
pub(crate) struct SimulateTask {
    /// How many years of bots to live through, on all cores
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) bot_years: u32,
    /// The first seed; the others follow it
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// `all` (each seed has its own part of them), `none`, or names with commas
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub(crate) faults: String,
    /// Days of each world; 36 are one year of a bot, with ten bots
    #[arg(long, value_name = "NUMBER", default_value_t = 36, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    /// Print one line of JSON at the end
    #[arg(long)]
    pub(crate) json: bool,
    /// One world, with these faults of its plan and no others, such as 3,17-20
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) only_acts: Option<String>,
    /// One world, in which the market moves only in these minutes
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) only_minutes: Option<String>,
    /// One world, with these bots of its plan
    #[arg(long, value_name = "NUMBERS")]
    pub(crate) only_bots: Option<String>,
}
