//! Hosts and URLs as people type them. Names are not resolved yet, so a host is an address.

use super::failure::Failure;
use axum::http::Uri;
use std::net::{IpAddr, SocketAddr};

/// An address, or a sentence about names.
pub fn host(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| format!("{text} is not an address; names are not resolved yet, give one like 192.0.2.1"))
}

/// What `strata get` fetches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub server: SocketAddr,
    /// As it goes into the Host header.
    pub authority: String,
    pub path: String,
}

impl Target {
    /// From `http://192.0.2.2:8080/path?query`; the scheme and the path may be left out.
    pub fn parse(text: &str) -> Result<Target, Failure> {
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().map_err(|error| Failure::wrong_use(format!("{text} is not a URL: {error}")))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => return Err(Failure::wrong_use(format!("{other} is not spoken yet; give an http:// URL"))),
            None => return Err(Failure::wrong_use(format!("{text} is not a URL"))),
        }
        let authority = uri.authority().ok_or_else(|| Failure::wrong_use(format!("{text} names no host")))?;
        if authority.as_str().contains('@') {
            return Err(Failure::wrong_use("a user name in a URL is not supported"));
        }
        let address = host(authority.host()).map_err(Failure::wrong_use)?;
        let server = SocketAddr::new(address, authority.port_u16().unwrap_or(80));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Target { server, authority: authority.to_string(), path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_understood_as_curl_does() {
        for (text, server, path) in [
            ("http://192.0.2.2/", "192.0.2.2:80", "/"),
            ("http://192.0.2.2:8080/a?b=c", "192.0.2.2:8080", "/a?b=c"),
            ("192.0.2.2", "192.0.2.2:80", "/"),
            ("192.0.2.2:81/x", "192.0.2.2:81", "/x"),
            ("http://[2001:db8::2]/", "[2001:db8::2]:80", "/"),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!((target.server.to_string().as_str(), target.path.as_str()), (server, path), "{text}");
        }
        for text in ["https://192.0.2.2/", "http://example.org/", "http://", "http://a b/", "http://me@192.0.2.2/"] {
            assert_eq!(Target::parse(text).expect_err(text).status, 2, "{text}");
        }
    }
}
