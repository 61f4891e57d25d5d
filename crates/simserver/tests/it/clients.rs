//! Stock clients of others: ccxt, python-binance and Binance's own trade here as they do on the real exchange.
//!
//! They are installed once, below the build's folder. Where Python or the network is not to be had the
//! test says so and ends.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::scene::{BOB, Scene};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/requirements.txt");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/run.py");
/// Looks at a program ten times in a second.
const LOOK: Duration = Duration::from_millis(100);
const INSTALL_LOOKS: u32 = 4000;
const RUN_LOOKS: u32 = 1200;

#[tokio::test]
async fn stock_clients_trade_and_are_refused_as_on_the_real_exchange() {
    let python = match tokio::task::spawn_blocking(python).await.unwrap() {
        Ok(python) => python,
        Err(why) => {
            // Past the capture of the test's output: a skipped test must be seen.
            let mut screen = std::io::stderr();
            writeln!(screen, "SKIPPED: no stock client was tried: {why}").unwrap();
            return;
        }
    };
    for client in ["ccxt", "python-binance", "binance-sdk-spot"] {
        let scene = Scene::new().await;
        let mut command = Command::new(&python);
        command.arg(SCRIPT).arg(client).args([
            format!("http://{}", scene.exchange),
            format!("ws://{}", scene.exchange),
            format!("http://{}", scene.control),
            BOB.to_owned(),
            format!("secret of {BOB}"),
        ]);
        let output = tokio::task::spawn_blocking(move || output(command, RUN_LOOKS));
        let output = output.await.unwrap();
        assert!(output.is_ok(), "{client}: {output:?}");
        let said = output.unwrap();
        assert!(said.contains("all is well"), "{client}: {said}");
        let books = scene.control("GET", "/books", &serde_json::Value::Null).await;
        assert_eq!(books["audit_error"], serde_json::Value::Null);
        scene.running.stop().await;
    }
}

/// The interpreter with the clients; an error says why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stock-clients");
    let interpreter = folder.join("bin").join("python");
    let wanted = fs::read_to_string(REQUIREMENTS).map_err(|error| error.to_string())?;
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
    command.args(["-m", "pip", "install"]).args(options.split_whitespace()).arg(REQUIREMENTS);
    output(command, INSTALL_LOOKS).map_err(|why| format!("pip could not install: {why}"))?;
    fs::write(&mark, wanted).map_err(|error| error.to_string())?;
    Ok(interpreter)
}

/// Runs a program to its end, or ends it; all that it said.
fn output(mut command: Command, looks: u32) -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let said = folder.join(format!("stock-clients-{}.log", std::process::id()));
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
