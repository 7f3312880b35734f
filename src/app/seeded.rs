//! Bytes that look random and are the same for everyone who knows the seed: something to download, and to check.

use crate::random::Random;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// The size of one piece, in bytes.
const PIECE: usize = 64 * 1024;

/// Up to here the digest is computed at once, where the request is handled, which may be the thread of the stack's driver;
/// above, on a thread of its own.
const AT_ONCE: u64 = PIECE as u64;

/// How many digests are remembered.
const REMEMBERED: usize = 1024;

/// The first `N` bytes of the stream that a seed gives, in pieces. A shorter stream is the beginning of a longer one.
///
/// ```
/// use strata::app::seeded::Seeded;
///
/// let all: Vec<u8> = Seeded::new(7, 100_000).flatten().collect();
/// let some: Vec<u8> = Seeded::new(7, 1_000).flatten().collect();
/// assert_eq!((all.len(), &all[..1_000]), (100_000, &some[..]));
/// ```
#[derive(Clone, Debug)]
pub struct Seeded {
    random: Random,
    left: u64,
}

impl Seeded {
    pub fn new(seed: u64, len: u64) -> Seeded {
        Seeded { random: Random::new(seed), left: len }
    }

    /// How many bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// SHA-256 over all that is to come.
    pub fn digest(self) -> Sha {
        let mut hasher = Sha256::new();
        self.for_each(|piece| hasher.update(&piece));
        hasher.finalize().into()
    }
}

impl Iterator for Seeded {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.left == 0 {
            return None;
        }
        let mut piece = vec![0; usize::try_from(self.left).unwrap_or(PIECE).min(PIECE)];
        self.random.fill(&mut piece);
        self.left -= piece.len() as u64;
        Some(Bytes::from(piece))
    }
}

/// The value of SHA-256.
pub type Sha = [u8; 32];

/// Lower-case hexadecimal, as `sha256sum` prints it.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digests of the streams of one seed: each is computed once, and the long ones one at a time.
#[derive(Clone, Debug)]
pub struct Digests {
    seed: u64,
    known: Arc<Mutex<HashMap<u64, Sha>>>,
    gate: Arc<Semaphore>,
}

impl Digests {
    pub fn new(seed: u64) -> Digests {
        Digests { seed, known: Arc::default(), gate: Arc::new(Semaphore::new(1)) }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The digest of the first `len` bytes. A long one is computed on a thread of its own where tokio has one.
    pub async fn of(&self, len: u64) -> Sha {
        if let Some(sha) = self.known(len) {
            return sha;
        }
        let seeded = Seeded::new(self.seed, len);
        if len <= AT_ONCE || tokio::runtime::Handle::try_current().is_err() {
            return self.remember(len, seeded.digest());
        }
        let permit = self.gate.clone().acquire_owned().await;
        if let Some(sha) = self.known(len) {
            return sha;
        }
        // The permit travels with the work: when the client goes away the work goes on, and the next one waits for it.
        let (digests, own) = (self.clone(), seeded.clone());
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            digests.remember(len, own.digest())
        });
        // The only errors are a panic in there or a runtime that shuts down; either way the answer can be had here.
        work.await.unwrap_or_else(|_| seeded.digest())
    }

    fn known(&self, len: u64) -> Option<Sha> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&len).copied()
    }

    fn remember(&self, len: u64, sha: Sha) -> Sha {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(len, sha);
        sha
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_begin_alike() {
        let long: Vec<u8> = Seeded::new(1, 200_001).flatten().collect();
        assert_eq!(long.len(), 200_001);
        for len in [0, 1, 3, 65_535, 65_536, 65_537] {
            let short: Vec<u8> = Seeded::new(1, len).flatten().collect();
            assert_eq!(short, long[..len as usize], "{len} bytes");
        }
        let other: Vec<u8> = Seeded::new(2, 16).flatten().collect();
        assert_ne!(other, long[..16]);
    }

    #[test]
    fn digest_of_nothing_is_the_known_one() {
        let sha = futures::executor::block_on(Digests::new(1).of(0));
        assert_eq!(hex(&sha), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn long_and_short_ways_to_a_digest_agree() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (digests, len) = (Digests::new(3), AT_ONCE + 5);
        let long = runtime.block_on(digests.of(len));
        assert_eq!(long, Seeded::new(3, len).digest());
        assert_eq!(long, futures::executor::block_on(digests.of(len)), "remembered");
    }
}
