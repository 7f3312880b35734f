//! A ring of bytes, indexed by stream position.

use crate::pool::Pool;

/// Empty, or a power of two long: the byte at position `p` is at `(p - origin) % len`. A ring that was just taken begins
/// at its beginning, which is where it is warm.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    bytes: Vec<u8>,
    origin: u64,
}

impl Ring {
    /// A ring of `len` bytes, a power of two; what it begins with has the position `origin`.
    pub fn take(len: usize, origin: u64, pool: &mut Pool) -> Ring {
        Ring { bytes: pool.take_ring(len), origin }
    }

    pub fn give_back(self, pool: &mut Pool) {
        pool.give_ring(self.bytes);
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How much of it has been used when all has been read up to `position`.
    pub fn used(&self, position: u64) -> usize {
        ((position - self.origin) as usize).min(self.len())
    }

    /// The bytes from `position` on, which it has room for.
    pub fn put(&mut self, position: u64, data: &[u8]) {
        let start = self.place(position);
        let front = data.len().min(self.len() - start);
        self.bytes[start..start + front].copy_from_slice(&data[..front]);
        self.bytes[..data.len() - front].copy_from_slice(&data[front..]);
    }

    /// `len` bytes from `position` on, where they lie.
    pub fn slices(&self, position: u64, len: usize) -> [&[u8]; 2] {
        if len == 0 {
            return [&[]; 2];
        }
        let start = self.place(position);
        let front = len.min(self.len() - start);
        [&self.bytes[start..start + front], &self.bytes[..len - front]]
    }

    fn place(&self, position: u64) -> usize {
        (position - self.origin) as usize & (self.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_its_end_goes_on_at_its_beginning() {
        let mut pool = Pool::default();
        let mut ring = Ring::take(16, 1000, &mut pool);
        ring.put(1010, b"0123456789");
        assert_eq!(ring.slices(1010, 10), [&b"012345"[..], b"6789"]);
        assert_eq!(ring.slices(1016, 4), [&b"6789"[..], b""]);
        assert_eq!([ring.used(1000), ring.used(1010), ring.used(1030)], [0, 10, 16]);
        assert_eq!(Ring::default().slices(7, 0), [&b""[..]; 2]);
    }
}
