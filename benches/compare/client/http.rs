//! Requests on connections that stay open, one at a time on each, all from one thread.

use super::Work;
use crate::support::client::{BODY, REQUEST, connect, port};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

struct Client {
    stream: TcpStream,
    /// How long a response is; and how much of the present one is still to come.
    response: usize,
    missing: usize,
}

/// Thousands of requests a second.
pub fn requests(server: Ipv4Addr, connections: usize, span: Duration) -> Work {
    let mut clients: Vec<Client> = (0..connections).map(|_| Client::open(server)).collect();
    let queue = epoll::create(CreateFlags::CLOEXEC).expect("an epoll descriptor");
    for (number, client) in clients.iter().enumerate() {
        epoll::add(&queue, &client.stream, EventData::new_u64(number as u64), EventFlags::IN).expect("a socket");
    }
    let (start, mut done, mut events, mut into) = (Instant::now(), 0u64, Vec::with_capacity(256), vec![0; 64 * 1024]);
    clients.iter_mut().for_each(Client::ask);
    while start.elapsed() < span {
        events.clear();
        let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        let ready = epoll::wait(&queue, spare_capacity(&mut events), Some(&patience)).expect("events");
        assert!(ready > 0, "no response within ten seconds");
        for event in &events {
            let client = &mut clients[event.data.u64() as usize];
            if client.take(&mut into) {
                done += 1;
                client.ask();
            }
        }
    }
    Work { figure: done as f64 / 1e3 / start.elapsed().as_secs_f64(), amount: done as f64 }
}

impl Client {
    fn open(server: Ipv4Addr) -> Client {
        let mut stream = connect(server, port::HTTP);
        let response = first_response(&mut stream);
        stream.set_nonblocking(true).expect("an option");
        Client { stream, response, missing: 0 }
    }

    fn ask(&mut self) {
        self.stream.write_all(REQUEST).expect("room for a request");
        self.missing = self.response;
    }

    /// Reads what is there; true when a response is complete.
    fn take(&mut self, into: &mut [u8]) -> bool {
        match self.stream.read(into) {
            Ok(0) => panic!("the server has closed"),
            Ok(len) => self.missing -= len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("no response: {error}"),
        }
        self.missing == 0
    }
}

/// Reads one response to learn how long they are.
fn first_response(stream: &mut TcpStream) -> usize {
    stream.write_all(REQUEST).expect("a request");
    let (mut response, mut into) = (Vec::new(), [0; 4096]);
    loop {
        let len = stream.read(&mut into).expect("a response");
        assert!(len > 0, "the server has closed");
        response.extend_from_slice(&into[..len]);
        if let Some(header) = response.windows(4).position(|bytes| bytes == b"\r\n\r\n")
            && response.len() == header + 4 + BODY
        {
            return response.len();
        }
    }
}
