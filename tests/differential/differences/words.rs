//! What is in the text of a packet.

pub fn only_ack(texts: &[String]) -> bool {
    matches!(texts, [only] if only.starts_with('.') && only.contains("(0)"))
}

pub fn is_reset(texts: &[String]) -> bool {
    matches!(texts, [only] if only.starts_with('R'))
}

/// Every word of `fewer` is in `more`, in the same order.
pub fn is_subset(fewer: &str, more: &str) -> bool {
    let mut more = more.split(' ');
    fewer.split(' ').all(|word| more.any(|other| other == word))
}

/// The text without timestamps and SACK blocks.
pub fn bare(text: &str) -> &str {
    text.split(" TS ").next().and_then(|text| text.split(" sack ").next()).unwrap_or(text)
}

/// How much a call to read gave.
pub fn read_len(texts: &[String]) -> Option<u32> {
    texts.first()?.strip_prefix("read ")?.split(' ').next()?.parse().ok()
}

pub fn blocks(text: &str) -> Vec<(i32, i32)> {
    let edges = |block: &str| block.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    text.split(" sack ").skip(1).filter_map(edges).collect()
}

/// The text without the first `count` SACK blocks.
pub fn without_sack(text: &str, count: usize) -> String {
    let mut parts = text.split(" sack ");
    let head = parts.next().unwrap_or(text);
    parts.skip(count).fold(head.to_owned(), |text, block| format!("{text} sack {block}"))
}

/// The text without the echo of a timestamp.
pub fn without_echo(text: &str) -> String {
    let (head, tail) = text.split_once(" TS echo ").unwrap_or((text, ""));
    format!("{head}{}", tail.split_once(' ').map_or(String::new(), |(_, rest)| format!(" {rest}")))
}

/// It is data, or a FIN.
pub fn takes_numbers(text: &str) -> bool {
    text.starts_with("F.") || text.starts_with('.') && !text.contains("(0)")
}

/// The number that a reply acknowledges.
pub fn acknowledged(text: &str) -> Option<i32> {
    text.split_once(" ack ")?.1.split(' ').next()?.parse().ok()
}

/// The first SACK block says what came twice (RFC 2883 §4): it is acknowledged, or lies in another.
pub fn reports_duplicate(text: &str) -> bool {
    let blocks = blocks(text);
    let Some(((left, right), others)) = blocks.split_first() else { return false };
    acknowledged(text).is_some_and(|ack| *right <= ack)
        || others.iter().any(|(start, end)| start <= left && right <= end)
}

/// The text with its first SACK block, a duplicate one, cut to what lies in the stream.
pub fn within_stream(text: &str, first: i32) -> String {
    match blocks(text).first() {
        Some((left, right)) if *left < first => {
            let rest = without_sack(text, 1);
            if *right <= first {
                return rest;
            }
            let head = text.split(" sack ").next().unwrap_or(text);
            format!("{head} sack {first}:{right}{}", &rest[head.len()..])
        }
        _ => text.to_owned(),
    }
}
