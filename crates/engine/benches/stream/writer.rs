//! The other process: encodes everything, waits until all is subscribed, and writes.

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use tokio_tungstenite::tungstenite::{Message, accept};

use crate::tape::{INSTRUMENTS, Tape};

/// What is due within this time is one block.
const BLOCK_MICROS: u64 = 5000;
/// Trades and best prices.
const STREAMS: usize = 2 * INSTRUMENTS as usize;

/// Says its port, serves one client, ends when all is written.
pub(crate) fn run(tape: &Tape, speed: u64) {
    let (bytes, blocks) = tape.encode(BLOCK_MICROS);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let (stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    let mut stream = subscribed(stream);
    thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    let mut from = 0;
    for (due, end) in blocks {
        let due = Duration::from_micros(due / speed);
        if let Some(wait) = due.checked_sub(begin.elapsed()) {
            thread::sleep(wait);
        }
        stream.write_all(&bytes[from..end]).unwrap();
        from = end;
    }
    // The client hangs up first.
    thread::sleep(Duration::from_secs(30));
}

/// Acknowledges subscriptions until there are all of them.
fn subscribed(stream: TcpStream) -> TcpStream {
    let mut socket = accept(stream).unwrap();
    let mut streams = 0;
    while streams < STREAMS {
        let Message::Text(text) = socket.read().unwrap() else { continue };
        let request: serde_json::Value = serde_json::from_str(&text).unwrap();
        streams += request["params"].as_array().unwrap().len();
        let answer = serde_json::json!({"result": null, "id": request["id"]});
        socket.send(Message::text(answer.to_string())).unwrap();
    }
    socket.get_ref().try_clone().unwrap()
}
