//! A line to a server that can break.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::PostgresDatabase;

/// Carries what clients say to the server's socket, and its answers back.
#[derive(Debug)]
pub struct Line {
    port: u16,
    name: String,
    is_cut: Arc<AtomicBool>,
}

/// How it breaks, once it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// At a message that begins with this, before the server has it.
    Before(&'static [u8]),
    /// When the server has answered it.
    Behind(&'static [u8]),
    /// When the next byte is sent, and neither side hears of it: nothing passes any more, also when the cut is
    /// over. New connections work then.
    Forgotten,
}

const CHUNK: usize = 16 * 1024;

impl Line {
    /// A line to the server of this database, at a free port of this machine.
    ///
    /// # Errors
    ///
    /// When there is no port.
    pub fn new(database: &PostgresDatabase, how: Cut) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let (told, server) = (Arc::clone(&is_cut), database.socket());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, is_cut): (PathBuf, _) = (server.clone(), Arc::clone(&told));
                thread::spawn(move || carry(client, &server, how, &is_cut));
            }
        });
        Ok(Self { port, name: database.name().to_owned(), is_cut })
    }

    /// Of the database, over this line.
    pub fn url(&self) -> String {
        let Self { port, name, .. } = self;
        format!("postgres://{}@127.0.0.1:{port}/{name}?sslmode=disable", super::SUPERUSER)
    }

    /// From now on it breaks, or no line breaks any more.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

/// Carries bytes both ways until one side ends, or until it breaks.
fn carry(mut client: TcpStream, server: &Path, how: Cut, is_cut: &AtomicBool) -> io::Result<()> {
    let mut server = UnixStream::connect(server)?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = Arc::clone(&is_silent);
    thread::spawn(move || -> io::Result<()> {
        let mut bytes = vec![0; CHUNK];
        loop {
            let said = read(&mut answers, &mut bytes)?;
            if said.is_empty() || silent.load(Ordering::SeqCst) {
                // The server has answered: only now the line breaks.
                return back.shutdown(Shutdown::Both);
            }
            back.write_all(said)?;
        }
    });
    let mut bytes = vec![0; CHUNK];
    loop {
        let said = read(&mut client, &mut bytes)?;
        if said.is_empty() {
            return server.shutdown(Shutdown::Both);
        }
        if is_cut.load(Ordering::SeqCst) {
            match how {
                Cut::Before(end) if said.starts_with(end) => {
                    server.shutdown(Shutdown::Both)?;
                    return client.shutdown(Shutdown::Both);
                }
                Cut::Behind(end) if said.starts_with(end) => {
                    is_silent.store(true, Ordering::SeqCst);
                }
                Cut::Forgotten => return swallow(client, &mut bytes),
                Cut::Before(_) | Cut::Behind(_) => {}
            }
        }
        server.write_all(said)?;
    }
}

/// Takes what is sent, and does nothing with it, until the client ends.
fn swallow(mut client: TcpStream, bytes: &mut [u8]) -> io::Result<()> {
    while !read(&mut client, bytes)?.is_empty() {}
    Ok(())
}

fn read<'a>(from: &mut impl io::Read, bytes: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let count = from.read(bytes)?;
    Ok(bytes.get(..count).unwrap_or_default())
}
