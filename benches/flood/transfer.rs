//! The bulk transfer that goes on all the time.

use crate::Bulk;
use crate::support::SERVER;
use crate::support::client::{connect, port};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const CHUNK: usize = 256 * 1024;

/// A thread that moves as much as it can.
pub struct Transfer(Arc<AtomicU64>);

impl Transfer {
    pub fn begin(bulk: Bulk) -> Transfer {
        let bytes = Arc::new(AtomicU64::new(0));
        let theirs = bytes.clone();
        let run: fn(TcpStream, &AtomicU64) = match bulk {
            Bulk::In => send,
            Bulk::Out => receive,
            Bulk::None => return Transfer(bytes),
        };
        let stream = connect(SERVER, if bulk == Bulk::In { port::DISCARD } else { port::SOURCE });
        std::thread::spawn(move || run(stream, &theirs));
        Transfer(bytes)
    }

    /// How many bytes have been moved so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn send(mut stream: TcpStream, bytes: &AtomicU64) {
    let chunk = vec![7; CHUNK];
    loop {
        let len = stream.write(&chunk).expect("the stack takes it");
        bytes.fetch_add(len as u64, Ordering::Relaxed);
    }
}

fn receive(mut stream: TcpStream, bytes: &AtomicU64) {
    let mut into = vec![0; CHUNK];
    loop {
        let len = stream.read(&mut into).expect("the stack gives it");
        assert!(len > 0, "the stack has closed the transfer");
        bytes.fetch_add(len as u64, Ordering::Relaxed);
    }
}
