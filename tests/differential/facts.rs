//! What is known of our own connection before each step, for the rules of `differences`.

use std::sync::{Arc, Mutex};
use strata::event::{Event, Observer, Record, TcpEvent, TcpState};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    pub state: TcpState,
    /// What the step's segment acknowledges lies before everything that was ever acknowledged.
    pub ack_is_too_old: bool,
    /// It acknowledges our ISN, as if our SYN were data.
    pub ack_is_isn: bool,
    /// Where the text of the step's segment ends, and where its FIN lies: counted as in the traces.
    pub end: Option<i32>,
    pub fin: Option<i32>,
    /// The first byte of the peer's stream, counted the same way.
    pub first: i32,
}

/// Follows the state of the only connection.
#[derive(Clone, Debug)]
pub struct Watcher(Arc<Mutex<TcpState>>);

impl Watcher {
    pub fn new() -> Watcher {
        Watcher(Arc::new(Mutex::new(TcpState::Closed)))
    }

    pub fn state(&self) -> TcpState {
        *self.0.lock().expect("nobody panics with it")
    }

    pub fn set(&self, state: TcpState) {
        *self.0.lock().expect("nobody panics with it") = state;
    }
}

impl Observer for Watcher {
    fn observe(&mut self, record: &Record<'_>) {
        if let Event::Tcp { event: TcpEvent::State { to, .. }, .. } = record.event {
            self.set(to);
        }
    }
}
