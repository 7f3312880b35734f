//! Two stacks that share an address, and a peer whose frames come to whichever of them the test says.

use super::*;
use crate::stack::{Share, SocketId, UdpReceiveError};

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 80);

/// The peer, and two stacks beside each other.
struct Link {
    now: Instant,
    peer: Stack,
    shares: [Stack; 2],
    /// Where the peer's frames go.
    to: usize,
    /// What each of the two has sent.
    sent: [Vec<Vec<u8>>; 2],
}

fn host(last: u8, share: Share) -> Stack {
    let addresses = vec![format!("192.0.2.{last}/24").parse().expect("a prefix")];
    let config = Config { mac: [2, 0, 0, 0, 0, last], addresses, share, ..Config::default() };
    let mut stack = Stack::new(config, 7);
    stack.start(Instant::from_secs(1));
    stack
}

impl Link {
    fn new() -> Link {
        let share = |index| host(2, Share { index, count: 2 });
        let peer = host(1, Share::default());
        let mut link =
            Link { now: Instant::from_secs(1), peer, shares: [share(0), share(1)], to: 0, sent: Default::default() };
        link.settle();
        link
    }

    fn settle(&mut self) {
        for _ in 0..1000 {
            let mut busy = false;
            while let Some(frame) = self.peer.poll_transmit(self.now) {
                self.shares[self.to]
                    .handle_frame(self.now, Received { bytes: &frame.to_vec(), offload: frame.offload });
                while let Some(stray) = self.shares[self.to].poll_stray() {
                    self.shares[1 - self.to].handle_stray(self.now, stray, true);
                    assert!(self.shares[1 - self.to].poll_stray().is_none(), "the last keeps it");
                }
                busy = true;
            }
            for (share, sent) in self.shares.iter_mut().zip(&mut self.sent) {
                while let Some(frame) = share.poll_transmit(self.now) {
                    self.peer.handle_frame(self.now, Received { bytes: &frame.to_vec(), offload: frame.offload });
                    sent.push(frame.to_vec());
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
        panic!("frames without end");
    }
}

#[test]
fn one_of_them_announces_the_address() {
    assert_eq!(Link::new().sent.map(|frames| frames.len()), [1, 0]);
}

#[test]
fn a_connection_hears_what_comes_to_the_other_queue() {
    for (queue, opened_by_us) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut link = Link::new();
        let config = crate::tcp::Config::default();
        link.to = queue;
        let (ours, theirs) = if opened_by_us {
            let listener = link.peer.tcp_listen("192.0.2.1:80".parse().expect("one"), 4, config.clone()).expect("free");
            let remote = "192.0.2.1:80".parse().expect("an address");
            let ours = link.shares[queue].tcp_connect(link.now, remote, None, config).expect("a route");
            // ARP's reply and the SYN,ACK come to the wrong one.
            link.to = 1 - queue;
            link.settle();
            (ours, link.peer.tcp_accept(listener).expect("a connection"))
        } else {
            let listeners =
                link.shares.each_mut().map(|share| share.tcp_listen(SERVER, 4, config.clone()).expect("free"));
            let theirs = link.peer.tcp_connect(link.now, SERVER, None, config).expect("a route");
            link.settle();
            (link.shares[queue].tcp_accept(listeners[queue]).expect("a connection"), theirs)
        };
        link.to = 1 - queue;
        assert_eq!(link.peer.tcp_send(link.now, theirs, b"astray"), Ok(6));
        link.settle();
        let mut into = [0; 10];
        assert_eq!(link.shares[queue].tcp_receive(ours, &mut into), Ok(6), "{queue} {opened_by_us}");
        link.peer.tcp_shutdown(link.now, theirs);
        link.settle();
        assert_eq!(link.shares[queue].tcp_receive(ours, &mut into), Ok(0));
        link.shares[queue].tcp_shutdown(link.now, ours);
        link.settle();
        assert_eq!(link.peer.tcp_status(theirs).closed, None, "it waits in TIME-WAIT, and was not reset");
    }
}

#[test]
fn what_nobody_knows_is_refused_once() {
    let mut link = Link::new();
    let config = crate::tcp::Config::default();
    let id = link.peer.tcp_connect(link.now, SERVER, None, config).expect("a route");
    link.settle();
    assert_eq!(link.peer.tcp_status(id).closed, Some(crate::event::CloseReason::Refused));
    link.sent = Default::default();
    let socket = link.peer.udp_bind("192.0.2.1:9".parse().expect("an address")).expect("free");
    link.peer.udp_connect(socket, SERVER).expect("a route");
    link.peer.udp_send(link.now, socket, None, b"x").expect("room");
    link.settle();
    let errors = link.sent.concat().into_iter().filter(|frame| frame[12..14] == [8, 0]);
    assert_eq!(errors.count(), 1, "one port unreachable, beside ARP");
    assert!(link.peer.udp_receive(socket, &mut [0; 9]).is_err_and(|error| error != UdpReceiveError::WouldBlock));
}

#[test]
fn datagrams_and_echo_replies_find_their_sockets() {
    for queue in [0, 1] {
        let mut link = Link::new();
        link.to = 1 - queue;
        let socket = link.shares[queue].udp_bind("0.0.0.0:0".parse().expect("an address")).expect("a free port");
        assert_eq!(usize::from(link.shares[queue].udp_local_addr(socket).port() % 2), queue, "a port of its own share");
        let echo = link.peer.udp_bind("192.0.2.1:7".parse().expect("an address")).expect("free");
        let to = Some("192.0.2.1:7".parse().expect("an address"));
        link.shares[queue].udp_send(link.now, socket, to, b"there").expect("room");
        let ping = link.shares[queue].ping_open();
        link.shares[queue]
            .ping_send(link.now, ping, "192.0.2.1".parse().expect("one"), 1, b"ping", 64)
            .expect("a route");
        link.settle();
        let mut into = [0; 10];
        let (len, from) = link.peer.udp_receive(echo, &mut into).expect("a datagram");
        link.peer.udp_send(link.now, echo, Some(from), &into[..len]).expect("room");
        link.settle();
        assert_eq!(link.shares[queue].udp_receive(socket, &mut into).map(|(len, _)| len), Ok(5));
        assert!(link.shares[queue].ping_receive(ping).is_some());
        assert!(std::iter::from_fn(|| link.shares[queue].poll_wakeup()).any(|woken| woken == SocketId::Udp(socket)));
    }
}
