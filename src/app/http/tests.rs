//! The router alone; `tests/` has it on a wire.

use super::{Site, router, serve};
use crate::app::executor::{Beside, Executor};
use crate::app::seeded::{Seeded, hex};
use crate::device::link::{Config as LinkConfig, Link};
use crate::runtime::Driver;
use crate::runtime::asynchronous::{TcpListener, Watch};
use crate::runtime::blocking::TcpStream;
use crate::stack;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;
use tower::ServiceExt;

async fn ask(site: &Site, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
    let response = router(site).oneshot(request).await.expect("the router does not fail");
    let (head, body) = response.into_parts();
    (head.status, head.headers, body.collect().await.expect("a whole body").to_bytes().to_vec())
}

fn request(method: &str, target: &str, hosts: &[&str]) -> Request<Body> {
    let builder = hosts.iter().fold(Request::builder(), |builder, host| builder.header("host", *host));
    builder.method(method).uri(target).body(Body::empty()).expect("a request")
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[test]
fn answers_have_the_status_that_fits() {
    let rows: &[(&str, &str, &[&str], u16)] = &[
        ("GET", "/", &["192.0.2.2"], 200),
        ("HEAD", "/", &["192.0.2.2"], 200),
        ("GET", "/bytes/10", &["strata.example:80"], 200),
        ("GET", "/bytes/0", &["[2001:db8::2]:80"], 200),
        ("GET", "/bytes/17179869185", &["h"], 400),
        ("GET", "/bytes/-1", &["h"], 400),
        ("GET", "/bytes/ten", &["h"], 400),
        ("GET", "/stream/1000001", &["h"], 400),
        ("GET", "/nothing", &["h"], 404),
        ("GET", "/", &[], 400),
        ("GET", "/", &["a", "a"], 400),
        ("GET", "/", &["a b"], 400),
        ("GET", "/", &["user@host"], 400),
        ("GET", "/", &["host:port:80"], 400),
        ("GET", "/digest", &["h"], 405),
        ("DELETE", "/bytes/10", &["h"], 405),
        ("PROPFIND", "/", &["h"], 405),
        ("TRACE", "/", &["h"], 405),
        ("OPTIONS", "*", &["h"], 204),
    ];
    for (method, target, hosts, status) in rows {
        let (found, headers, body) = run(ask(&Site::default(), request(method, target, hosts)));
        assert_eq!(found.as_u16(), *status, "{method} {target} {hosts:?}");
        assert_eq!(headers.contains_key("allow"), matches!(status, 405 | 204), "{method} {target}: {headers:?}");
        if matches!(status, 400 | 404) {
            assert!(body.ends_with(b"\n") && body.len() > 10, "{method} {target} wants a sentence");
        }
    }
}

#[test]
fn bytes_come_with_their_length_and_digest() {
    let site = Site { seed: 5, ..Site::default() };
    let expected: Vec<u8> = Seeded::new(5, 70_000).flatten().collect();
    for method in ["GET", "HEAD"] {
        let (status, headers, body) = run(ask(&site, request(method, "/bytes/70000", &["h"])));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-length"], "70000");
        let digest = headers["repr-digest"].to_str().expect("ASCII");
        let value = digest.strip_prefix("sha-256=:").and_then(|rest| rest.strip_suffix(':')).expect("RFC 9530");
        let decoded = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, value).expect("base64");
        assert_eq!(hex(&decoded), hex(&Seeded::new(5, 70_000).digest()));
        assert_eq!(body, if method == "GET" { expected.clone() } else { Vec::new() });
    }
}

#[test]
fn digest_of_what_was_posted() {
    let request = Request::post("/digest").header("host", "h").body(Body::from("abc")).expect("a request");
    let (status, _, body) = run(ask(&Site::default(), request));
    assert_eq!(status, StatusCode::OK);
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(String::from_utf8(body).expect("ASCII"), known);
}

#[test]
fn a_root_serves_its_files_with_their_types() {
    let root = std::env::temp_dir().join(format!("strata-root-{}", std::process::id()));
    std::fs::create_dir_all(&root).expect("a folder");
    std::fs::write(root.join("style.css"), "body {}").expect("a file");
    let site = Site { root: Some(root.clone()), seed: 0 };
    let (status, headers, body) = run(ask(&site, request("GET", "/style.css", &["h"])));
    assert_eq!(
        (status, &headers["content-type"], &body[..]),
        (StatusCode::OK, &"text/css".parse().expect("a value"), &b"body {}"[..])
    );
    let (status, _, body) = run(ask(&site, request("GET", "/", &["h"])));
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&body).contains("every layer"), "the landing page stands in for the index");
    std::fs::write(root.join("index.html"), "mine").expect("a file");
    let (_, _, body) = run(ask(&site, request("GET", "/", &["h"])));
    assert_eq!(body, b"mine");
    let (status, _, _) = run(ask(&site, request("GET", "/../Cargo.toml", &["h"])));
    assert_eq!(status, StatusCode::NOT_FOUND);
    std::fs::remove_dir_all(&root).expect("the folder goes");
}

/// Two hosts on a link, of which the second is at the address of the default configuration; within tokio.
fn two_hosts() -> (Driver, Driver, SocketAddr) {
    let (left, right) = Link::pollable_pair(LinkConfig::default()).expect("two descriptors");
    let addresses = vec!["192.0.2.1/24".parse().expect("a prefix")];
    let client = stack::Config { mac: [2, 0, 0, 0, 0, 1], addresses, ..stack::Config::default() };
    let client = Driver::start(client, 1, Box::new(left), None).expect("a driver");
    let server = Driver::start(stack::Config::default(), 2, Box::new(right), None).expect("a driver");
    (client, server, "192.0.2.2:80".parse().expect("an address"))
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Serves on the thread of the driver.
fn serve_beside(server: &Driver, at: SocketAddr, router: Router) {
    let (listener, clock) = (TcpListener::bind(server.host(), at).expect("a free port"), server.host().clock().clone());
    let beside = Beside(server.spawner().clone());
    beside.clone().spawn(async move { drop(serve(listener, router, clock, beside).await) });
}

/// A connection on which `target` has been asked for, as the last thing.
fn asked(client: &Driver, at: SocketAddr, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(client.host(), at).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    stream
}

fn answer_to(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer, and the end of it");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn beside_the_stack_a_handler_that_panics_ends_its_connection_alone() {
    let runtime = tokio_runtime();
    let _within = runtime.enter();
    let (client, server, at) = two_hosts();
    let breaks = Router::new().route("/breaks", axum::routing::get(async || -> &str { panic!("a handler breaks") }));
    serve_beside(&server, at, breaks.merge(router(&Site::default())));
    for _ in 0..3 {
        assert_eq!(answer_to(asked(&client, at, "/breaks")), "", "the connection ends without an answer");
        let page = answer_to(asked(&client, at, "/"));
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("ESTABLISHED"), "{page}");
    }
    server.stop().expect("nothing has ended the stack");
}

#[test]
fn beside_the_stack_nothing_that_takes_long_holds_up_another() {
    let runtime = tokio_runtime();
    let _within = runtime.enter();
    let (client, server, at) = two_hosts();
    serve_beside(&server, at, router(&Site::default()));
    // Its digest comes first, and takes a while.
    let long = asked(&client, at, "/bytes/16000000");
    assert!(answer_to(asked(&client, at, "/stream/1")).ends_with("line 1 of 1\n\r\n0\r\n\r\n"));
    long.set_nonblocking(true).expect("an option");
    let early = (&long).read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(early, Err(ErrorKind::WouldBlock), "the long one was not first");
    long.set_nonblocking(false).expect("an option");
    let mut head = [0; 15];
    (&long).read_exact(&mut head).expect("the long one is answered as well");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

#[test]
fn files_are_served_beside_the_stack() {
    let root = std::env::temp_dir().join(format!("strata-beside-{}", std::process::id()));
    std::fs::create_dir_all(&root).expect("a folder");
    std::fs::write(root.join("long.txt"), "0123456789".repeat(100_000)).expect("a file");
    let runtime = tokio_runtime();
    let _within = runtime.enter();
    let (client, server, at) = two_hosts();
    serve_beside(&server, at, router(&Site { root: Some(root.clone()), seed: 0 }));
    let answers: Vec<_> = (0..4).map(|_| asked(&client, at, "/long.txt")).collect();
    for answer in answers.into_iter().map(answer_to) {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK") && body == "0123456789".repeat(100_000), "{head}");
    }
    assert!(answer_to(asked(&client, at, "/missing.txt")).starts_with("HTTP/1.1 404"));
    std::fs::remove_dir_all(&root).expect("the folder goes");
}

#[test]
fn axum_serves_on_our_listener_and_handlers_see_their_connection() {
    let (client, server, at) = two_hosts();
    let runtime = tokio_runtime();
    let listener = TcpListener::bind(server.host(), at).expect("a free port");
    let service = router(&Site::default()).into_make_service_with_connect_info::<Watch>();
    runtime.spawn(async move { axum::serve(listener, service).await });

    let mut stream = TcpStream::connect(client.host(), at).expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let me = stream.local_addr().expect("an address").to_string();
    assert!(answer.contains(&me) && answer.contains("ESTABLISHED"), "{answer}");
}
