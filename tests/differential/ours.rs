//! A script against our own stack, in virtual time.

use crate::facts::{Facts, Watcher};
use crate::peer::{END, END_MAC, PEER, Peer, Reply, answer_arp, segment_in};
use crate::script::{Call, Role, Script, Step};
use crate::{STEP, Trace, checksum_of, settled};
use std::net::SocketAddr;
use strata::event::CloseReason;
use strata::frame::{Offload, Received};
use strata::stack::{self, ListenerId, Stack, TcpId};
use strata::tcp::congestion::Algorithm;
use strata::tcp::{self, LossRecovery, ReceiveError, SendError};
use strata::time::Instant;

struct Ours {
    stack: Stack,
    now: Instant,
    listener: Option<ListenerId>,
    socket: Option<TcpId>,
    closed: bool,
    replies: Vec<Reply>,
    watcher: Watcher,
}

/// As the kernel is set up: see `kernel::SETTINGS`.
fn tcp_config() -> tcp::Config {
    tcp::Config {
        receive_buffer: 64 * 1024,
        min_rto: STEP * 14,
        congestion: Algorithm::RENO,
        recovery: LossRecovery { rack: false, tlp: false, ..LossRecovery::default() },
        ..tcp::Config::default()
    }
}

/// Gives what was said, and what was known before each step and after the last.
pub fn run(script: &Script, mut peer: Peer) -> (Trace, Vec<Facts>) {
    let config = stack::Config {
        mac: END_MAC,
        addresses: vec!["192.0.2.1/24".parse().expect("a prefix")],
        tcp: tcp_config(),
        ..stack::Config::default()
    };
    let mut end = Ours {
        stack: Stack::new(config, script.seed),
        now: Instant::from_secs(1000),
        listener: None,
        socket: None,
        closed: false,
        replies: Vec::new(),
        watcher: Watcher::new(),
    };
    end.stack.set_observer(Some(Box::new(end.watcher.clone())));
    end.stack.start(end.now);
    end.wait();
    let (mut trace, mut facts) = (Trace::new(), Vec::new());
    for step in &script.steps {
        facts.push(peer.facts(end.watcher.state(), step));
        trace.push(end.step(script, &mut peer, step));
    }
    facts.push(peer.facts(end.watcher.state(), &Step::Wait));
    (trace, facts)
}

impl Ours {
    fn step(&mut self, script: &Script, peer: &mut Peer, step: &Step) -> Vec<String> {
        self.replies.clear();
        let result = match step {
            Step::Segment(segment) => {
                let bytes = peer.frame(segment);
                self.stack.handle_frame(self.now, Received { bytes: &bytes, offload: Offload::default() });
                None
            }
            Step::Call(call) => Some(self.call(script.role, peer, *call)),
            Step::Wait => None,
        };
        self.wait();
        settled(result, peer, &self.replies)
    }

    fn drain(&mut self) {
        while let Some(frame) = self.stack.poll_transmit(self.now) {
            let bytes = frame.to_vec();
            if let Some(answer) = answer_arp(&bytes) {
                self.stack.handle_frame(self.now, Received { bytes: &answer, offload: Offload::default() });
            }
            self.replies.extend(segment_in(&bytes));
        }
    }

    fn wait(&mut self) {
        let end = self.now + STEP;
        self.drain();
        while let Some(next) = self.stack.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.stack.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn call(&mut self, role: Role, peer: &Peer, call: Call) -> String {
        let local = SocketAddr::from((END, peer.ports.end));
        let config = self.stack.config().tcp.clone();
        if call == Call::Open {
            match role {
                Role::Passive => self.listener = Some(self.stack.tcp_listen(local, 16, config).expect("a free port")),
                Role::Active => {
                    let remote = SocketAddr::from((PEER, peer.ports.peer));
                    let socket = self.stack.tcp_connect(self.now, remote, Some(local), config);
                    self.socket = Some(socket.expect("a free port"));
                }
            }
            return "opened".into();
        }
        if self.socket.is_none() && !self.closed {
            self.socket = self.listener.and_then(|listener| self.stack.tcp_accept(listener));
        }
        let Some(socket) = self.socket else { return "no connection".into() };
        self.call_on(socket, call)
    }

    fn call_on(&mut self, socket: TcpId, call: Call) -> String {
        match call {
            Call::Open => unreachable!("opened already"),
            Call::Write(len) => match self.stack.tcp_send(self.now, socket, &vec![0x5a; usize::from(len)]) {
                Ok(len) => format!("wrote {len}"),
                Err(SendError::WouldBlock) => "would block".into(),
                Err(SendError::Shutdown | SendError::Closed(_)) => "error".into(),
            },
            Call::Read(len) => {
                let mut into = vec![0; usize::from(len)];
                match self.stack.tcp_receive(socket, &mut into) {
                    Ok(0) | Err(ReceiveError::Closed(CloseReason::Finished)) => "end of stream".into(),
                    Ok(len) => format!("read {len} of {}", checksum_of(&into[..len])),
                    Err(ReceiveError::WouldBlock) => "would block".into(),
                    Err(ReceiveError::Closed(_)) => "error".into(),
                }
            }
            Call::Shutdown => {
                self.stack.tcp_shutdown(self.now, socket);
                "shut down".into()
            }
            Call::Close => {
                self.stack.tcp_close(self.now, socket);
                (self.socket, self.closed) = (None, true);
                "closed".into()
            }
        }
    }
}
