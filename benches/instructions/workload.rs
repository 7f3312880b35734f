//! What is counted, and by what it is divided.

use crate::pair::{OURS, Pair};
use std::net::SocketAddr;
use std::time::Duration;
use strata::stack::SocketId;
use strata::tcp::Config;

/// As `benches/compare` asks for it.
const REQUEST: usize = 64;
const RESPONSE: usize = 1024 + 80;
/// Done before anything is counted: buffers have grown, the neighbour is known.
const WARM_UP: u64 = 500;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// A frame that brings data, and the acknowledgement; read in place.
    FrameIn { offload: bool },
    /// A frame that takes data, and what hears of its acknowledgement; handed over.
    FrameOut { offload: bool },
    /// A request that comes, and its answer, on a connection of 32.
    Request,
    /// The same beside so many idle connections.
    RequestBeside(usize),
    /// A connection that is opened, asks once, and is closed by us.
    Connection,
    /// A datagram, and its echo.
    Datagram,
}

impl Workload {
    pub const ALL: [Workload; 8] = [
        Workload::FrameIn { offload: true },
        Workload::FrameIn { offload: false },
        Workload::FrameOut { offload: true },
        Workload::FrameOut { offload: false },
        Workload::Request,
        Workload::RequestBeside(10_000),
        Workload::Connection,
        Workload::Datagram,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Workload::FrameIn { offload: true } => "super-frame-in",
            Workload::FrameIn { offload: false } => "plain-frame-in",
            Workload::FrameOut { offload: true } => "super-frame-out",
            Workload::FrameOut { offload: false } => "plain-frame-out",
            Workload::Request => "request",
            Workload::RequestBeside(_) => "request-beside-10000",
            Workload::Connection => "connection",
            Workload::Datagram => "datagram",
        }
    }

    /// Runs it; gives how many units were counted.
    pub fn run(self) -> u64 {
        match self {
            Workload::FrameIn { offload } => frames_in(offload),
            Workload::FrameOut { offload } => frames_out(offload),
            Workload::Request => requests(0),
            Workload::RequestBeside(idle) => requests(idle),
            Workload::Connection => connections(),
            Workload::Datagram => datagrams(),
        }
    }
}

fn frames_in(offload: bool) -> u64 {
    let mut pair = Pair::new(offload);
    let listener = pair.ours(|stack, _| stack.tcp_listen(OURS, 8, Config::default())).expect("a free port");
    let (theirs, ours) = pair.connect(listener);
    let data = vec![7; 1 << 20];
    let mut began = 0;
    for round in 0..2 * WARM_UP {
        if round == WARM_UP {
            (pair.counting, began) = (true, pair.frames.0);
        }
        let now = pair.now;
        let _full = pair.peer.tcp_send(now, theirs, &data);
        if !pair.exchange().is_empty() {
            pair.ours(|stack, _| while stack.tcp_receive_with(ours, |bytes| (bytes.len(), ())).is_ok() {});
        }
        pair.flush();
    }
    pair.frames.0 - began
}

fn frames_out(offload: bool) -> u64 {
    let mut pair = Pair::new(offload);
    let listener = pair.ours(|stack, _| stack.tcp_listen(OURS, 8, Config::default())).expect("a free port");
    let (theirs, ours) = pair.connect(listener);
    // Full frames, with timestamps in their headers.
    let data = bytes::Bytes::from(vec![7; 4 * 45 * 1448]);
    let (mut began, mut into) = (0, vec![0; 1 << 20]);
    for round in 0..2 * WARM_UP {
        if round == WARM_UP {
            (pair.counting, began) = (true, pair.frames.1);
        }
        pair.ours(|stack, now| stack.tcp_send_bytes(now, ours, &mut data.clone())).ok();
        pair.flush();
        while pair.peer.tcp_receive(theirs, &mut into).is_ok() {}
        pair.exchange();
    }
    pair.frames.1 - began
}

fn requests(idle: usize) -> u64 {
    let mut pair = Pair::new(true);
    let listener = pair.ours(|stack, _| stack.tcp_listen(OURS, 64, Config::default())).expect("a free port");
    let connections: Vec<_> = (0..32 + idle).map(|_| pair.connect(listener)).collect();
    let (response, mut into) = ([7; RESPONSE], [0; 4 * RESPONSE]);
    for round in 0..2 * WARM_UP {
        pair.counting = round >= WARM_UP;
        let (theirs, _) = connections[(round as usize * 7919) % 32];
        let now = pair.now;
        pair.peer.tcp_send(now, theirs, &[7; REQUEST]).expect("room for a request");
        for socket in pair.exchange() {
            let SocketId::Tcp(ours) = socket else { continue };
            pair.ours(|stack, now| {
                let mut request = [0; REQUEST];
                if stack.tcp_receive(ours, &mut request) == Ok(REQUEST) {
                    stack.tcp_send(now, ours, &response).expect("room for a response");
                }
            });
        }
        pair.flush();
        assert_eq!(pair.peer.tcp_receive(theirs, &mut into), Ok(RESPONSE));
    }
    WARM_UP
}

fn connections() -> u64 {
    let mut pair = Pair::new(true);
    let listener = pair.ours(|stack, _| stack.tcp_listen(OURS, 64, Config::default())).expect("a free port");
    let (response, mut into) = ([7; RESPONSE], [0; 4 * RESPONSE]);
    for round in 0..2 * WARM_UP {
        pair.counting = round >= WARM_UP;
        let (theirs, ours) = pair.connect(listener);
        let now = pair.now;
        pair.peer.tcp_send(now, theirs, &[7; REQUEST]).expect("room for a request");
        pair.exchange();
        pair.ours(|stack, now| {
            assert_eq!(stack.tcp_receive(ours, &mut [0; REQUEST]), Ok(REQUEST));
            stack.tcp_send(now, ours, &response).expect("room for a response");
            stack.tcp_close(now, ours);
        });
        pair.flush();
        assert_eq!(pair.peer.tcp_receive(theirs, &mut into), Ok(RESPONSE));
        let now = pair.now;
        pair.peer.tcp_close(now, theirs);
        pair.exchange();
        pair.flush();
    }
    WARM_UP
}

fn datagrams() -> u64 {
    let mut pair = Pair::new(true);
    let ours = pair.ours(|stack, _| stack.udp_bind(OURS)).expect("a free port");
    let from = SocketAddr::from(([192, 0, 2, 1], 0));
    let theirs = pair.peer.udp_bind(from).expect("a free port");
    for round in 0..2 * WARM_UP {
        pair.counting = round >= WARM_UP;
        let now = pair.now;
        pair.peer.udp_send(now, theirs, Some(OURS), &[7; REQUEST]).expect("room for a datagram");
        pair.exchange();
        pair.ours(|stack, now| {
            let mut into = [0; REQUEST];
            if let Ok((len, source)) = stack.udp_receive(ours, &mut into) {
                stack.udp_send(now, ours, Some(source), &into[..len]).expect("room for a datagram");
            }
        });
        pair.flush();
        if round == 0 {
            // The first waits for the neighbour's address.
            pair.pass(Duration::from_millis(1));
        }
    }
    WARM_UP
}
