//! Requests byte by byte over two hosts in virtual time: what RFC 9112 and RFC 9110 ask of a server.

use super::{Site, router, serve};
use crate::app::executor::Simulated;
use crate::device::link::{Config as LinkConfig, Link};
use crate::runtime::Host;
use crate::runtime::asynchronous::{TcpListener, TcpStream};
use crate::sim::Simulation;
use crate::stack;
use crate::time::Instant;
use futures::future::{Either, select};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a client listens when the server does not end the connection.
const LISTEN: Duration = Duration::from_secs(20);

/// What came back to some bytes, and whether the server ended the connection.
struct Heard {
    text: String,
    ended: bool,
}

/// Where the server listens.
const AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 80);

/// A client, a server at the other end of its link, and what the server listens with.
fn ends(sim: &mut Simulation) -> (Host, Host, TcpListener) {
    let (left, right) = Link::pair(LinkConfig::default());
    let address = vec!["192.0.2.1/24".parse().expect("a prefix")];
    let config = stack::Config { mac: [2, 0, 0, 0, 0, 1], addresses: address, ..stack::Config::default() };
    let client = sim.add_host(config, 1, Box::new(left), None);
    let server = sim.add_host(stack::Config::default(), 2, Box::new(right), None);
    let listener = TcpListener::bind(&server, AT).expect("a free port");
    (client, server, listener)
}

/// Sends `parts` with a little time between them, then listens; the client ends its own side only if `half_close`.
fn say(parts: &[&[u8]], half_close: bool) -> Heard {
    // 1994-11-06 08:49:37 UTC, the RFC's own example.
    let mut sim = Simulation::starting_at(Instant::from_secs(784_111_777));
    let (client, server, listener) = ends(&mut sim);
    let executor = Simulated { spawner: sim.spawner(), time: sim.time() };
    let clock = server.clock().clone();
    sim.spawn(async move { drop(serve(listener, router(&Site::default()), clock, executor).await) });
    let (time, parts) = (sim.time(), parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>());
    sim.run(async move {
        let mut stream = TcpStream::connect(&client, AT).await.expect("a connection");
        for part in parts {
            // The server may have ended the connection already, as some of these requests deserve.
            let _ = stream.write_all(&part).await;
            time.sleep(Duration::from_millis(10)).await;
        }
        if half_close {
            stream.shutdown().await.expect("FIN");
        }
        let mut heard = Vec::new();
        let ended = {
            let reading = async { while let Ok(1..) = stream.read_buf(&mut heard).await {} };
            match select(pin!(reading), pin!(time.sleep(LISTEN))).await {
                Either::Left(_) => true,
                Either::Right(_) => false,
            }
        };
        Heard { text: String::from_utf8_lossy(&heard).into_owned(), ended }
    })
}

/// The status codes of all responses, in order. Bodies here never hold a line that begins like a status line.
fn statuses(text: &str) -> Vec<u16> {
    text.lines().filter_map(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()).collect()
}

#[test]
fn each_request_gets_the_status_that_the_rfcs_ask_for() {
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(70_000));
    let long_header = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(600_000));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(500));
    let rows: &[(&str, &str, &[u16], bool)] = &[
        ("a request", "GET /stream/1 HTTP/1.1\r\nHost: h\r\n\r\n", &[200], false),
        ("§2.2 an empty line in front", "\r\nGET /stream/1 HTTP/1.1\r\nHost: h\r\n\r\n", &[200], false),
        ("§3 a target too long", &long_target, &[414], true),
        ("RFC 9110 §5.4 a field too long", &long_header, &[431], true),
        ("RFC 9110 §5.4 too many fields", &many_headers, &[431], true),
        ("§3.2 no Host", "GET /stream/1 HTTP/1.1\r\n\r\n", &[400], false),
        ("§3.2 two Hosts", "GET /stream/1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400], false),
        ("§3.2.2 absolute-form", "GET http://h/stream/1 HTTP/1.1\r\nHost: h\r\n\r\n", &[200], false),
        ("§5.1 a space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", &[400], true),
        ("§6.3 an invalid length", "POST /digest HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", &[400], true),
        (
            "§6.3 two lengths",
            "POST /digest HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            &[400],
            true,
        ),
        (
            "§6.3 chunked not final",
            "POST /digest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
            &[400],
            true,
        ),
        (
            "§7.1 a chunk size that overflows",
            "POST /digest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            &[400],
            true,
        ),
        ("no version", "GET /\r\n\r\n", &[400], true),
        ("a version to come", "GET / HTTP/3.7\r\nHost: h\r\n\r\n", &[400], true),
        ("RFC 9110 §5.5 NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", &[400], true),
        ("HTTP/1.0 ends by itself", "GET /stream/1 HTTP/1.0\r\n\r\n", &[200], true),
        (
            "§9.3 close is kept to",
            "GET /stream/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            &[200],
            true,
        ),
        ("RFC 9110 §15.5.6", "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", &[405], false),
        (
            "RFC 9110 §10.1.1",
            "POST /digest HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
            &[100, 200],
            false,
        ),
    ];
    for (name, request, expected, ended) in rows {
        let heard = say(&[request.as_bytes()], false);
        assert_eq!(statuses(&heard.text), *expected, "{name}: {:.400}", heard.text);
        assert_eq!(heard.ended, *ended, "{name}: does the server end the connection?");
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    // RFC 9112 §9.3.2
    let requests: String = (1..=20).map(|n| format!("GET /stream/{n} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
    let heard = say(&[requests.as_bytes()], false);
    assert_eq!(statuses(&heard.text), [200; 20]);
    let firsts: Vec<String> =
        heard.text.lines().filter(|line| line.starts_with("line 1 of")).map(str::to_owned).collect();
    assert_eq!(firsts, (1..=20).map(|n| format!("line 1 of {n}")).collect::<Vec<_>>());
}

#[test]
fn chunks_arrive_whole_however_they_are_cut() {
    // RFC 9112 §7.1, with an extension to be ignored and a trailer.
    let body = b"2;name=value\r\nab\r\n1\r\nc\r\n0\r\nX-Trailer: y\r\n\r\n";
    let mut parts: Vec<&[u8]> = vec![b"POST /digest HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"];
    parts.extend(body.chunks(1));
    let heard = say(&parts, false);
    assert_eq!(statuses(&heard.text), [200]);
    assert!(heard.text.ends_with("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "{}", heard.text);
}

#[test]
fn a_stream_is_chunked_and_ends_with_the_empty_chunk() {
    let heard = say(&[b"GET /stream/2 HTTP/1.1\r\nHost: h\r\n\r\n"], false);
    assert!(heard.text.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{}", heard.text);
    assert!(heard.text.ends_with("C\r\nline 1 of 2\n\r\nC\r\nline 2 of 2\n\r\n0\r\n\r\n"), "{}", heard.text);
}

#[test]
fn a_client_that_has_ended_its_side_still_gets_the_answer() {
    let heard = say(&[b"GET /stream/1 HTTP/1.1\r\nHost: h\r\n\r\n"], true);
    assert_eq!((statuses(&heard.text), heard.ended), (vec![200], true));
}

#[test]
fn a_body_that_breaks_off_is_not_taken_for_whole() {
    // RFC 9112 §6.3
    let heard = say(&[b"POST /digest HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabc"], true);
    assert_eq!(statuses(&heard.text).iter().filter(|status| **status == 200).count(), 0, "{}", heard.text);
    assert!(heard.ended);
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    // RFC 9112 §9.6: the answer must not be lost to a reset.
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n";
    let body = vec![b'x'; 1_000_000];
    let heard = say(&[head, &body, &body, &body, &body], false);
    assert_eq!(statuses(&heard.text), [405]);
}

#[test]
fn length_and_transfer_coding_together_end_the_connection() {
    // RFC 9112 §6.1: what follows may have been smuggled in.
    let heard = say(
        &[b"POST /digest HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /stream/1 HTTP/1.1\r\nHost: h\r\n\r\n"],
        false,
    );
    assert!(heard.ended, "{}", heard.text);
    assert!(statuses(&heard.text).len() <= 1, "{}", heard.text);
}

#[test]
fn the_date_is_that_of_the_host() {
    // RFC 9110 §6.6.1
    let heard = say(&[b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"], false);
    assert!(heard.text.contains("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{}", heard.text);
    assert!(heard.text.ends_with("\r\n\r\n"), "an answer to HEAD has no content");
}

#[test]
fn what_comes_after_the_head_does_not_wait_for_its_acknowledgement() {
    // A client that delays acknowledgements holds back whoever waits for them: Nagle's algorithm is off.
    const LATER: Duration = Duration::from_millis(1);
    let mut sim = Simulation::new();
    let (client, server, listener) = ends(&mut sim);
    let executor = Simulated { spawner: sim.spawner(), time: sim.time() };
    let (clock, time) = (server.clock().clone(), sim.time());
    let later = move || {
        let time = time.clone();
        async move {
            let body = futures::stream::once(async move {
                time.sleep(LATER).await;
                Ok::<_, std::convert::Infallible>("later")
            });
            axum::body::Body::from_stream(body)
        }
    };
    let router = axum::Router::new().route("/", axum::routing::get(later));
    sim.spawn(async move { drop(serve(listener, router, clock, executor).await) });
    let time = sim.time();
    let took = sim.run(async move {
        let mut stream = TcpStream::connect(&client, AT).await.expect("a connection");
        let mut took = Vec::new();
        // More than once: at first a client acknowledges at once.
        for _ in 0..20 {
            let (asked, mut heard) = (time.now(), Vec::new());
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("room");
            while !heard.ends_with(b"\r\n0\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut heard).await.expect("an answer"), 0);
            }
            took.push(time.now().since(asked));
        }
        took
    });
    assert!(took.iter().all(|took| *took < 2 * LATER), "{took:?}");
}
