//! What a transport carries, as far as one line can say.

/// How many characters of a first line or of other data are shown.
const MAX_SHOWN: usize = 56;
/// A first line longer than this is not looked for.
const MAX_FIRST_LINE: usize = 1024;

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];

/// The first line, when the payload begins like an HTTP/1 request or response.
pub(super) fn http_first_line(payload: &[u8]) -> Option<String> {
    let window = &payload[..payload.len().min(MAX_FIRST_LINE)];
    let line = window.split(|byte| *byte == b'\n').next()?;
    if line.len() == window.len() {
        return None;
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_response = line.starts_with(b"HTTP/1.");
    let mut words = line.split(|byte| *byte == b' ');
    let is_method = |word: &[u8]| METHODS.iter().any(|method| method.as_bytes() == word);
    let is_request =
        words.next().is_some_and(is_method) && words.next_back().is_some_and(|version| version.starts_with(b"HTTP/1."));
    (is_response || is_request).then(|| shown(line))
}

/// `"hello world."`, or the first bytes in hexadecimal when little of it is text.
pub(super) fn excerpt(payload: &[u8]) -> String {
    let start = &payload[..payload.len().min(32)];
    let legible = start.iter().filter(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t')).count();
    let more = if start.len() < payload.len() { "..." } else { "" };
    if legible * 10 >= start.len() * 9 {
        return format!("\"{}\"{more}", start.escape_ascii());
    }
    let hex: Vec<String> = start.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("{}{}", hex.join(" "), if payload.len() > 12 { " ..." } else { "" })
}

/// Printable, and no longer than a line has room for.
fn shown(line: &[u8]) -> String {
    let mut text: String = line.iter().take(MAX_SHOWN).map(|byte| printable(*byte)).collect();
    if line.len() > MAX_SHOWN {
        text.push_str("...");
    }
    text
}

pub(super) fn printable(byte: u8) -> char {
    if matches!(byte, b' '..=b'~') { char::from(byte) } else { '.' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_known_by_its_first_line() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(100));
        let rows: [(&str, Option<&str>); 8] = [
            ("GET / HTTP/1.1\r\nHost: x\r\n", Some("GET / HTTP/1.1")),
            ("HTTP/1.1 200 OK\r\n", Some("HTTP/1.1 200 OK")),
            ("HEAD /a\x1b[31m HTTP/1.0\n", Some("HEAD /a.[31m HTTP/1.0")),
            ("GET / HTTP/1.1", None),
            ("GETTING / HTTP/1.1\r\n", None),
            ("GET the milk\r\n", None),
            ("", None),
            (&long, Some("GET /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...")),
        ];
        for (payload, expected) in rows {
            assert_eq!(http_first_line(payload.as_bytes()).as_deref(), expected);
        }
    }

    #[test]
    fn other_data_shows_its_beginning() {
        assert_eq!(excerpt(b"hi\r\n"), r#""hi\r\n""#);
        assert_eq!(excerpt(&[0, 255]), "00 ff");
        assert_eq!(excerpt(&[b'a'; 40]), format!("\"{}\"...", "a".repeat(32)));
        assert_eq!(excerpt(&[0; 13]), format!("{}...", "00 ".repeat(12)));
    }
}
