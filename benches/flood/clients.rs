//! New clients: each connects, asks for a page, reads it, and is gone.

use crate::support::SERVER;
use crate::support::client::{BODY, fetch_once};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many take turns, so that one that has to wait holds up nobody.
const THREADS: u32 = 4;
/// How long each rests before it comes again as a new client.
const REST: Duration = Duration::from_millis(40);

/// What a client met: how long its page took from the call that connects, if it got one.
pub type Visit = Option<Duration>;

/// Threads that visit, and what they have met since somebody last asked.
pub struct Clients(Arc<Mutex<Vec<Visit>>>);

impl Clients {
    pub fn begin() -> Clients {
        let visits = Arc::<Mutex<Vec<Visit>>>::default();
        for number in 0..THREADS {
            let visits = visits.clone();
            std::thread::spawn(move || {
                std::thread::sleep(REST / THREADS * number);
                loop {
                    let visit = visit();
                    visits.lock().unwrap_or_else(PoisonError::into_inner).push(visit);
                    std::thread::sleep(REST);
                }
            });
        }
        Clients(visits)
    }

    pub fn take(&self) -> Vec<Visit> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn visit() -> Visit {
    let (began, mut response) = (Instant::now(), Vec::new());
    let came = fetch_once(SERVER, &mut response);
    (came.is_ok() && response.len() >= BODY).then(|| began.elapsed())
}
