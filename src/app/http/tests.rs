//! The router alone; `tests/` has it on a wire.

use super::{Site, router};
use crate::app::seeded::{Seeded, hex};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
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
