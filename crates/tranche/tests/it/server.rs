//! A simulated exchange for one test: the real binary, ended when the test ends.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use super::place::{Place, Told};

/// The key and the secret of the account.
pub(crate) const KEY: &str = "me-and-nobody-else";
pub(crate) const SECRET: &str = "play-money-secret";

pub(crate) struct Server {
    child: Child,
    pub(crate) rest: String,
    pub(crate) control: String,
}

impl Server {
    /// Starts on free ports, with a market that goes on for ever.
    pub(crate) fn start(place: &Place, flags: &str) -> Self {
        Self::start_line(
            place,
            &format!("--market generated --speed 60 --key {KEY} --secret {SECRET} {flags}"),
        )
    }

    pub(crate) fn start_line(place: &Place, flags: &str) -> Self {
        Self::start_at(place, "127.0.0.1:0", flags)
    }

    pub(crate) fn start_at(place: &Place, listen: &str, flags: &str) -> Self {
        let mut command = place.command(&format!("simserver --listen {listen} {flags}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut value = |name: &str| {
            let line = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(name));
            let line = line.unwrap_or_else(|| panic!("the server does not tell its {name}"));
            line.split_whitespace().last().unwrap().to_owned()
        };
        let (rest, control) = (value("rest"), value("control"));
        Self { child, rest, control }
    }

    /// The flags that point a client here.
    pub(crate) fn flags(&self) -> String {
        let socket = self.rest.replace("http:", "ws:");
        let Self { rest, .. } = self;
        format!("--rest {rest} --market-socket {socket} --api-socket {socket}/ws-api/v3")
    }

    pub(crate) fn address(&self) -> &str {
        self.rest.strip_prefix("http://").unwrap()
    }

    /// What the control address answers.
    pub(crate) fn control(&self, path: &str, body: &str) -> String {
        let host = self.control.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    /// What the control address shows.
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let host = self.control.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(mut self, signal: &str) -> Told {
        send(signal, self.child.id());
        let code = self.child.wait().unwrap().code();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Told { code, out: String::new(), err }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn send(signal: &str, process: u32) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(status.success());
}
