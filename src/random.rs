//! The one source of chance in a stack: seeded, so that the same seed and the same inputs give the same frames.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded generator. Its values cannot be predicted from those already seen (RFC 6056 §3.3 and RFC 6528 §3 ask
/// that of ports and sequence numbers), provided that the seed itself came from the system.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    generator: ChaCha8Rng,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { seed, generator: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// All that there is to know of it: its seed, and how far it has come.
    pub fn state(&self) -> (u64, u128) {
        (self.seed, self.generator.get_word_pos())
    }

    /// A generator that goes on from there.
    pub fn at((seed, position): (u64, u128)) -> Random {
        let mut random = Random::new(seed);
        random.generator.set_word_pos(position);
        random
    }

    pub fn next_u32(&mut self) -> u32 {
        self.generator.next_u32()
    }

    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number in `0..bound`, without noticeable bias; zero when `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with the given probability; below 0 counts as 0, above 1 as 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// A number in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The bytes of the values that would come next, the least first.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        // What the generator itself fills it copies four bytes at a time, each by a call: several times slower.
        let (whole, rest) = bytes.as_chunks_mut();
        whole.iter_mut().for_each(|eight| *eight = self.next_u64().to_le_bytes());
        self.generator.fill_bytes(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_what_the_generator_fills() {
        for (before, len) in [(0, 4096), (1, 4096), (63, 300), (0, 0), (1, 1), (2, 7), (3, 8), (5, 1023)] {
            let (mut ours, mut its) = (Random::new(3), Random::new(3));
            for _ in 0..before {
                assert_eq!(ours.next_u32(), its.next_u32());
            }
            let (mut filled, mut expected) = (vec![0; len], vec![0; len]);
            ours.fill(&mut filled);
            its.generator.fill_bytes(&mut expected);
            assert_eq!((filled, ours.state()), (expected, its.state()), "{len} bytes after {before} words");
        }
    }

    #[test]
    fn a_generator_goes_on_from_where_another_was() {
        let mut first = Random::new(7);
        for _ in 0..37 {
            first.next_u32();
            let mut second = Random::at(first.state());
            assert_eq!(second.next_u64(), first.clone().next_u64());
        }
    }

    #[test]
    fn same_seed_gives_same_numbers() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| a.next_u64() == b.next_u64()));
        assert_ne!(Random::new(7).next_u64(), Random::new(8).next_u64());
    }

    #[test]
    fn below_stays_below_and_chance_keeps_its_extremes() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| random.below(10) < 10));
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| !random.chance(0.0) && random.chance(1.0)));
    }
}
