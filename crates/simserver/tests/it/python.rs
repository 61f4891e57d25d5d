//! Python with libraries of others, installed once below the build's folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Looks at a program ten times in a second.
const LOOK: Duration = Duration::from_millis(100);
const INSTALL_LOOKS: u32 = 4000;
const RUN_LOOKS: u32 = 1200;

/// An interpreter with what a file of requirements lists, installed once into a folder of this name; an
/// error says why there is none.
pub(crate) fn with(name: &str, requirements: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let interpreter = folder.join("bin").join("python");
    let wanted = fs::read_to_string(requirements).map_err(|error| error.to_string())?;
    let mark = folder.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(interpreter);
    }
    let mut command = Command::new("python3");
    command.args(["-m", "venv", "--clear"]).arg(&folder);
    output(command, INSTALL_LOOKS).map_err(|why| format!("no virtual environment: {why}"))?;
    let mut command = Command::new(&interpreter);
    let options = "--quiet --no-input --disable-pip-version-check --retries 1 --timeout 15 \
        --only-binary :all: --requirement";
    command.args(["-m", "pip", "install"]).args(options.split_whitespace()).arg(requirements);
    output(command, INSTALL_LOOKS).map_err(|why| format!("pip could not install: {why}"))?;
    fs::write(&mark, wanted).map_err(|error| error.to_string())?;
    Ok(interpreter)
}

/// Runs a program to its end, or ends it after two minutes; all that it said.
pub(crate) fn run(command: Command) -> Result<String, String> {
    output(command, RUN_LOOKS)
}

fn output(mut command: Command, looks: u32) -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let said = folder.join(format!("python-{}.log", std::process::id()));
    let log = fs::File::create(&said).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let ended = wait(&mut child, looks);
    let text = fs::read_to_string(&said).unwrap_or_default();
    fs::remove_file(&said).map_err(|error| error.to_string())?;
    match ended {
        Some(true) => Ok(text),
        Some(false) => Err(text),
        None => Err(format!("it did not end in time\n{text}")),
    }
}

/// Whether it ended well; `None` when it had to be ended.
fn wait(child: &mut Child, looks: u32) -> Option<bool> {
    for _ in 0..looks {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.success());
        }
        std::thread::sleep(LOOK);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
