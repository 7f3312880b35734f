//! What is served where.

use super::files::{Files, Folder};
use super::landing;
use super::rules::{enforce, refuse};
use super::seeded_body::SeededBody;
use crate::app::seeded::{Digests, Seeded, hex};
use crate::runtime::asynchronous::Watch;
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use tower::ServiceExt;

/// The most bytes that `/bytes/N` gives, and the most lines of `/stream/N`.
pub const MOST_BYTES: u64 = 16 << 30;
const MOST_LINES: u64 = 1_000_000;

/// RFC 9530 §3: the digest of the selected representation.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// What a server has to offer.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The folder whose files are served.
    pub root: Option<PathBuf>,
    /// The seed of `/bytes/N`.
    pub seed: u64,
}

#[derive(Clone)]
struct Offer {
    files: Option<Folder>,
    digests: Digests,
}

/// The pages of `site`, for [`serve`](super::serve) or for `axum::serve`.
pub fn router(site: &Site) -> Router {
    let files = site.root.as_ref().map(|root| Folder::with_backend(root, Files));
    let offer = Arc::new(Offer { files, digests: Digests::new(site.seed) });
    Router::new()
        .route("/", get(home))
        .route("/bytes/{count}", get(seeded_bytes))
        .route("/stream/{count}", get(lines))
        .route("/digest", post(digest))
        .fallback(file)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(enforce))
        .with_state(offer)
}

/// The index of the root, where there is one; else the page that shows visitors their own connection.
async fn home(State(offer): State<Arc<Offer>>, request: Request) -> Response {
    let watch = request.extensions().get::<ConnectInfo<Watch>>().map(|ConnectInfo(watch)| watch.clone());
    if let Some(files) = &offer.files {
        let found = serve_file(files.clone(), request).await;
        if found.status() != StatusCode::NOT_FOUND {
            return found;
        }
    }
    let info = watch.as_ref().and_then(|watch| watch.info().map(|info| (watch, info)));
    let page = landing::page(info.as_ref().map(|(watch, info)| (*watch, info)));
    ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

/// Everything that has no route of its own: a file, where there is a root.
async fn file(State(offer): State<Arc<Offer>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match &offer.files {
        Some(files) => {
            let found = serve_file(files.clone(), request).await;
            if found.status() == StatusCode::NOT_FOUND { missing(&path) } else { found }
        }
        None => missing(&path),
    }
}

async fn serve_file(files: Folder, request: Request) -> Response {
    match files.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

fn missing(path: &str) -> Response {
    let shown: String = path.chars().take(200).collect();
    refuse(StatusCode::NOT_FOUND, &format!("there is nothing at {shown}"))
}

/// So many seeded bytes, with their digest in front of them.
async fn seeded_bytes(State(offer): State<Arc<Offer>>, Path(count): Path<String>) -> Response {
    let count = match number(&count, MOST_BYTES, "bytes") {
        Ok(count) => count,
        Err(refused) => return *refused,
    };
    let sha = offer.digests.of(count).await;
    let body = Body::new(SeededBody(Seeded::new(offer.digests.seed(), count)));
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, count.to_string()),
        (REPR_DIGEST, format!("sha-256=:{}:", STANDARD.encode(sha))),
    ];
    (headers, body).into_response()
}

/// So many lines, each a chunk of its own (RFC 9112 §7.1).
async fn lines(Path(count): Path<String>) -> Response {
    let count = match number(&count, MOST_LINES, "lines") {
        Ok(count) => count,
        Err(refused) => return *refused,
    };
    let lines = (1..=count).map(move |line| Ok::<_, Infallible>(Bytes::from(format!("line {line} of {count}\n"))));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], Body::from_stream(futures::stream::iter(lines))).into_response()
}

/// SHA-256 of what is posted, in hexadecimal; nothing of it is kept.
async fn digest(request: Request) -> Response {
    let mut body = request.into_body();
    let mut hasher = Sha256::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                if let Some(data) = frame.data_ref() {
                    hasher.update(data);
                }
            }
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("the body did not arrive whole: {error}")),
        }
    }
    hex(&hasher.finalize()).into_response()
}

fn number(text: &str, most: u64, of: &str) -> Result<u64, Box<Response>> {
    let sentence = match text.parse::<u64>() {
        Ok(count) if count <= most => return Ok(count),
        Ok(_) => format!("at most {most} {of} are given at a time"),
        Err(_) => format!("the number of {of} must be a whole number from 0 to {most}"),
    };
    Err(Box::new(refuse(StatusCode::BAD_REQUEST, &sentence)))
}
