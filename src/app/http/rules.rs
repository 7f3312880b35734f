//! What HTTP asks of every request, whatever it is for.

use axum::body::Body;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The methods that something here answers to.
const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");

/// Refuses what breaks the rules before any handler sees it.
pub async fn enforce(request: Request, next: Next) -> Response {
    if let Err(sentence) = check_host(&request) {
        return refuse(StatusCode::BAD_REQUEST, sentence);
    }
    match *request.method() {
        // RFC 9110 §9.3.7: the asterisk asks about the server as a whole.
        Method::OPTIONS if request.uri().path() == "*" => {
            (StatusCode::NO_CONTENT, [(header::ALLOW, ALLOW)]).into_response()
        }
        // RFC 9110 §15.5.6: the answer names what is allowed.
        Method::CONNECT | Method::TRACE => {
            let sentence = format!("{} is not allowed here", request.method());
            with_allow(refuse(StatusCode::METHOD_NOT_ALLOWED, &sentence))
        }
        _ => next.run(request).await,
    }
}

/// RFC 9112 §3.2: exactly one valid Host in every HTTP/1.1 request, also where the target names the host itself.
fn check_host(request: &Request) -> Result<(), &'static str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    match (first, second) {
        (None, _) if request.version() < Version::HTTP_11 => Ok(()),
        (None, _) => Err("the request has no Host header, which HTTP/1.1 asks for"),
        (Some(_), Some(_)) => Err("the request has more than one Host header"),
        (Some(host), None) if is_host(host) => Ok(()),
        (Some(_), None) => Err("the Host header is not a host, optionally with a port"),
    }
}

/// Empty is allowed, for targets without an authority; user information is not.
fn is_host(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    host.is_empty() || (!host.contains('@') && host.parse::<Authority>().is_ok())
}

/// An error with a sentence for people.
pub fn refuse(status: StatusCode, sentence: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{sentence}\n")));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

fn with_allow(mut response: Response) -> Response {
    response.headers_mut().insert(header::ALLOW, ALLOW);
    response
}
