//! Many scripts at once against the kernel, each a connection of its own: while one waits, they all wait.

use crate::peer::{END, PEER, Peer, Reply, answer_arp, segment_in};
use crate::script::{Call, Role, Script, Step};
use crate::{STEP, Trace, checksum_of, settled};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Instant;
use strata::device::{Batch, Device};
use strata::frame::{Frame, FrameId, Payload};

/// What is set in the namespace of ours, where it concerns nobody else, so that replies can be compared.
const SETTINGS: &[(&str, &str)] = &[
    // Challenge ACKs are limited to one in 500 ms; in ours too, but by counts that a script does not reach.
    ("tcp_invalid_ratelimit", "0"),
    ("tcp_challenge_ack_limit", "2147483647"),
    // Timers that would retransmit in the middle of a script: tail loss probes, RACK, a RTO of 200 ms.
    ("tcp_early_retrans", "0"),
    ("tcp_recovery", "0"),
    ("tcp_rto_min_us", "1000000"),
    // One connection must not teach the next.
    ("tcp_no_metrics_save", "1"),
    ("tcp_fastopen", "0"),
    ("tcp_congestion_control", "reno"),
    ("tcp_ecn", "0"),
    // SACKs at once, not one for many.
    ("tcp_comp_sack_delay_ns", "0"),
    ("tcp_autocorking", "0"),
    ("tcp_syncookies", "0"),
    // RFC 1337, F1: a reset does not end TIME-WAIT.
    ("tcp_rfc1337", "1"),
    ("tcp_max_syn_backlog", "4096"),
];

pub struct Kernel {
    device: Box<dyn Device>,
}

/// One script's connection.
struct Run {
    peer: Peer,
    listener: Option<TcpListener>,
    stream: Option<TcpStream>,
    closed: bool,
    replies: Vec<Reply>,
    trace: Trace,
}

const NOW: strata::time::Instant = strata::time::Instant::ZERO;

impl Kernel {
    /// Fails where the kernel is too old (tcp_rto_min_us is of 6.11) to be set up so that replies can be compared.
    pub fn new(device: Box<dyn Device>) -> Result<Kernel, String> {
        for (name, value) in SETTINGS {
            fs::write(format!("/proc/sys/net/ipv4/{name}"), value)
                .map_err(|error| format!("this kernel's net.ipv4.{name} cannot be set: {error}"))?;
        }
        Ok(Kernel { device })
    }

    /// Each script's trace, in lock-step.
    pub fn run(&mut self, scripts: &[Script], peers: Vec<Peer>) -> Vec<Trace> {
        let mut runs: Vec<Run> = peers.into_iter().map(Run::new).collect();
        let of_port = runs.iter().enumerate().map(|(at, run)| (run.peer.ports.peer, at)).collect();
        let steps = scripts.iter().map(|script| script.steps.len()).max().unwrap_or(0);
        for at in 0..steps {
            let mut results = Vec::new();
            for (run, script) in runs.iter_mut().zip(scripts) {
                results.push(script.steps.get(at).and_then(|step| self.step(run, script, step)));
            }
            self.collect(&mut runs, &of_port);
            for ((run, result), script) in runs.iter_mut().zip(results).zip(scripts) {
                if at < script.steps.len() {
                    let texts = settled(result, &mut run.peer, &std::mem::take(&mut run.replies));
                    run.trace.push(texts);
                }
            }
        }
        for run in &mut runs {
            let farewell = run.peer.farewell();
            self.send(farewell);
        }
        runs.into_iter().map(|run| run.trace).collect()
    }

    fn step(&mut self, run: &mut Run, script: &Script, step: &Step) -> Option<String> {
        match step {
            Step::Segment(segment) => {
                let bytes = run.peer.frame(segment);
                self.send(bytes);
                None
            }
            Step::Call(call) => Some(run.call(script.role, *call)),
            Step::Wait => None,
        }
    }

    fn send(&mut self, bytes: Vec<u8>) {
        let mut frames = VecDeque::from([Frame::new(FrameId(1), Payload::from(bytes))]);
        self.device.transmit(NOW, &mut frames).expect("the TAP takes frames");
        assert!(frames.is_empty(), "the TAP has room");
    }

    /// Takes what comes for the time of a step.
    fn collect(&mut self, runs: &mut [Run], of_port: &HashMap<u16, usize>) {
        let end = Instant::now() + STEP;
        let mut batch = Batch::new(256);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
            let fd = self.device.descriptor().expect("the kernel knows this device");
            // Interrupted is as good as woken.
            let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout));
            batch.clear();
            self.device.receive(NOW, &mut batch).expect("the TAP hands frames over");
            if batch.is_empty() && left.is_zero() {
                return;
            }
            let frames: Vec<Vec<u8>> = batch.iter().map(|frame| frame.bytes.to_vec()).collect();
            for bytes in frames {
                if let Some(answer) = answer_arp(&bytes) {
                    self.send(answer);
                }
                if let Some(reply) = segment_in(&bytes)
                    && let Some(&at) = of_port.get(&reply.header.destination_port)
                    && runs[at].peer.ports.end == reply.header.source_port
                {
                    runs[at].replies.push(reply);
                }
            }
        }
    }
}

impl Run {
    fn new(peer: Peer) -> Run {
        Run { peer, listener: None, stream: None, closed: false, replies: Vec::new(), trace: Trace::new() }
    }

    fn call(&mut self, role: Role, call: Call) -> String {
        if call == Call::Open {
            match role {
                Role::Passive => self.listener = Some(self.listen()),
                Role::Active => self.stream = Some(self.connect()),
            }
            return "opened".into();
        }
        if let Some(listener) = self.listener.as_ref().filter(|_| self.stream.is_none() && !self.closed) {
            self.stream = listener.accept().ok().map(|(stream, _)| stream);
            if let Some(stream) = &self.stream {
                stream.set_nonblocking(true).expect("a socket");
            }
        }
        let Some(stream) = &mut self.stream else { return "no connection".into() };
        match call {
            Call::Open => unreachable!("opened already"),
            Call::Write(len) => match stream.write(&vec![0x5a; usize::from(len)]) {
                Ok(len) => format!("wrote {len}"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => "would block".into(),
                Err(_) => "error".into(),
            },
            Call::Read(len) => {
                let mut into = vec![0; usize::from(len)];
                match stream.read(&mut into) {
                    Ok(0) => "end of stream".into(),
                    Ok(len) => format!("read {len} of {}", checksum_of(&into[..len])),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => "would block".into(),
                    Err(_) => "error".into(),
                }
            }
            Call::Shutdown => {
                // That nobody is connected any more is no matter of this call.
                let _ = stream.shutdown(Shutdown::Write);
                "shut down".into()
            }
            Call::Close => {
                (self.stream, self.closed) = (None, true);
                "closed".into()
            }
        }
    }

    fn socket(&self) -> rustix::fd::OwnedFd {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket");
        sockopt::set_socket_reuseaddr(&fd, true).expect("a socket");
        // RFC 9293 §3.8.5: urgent data is part of the stream.
        sockopt::set_socket_oobinline(&fd, true).expect("a socket");
        rustix::net::bind(&fd, &SocketAddrV4::new(END.into(), self.peer.ports.end)).expect("a free port");
        fd
    }

    fn listen(&self) -> TcpListener {
        let fd = self.socket();
        rustix::net::listen(&fd, 16).expect("a free port");
        TcpListener::from(fd)
    }

    fn connect(&self) -> TcpStream {
        let fd = self.socket();
        let remote: SocketAddr = (PEER, self.peer.ports.peer).into();
        match rustix::net::connect(&fd, &remote) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => TcpStream::from(fd),
            Err(error) => panic!("cannot connect: {error}"),
        }
    }
}
