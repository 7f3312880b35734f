//! Whoever looks from outside cannot tell that a connection has been folded.

use super::*;
use crate::tcp::Connection;
use crate::tcp::congestion::Algorithm;

/// Folds the connection, if it is at rest, and takes what unfolds in its place. Every field must be there again.
pub fn refold(connection: &mut Connection, now: Instant) -> Option<usize> {
    let wake = std::mem::take(&mut connection.wake);
    let len = refold_silent(connection, now);
    connection.wake = wake;
    len
}

fn refold_silent(connection: &mut Connection, now: Instant) -> Option<usize> {
    // The folder may have been used before.
    let mut folder = Folder::default();
    folder.number(7);
    folder.finish();
    let record = connection.fold(now, &mut folder)?;
    let len = record.len();
    let resting = Resting::new(connection.config().clone(), record);
    let unfolded = resting.unfold(*connection.tuple());
    assert_eq!(format!("{unfolded:#?}"), format!("{connection:#?}"));
    assert_eq!(unfolded.info(), connection.info());
    *connection = unfolded;
    Some(len)
}

#[test]
fn every_controller_can_be_written_down() {
    for algorithm in Algorithm::ALL {
        let mut folder = Folder::default();
        let controller = algorithm.begin(&crate::tcp::congestion::Start { mss: 1000, ..Default::default() });
        assert!(controller.fold(&mut folder), "{algorithm}");
        let record = folder.finish();
        let mut other = algorithm.begin(&Default::default());
        other.unfold(&mut Unfolder::new(&record));
        assert_eq!(format!("{other:?}"), format!("{controller:?}"));
    }
}
