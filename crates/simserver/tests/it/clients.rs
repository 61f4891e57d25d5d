//! Stock clients of others: ccxt, python-binance and Binance's own trade here as they do on the real exchange.
//!
//! They are installed once, below the build's folder. Where Python or the network is not to be had the
//! test says so and ends.

use std::{io::Write as _, process::Command};

use crate::{
    python,
    scene::{BOB, Scene},
};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/requirements.txt");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/run.py");

#[tokio::test]
async fn stock_clients_trade_and_are_refused_as_on_the_real_exchange() {
    let install = || python::with("stock-clients", REQUIREMENTS);
    let python = match tokio::task::spawn_blocking(install).await.unwrap() {
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
        let output = tokio::task::spawn_blocking(move || python::run(command));
        let output = output.await.unwrap();
        assert!(output.is_ok(), "{client}: {output:?}");
        let said = output.unwrap();
        assert!(said.contains("all is well"), "{client}: {said}");
        let books = scene.control("GET", "/books", &serde_json::Value::Null).await;
        assert_eq!(books["audit_error"], serde_json::Value::Null);
        scene.running.stop().await;
    }
}
