//! Two of our hosts and everything in between: whole exchanges, in virtual time, with offloads and without.

mod support;

use std::time::Duration;
use strata::event::CloseReason;
use strata::stack::{SocketId, TcpId};
use strata::tcp::{Config, ReceiveError};
use support::way::{self, Way, on_ways};
use support::{Pair, SERVER};

on_ways! { plain = PLAIN, offloads = SOFTWARE, super_frames = WHOLE => {
    a_megabyte_arrives_whole_and_both_sides_close,
    the_same_seed_gives_the_same_frames,
    a_port_without_listener_refuses,
    a_host_that_is_not_there_is_unreachable,
    shutting_down_an_attempt_to_connect_ends_it,
    a_send_buffer_made_larger_wakes_the_writer,
    a_reader_that_stops_closes_the_window_and_one_that_returns_opens_it,
    two_readers_that_stop_do_not_answer_each_other_for_ever,
    a_client_in_time_wait_may_connect_again_from_the_same_port,
    datagrams_keep_their_boundaries_and_large_ones_travel_in_fragments,
    a_closed_udp_port_is_reported_to_a_connected_socket,
    ping_comes_back_and_so_does_what_is_larger_than_a_frame,
    a_forged_path_mtu_cuts_segments_no_smaller_than_ip_believes,
} }

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + i / 251) as u8).collect()
}

/// Moves `data` from the client's `from` to the server's `to`; gives what arrived.
fn transfer(pair: &mut Pair, from: TcpId, to: TcpId, data: &[u8]) -> Vec<u8> {
    let (mut left, mut arrived, mut buffer) = (data, Vec::new(), vec![0; 100_000]);
    for _ in 0..100_000 {
        if let Ok(taken) = pair.client.tcp_send(pair.now, from, left) {
            left = &left[taken..];
        }
        pair.settle();
        while let Ok(len @ 1..) = pair.server.tcp_receive(to, &mut buffer) {
            arrived.extend_from_slice(&buffer[..len]);
        }
        if arrived.len() == data.len() {
            break;
        }
        pair.settle();
        pair.run_until(pair.now + Duration::from_millis(50));
    }
    arrived
}

fn connected(pair: &mut Pair, config: &Config) -> (TcpId, TcpId) {
    let listener = pair.server.tcp_listen(SERVER, 8, config.clone()).expect("a free port");
    let client = pair.client.tcp_connect(pair.now, SERVER, None, config.clone()).expect("a route");
    pair.settle();
    let server = pair.server.tcp_accept(listener).expect("a connection");
    pair.server.tcp_close_listener(pair.now, listener);
    (client, server)
}

fn a_megabyte_arrives_whole_and_both_sides_close(way: Way) {
    let mut pair = Pair::on(way, 1);
    let (client, server) = connected(&mut pair, &Config::default());
    let data = bytes(1_000_000);
    assert!(transfer(&mut pair, client, server, &data) == data, "byte for byte");
    pair.client.tcp_shutdown(pair.now, client);
    pair.settle();
    assert_eq!(pair.server.tcp_receive(server, &mut [0; 10]), Ok(0));
    pair.server.tcp_close(pair.now, server);
    pair.settle();
    assert_eq!(pair.client.tcp_receive(client, &mut [0; 10]), Ok(0));
    assert_eq!(pair.client.tcp_info(client).map(|info| info.retransmissions), Some(0));
    pair.run_until(pair.now + Duration::from_secs(61));
    assert_eq!(pair.client.tcp_status(client).closed, Some(CloseReason::Finished));
}

fn the_same_seed_gives_the_same_frames(way: Way) {
    let frames = |seed| {
        let mut pair = Pair::on(way, seed);
        let (client, server) = connected(&mut pair, &Config::default());
        transfer(&mut pair, client, server, &bytes(300_000));
        pair.client.tcp_close(pair.now, client);
        pair.server.tcp_close(pair.now, server);
        pair.run_until(pair.now + Duration::from_secs(100));
        pair.frames
    };
    assert!(frames(5) == frames(5), "byte for byte");
    assert!(frames(5) != frames(6), "ports and sequence numbers follow the seed");
}

// MUST-12
fn a_port_without_listener_refuses(way: Way) {
    let mut pair = Pair::on(way, 2);
    let id = pair.client.tcp_connect(pair.now, SERVER, None, Config::default()).expect("a route");
    pair.settle();
    assert_eq!(pair.client.tcp_status(id).closed, Some(CloseReason::Refused));
    assert_eq!(pair.client.tcp_receive(id, &mut [0; 1]), Err(ReceiveError::Closed(CloseReason::Refused)));
}

fn a_host_that_is_not_there_is_unreachable(way: Way) {
    let mut pair = Pair::on(way, 2);
    let nobody = "192.0.2.99:80".parse().expect("an address");
    let id = pair.client.tcp_connect(pair.now, nobody, None, Config::default()).expect("a route");
    pair.run_until(pair.now + Duration::from_secs(5));
    assert_eq!(pair.client.tcp_status(id).closed, Some(CloseReason::Unreachable), "as soon as ARP has given up");
}

// MUST-37, MAY-8
fn shutting_down_an_attempt_to_connect_ends_it(way: Way) {
    let mut pair = Pair::on(way, 8);
    let nobody = "192.0.2.99:80".parse().expect("an address");
    let id = pair.client.tcp_connect(pair.now, nobody, None, Config::default()).expect("a route");
    while pair.client.poll_wakeup().is_some() {}
    pair.client.tcp_shutdown(pair.now, id);
    assert_eq!(pair.client.tcp_status(id).closed, Some(CloseReason::Aborted));
    assert_eq!(pair.client.poll_wakeup(), Some(SocketId::Tcp(id)), "whoever waits for it hears");
    pair.client.tcp_close(pair.now, id);
    assert_eq!(pair.client.tcp_unfinished(), 0);
}

fn a_send_buffer_made_larger_wakes_the_writer(way: Way) {
    let mut pair = Pair::on(way, 9);
    let (client, _server) = connected(&mut pair, &Config { send_buffer: 1000, nagle: false, ..Config::default() });
    pair.client.tcp_send(pair.now, client, &[0; 1000]).expect("room");
    while pair.client.poll_wakeup().is_some() {}
    pair.client.tcp_configure(pair.now, client, |config| config.send_buffer = 5000);
    assert_eq!(pair.client.poll_wakeup(), Some(SocketId::Tcp(client)));
    assert!(pair.client.tcp_status(client).writable);
}

fn a_reader_that_stops_closes_the_window_and_one_that_returns_opens_it(way: Way) {
    let mut pair = Pair::on(way, 3);
    let (client, server) = connected(&mut pair, &Config { receive_buffer: 20_000, ..Config::default() });
    let data = bytes(100_000);
    pair.client.tcp_send(pair.now, client, &data).expect("room");
    pair.run_until(pair.now + Duration::from_secs(3600));
    assert_eq!(pair.server.tcp_info(server).map(|info| info.receive_queue / 1000), Some(20));
    assert!(pair.client.tcp_status(client).closed.is_none(), "an hour of probes, each answered");
    let mut arrived = Vec::new();
    let mut buffer = vec![0; 7_000];
    while arrived.len() < data.len() {
        match pair.server.tcp_receive(server, &mut buffer) {
            Ok(len) => arrived.extend_from_slice(&buffer[..len]),
            Err(ReceiveError::WouldBlock) => pair.run_until(pair.now + Duration::from_millis(500)),
            Err(ReceiveError::Closed(reason)) => panic!("{reason}"),
        }
        pair.settle();
    }
    assert!(arrived == data, "byte for byte");
}

/// Trap 1: two windows that are both shut, each probed by the other.
fn two_readers_that_stop_do_not_answer_each_other_for_ever(way: Way) {
    let mut pair = Pair::on(way, 10);
    let (client, server) = connected(&mut pair, &Config { receive_buffer: 20_000, ..Config::default() });
    let data = bytes(60_000);
    pair.client.tcp_send(pair.now, client, &data).expect("room");
    pair.server.tcp_send(pair.now, server, &data).expect("room");
    pair.run_until(pair.now + Duration::from_secs(60));
    let before = pair.frames.len();
    pair.run_until(pair.now + Duration::from_secs(3600));
    let frames = pair.frames.len() - before;
    assert!((60..400).contains(&frames), "probes every two minutes at the most, answered once: {frames} frames");
    let (mut left, mut right, mut buffer) = (Vec::new(), Vec::new(), vec![0; 5_000]);
    while left.len() < data.len() || right.len() < data.len() {
        if let Ok(len) = pair.client.tcp_receive(client, &mut buffer) {
            left.extend_from_slice(&buffer[..len]);
        }
        if let Ok(len) = pair.server.tcp_receive(server, &mut buffer) {
            right.extend_from_slice(&buffer[..len]);
        }
        pair.run_until(pair.now + Duration::from_millis(500));
    }
    assert!(left == data && right == data, "byte for byte");
}

// MAY-2, SHLD-4
fn a_client_in_time_wait_may_connect_again_from_the_same_port(way: Way) {
    let mut pair = Pair::on(way, 4);
    let local = Some("192.0.2.1:50000".parse().expect("an address"));
    let listener = pair.server.tcp_listen(SERVER, 8, Config::default()).expect("a free port");
    for round in 0..3 {
        let client = pair.client.tcp_connect(pair.now, SERVER, local, Config::default()).expect("the port is free");
        pair.settle();
        let server = pair.server.tcp_accept(listener).unwrap_or_else(|| panic!("round {round}"));
        // The server closes first and keeps TIME-WAIT; the client's next SYN is newer.
        pair.server.tcp_close(pair.now, server);
        pair.settle();
        pair.client.tcp_close(pair.now, client);
        pair.run_until(pair.now + Duration::from_millis(20));
    }
}

fn datagrams_keep_their_boundaries_and_large_ones_travel_in_fragments(way: Way) {
    let mut pair = Pair::on(way, 5);
    let any = "0.0.0.0:0".parse().expect("an address");
    let server = pair.server.udp_bind((SERVER.ip(), 53).into()).expect("a free port");
    let client = pair.client.udp_bind(any).expect("a free port");
    for len in [0, 1, 1472, 1473, 10_000, 65_507] {
        let data = bytes(len);
        let sent = pair.client.udp_send(pair.now, client, Some((SERVER.ip(), 53).into()), &data);
        assert_eq!(sent, Ok(len));
        pair.settle();
        let mut into = vec![0; 70_000];
        let (got, from) = pair.server.udp_receive(server, &mut into).expect("a datagram");
        assert!(into[..got] == data[..] && from.port() == pair.client.udp_local_addr(client).port(), "{len} bytes");
    }
    assert!(pair.client.udp_send(pair.now, client, Some((SERVER.ip(), 53).into()), &[0; 65_508]).is_err());
}

fn a_closed_udp_port_is_reported_to_a_connected_socket(way: Way) {
    let mut pair = Pair::on(way, 6);
    let client = pair.client.udp_bind("0.0.0.0:0".parse().expect("an address")).expect("a free port");
    pair.client.udp_connect(client, (SERVER.ip(), 9999).into()).expect("a route");
    pair.client.udp_send(pair.now, client, None, b"hello").expect("room");
    pair.settle();
    let error = pair.client.udp_receive(client, &mut [0; 10]).expect_err("port unreachable");
    assert_eq!(error.to_string(), "port unreachable");
}

fn ping_comes_back_and_so_does_what_is_larger_than_a_frame(way: Way) {
    let mut pair = Pair::on(way, 7);
    let ping = pair.client.ping_open();
    for (sequence, len) in [(1, 56), (2, 4000), (3, 60_000)] {
        pair.client.ping_send(pair.now, ping, SERVER.ip(), sequence, &bytes(len), 64).expect("room");
        pair.settle();
        let reply = pair.client.ping_receive(ping).expect("a reply");
        assert_eq!((reply.sequence, reply.len, reply.error), (sequence, len, None));
    }
}

fn a_forged_path_mtu_cuts_segments_no_smaller_than_ip_believes(way: Way) {
    let mut pair = Pair::on(way, 8);
    let (client, _) = connected(&mut pair, &Config::default());
    pair.client.tcp_send(pair.now, client, &bytes(5_000)).expect("room");
    let first = pair.client.poll_transmit(pair.now).expect("a segment").to_vec();
    // "Fragmentation needed, MTU 41", quoting a segment that is really in flight (RFC 1191 §3).
    let mut message = vec![3, 4, 0, 0, 0, 0, 0, 41];
    message.extend_from_slice(&first[14..42]);
    let sum = strata::wire::checksum::Sum::default().plus(&message).checksum();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1];
    let sum = strata::wire::checksum::Sum::default().plus(&packet).checksum();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0][..], &packet, &message].concat();
    pair.client.handle_frame(pair.now, support::received(&frame));
    let mss = pair.client.tcp_info(client).map(|info| info.snd_mss);
    assert_eq!(mss, Some(552 - 40 - 12), "RFC 1191 §3 lets nothing go below 68 bytes, and IP here nothing below 552");
}
