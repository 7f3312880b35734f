//! The captures in `pcaps/` are what their commands make, and the page beside them tells the truth.

mod tshark;

use std::fs;
use std::process::Command;
use strata::probe::Direction;
use strata::probe::pcapng::{self, Captured};

const CAPTURE: &str = "pcaps/demo.pcapng";
const PAGE: &str = "pcaps/README.md";

fn demo() -> Vec<u8> {
    fs::read(CAPTURE).expect("pcaps/demo.pcapng is part of the project")
}

fn frames() -> Vec<Captured> {
    pcapng::read(&demo()[..]).expect("a capture that can be read")
}

#[test]
fn the_demo_makes_the_same_capture_here() {
    let path = std::env::temp_dir().join(format!("strata-pcaps-{}.pcapng", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_strata"))
        .args(["demo", "--link", "in-process", "--capture"])
        .arg(&path)
        .output()
        .expect("the strata command runs");
    let made = fs::read(&path);
    let _left_behind = fs::remove_file(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        made.expect("a capture") == demo(),
        "{CAPTURE} is not what the demo makes: if that is meant, run \
         `strata demo --link in-process --capture {CAPTURE}` and go through {PAGE}"
    );
}

#[test]
fn the_page_has_a_row_for_each_frame_with_its_way_and_length() {
    let page = fs::read_to_string(PAGE).expect("a page");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line[2..].starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let frames = frames();
    assert_eq!(rows.len(), frames.len());
    for (number, (row, frame)) in rows.iter().zip(&frames).enumerate() {
        let way = match frame.direction.expect("the capture says which way") {
            Direction::Inbound => "in",
            Direction::Outbound => "out",
        };
        assert_eq!(row[..3], [&(number + 1).to_string(), way, &frame.bytes.len().to_string()]);
        let kind = match (frame.bytes[12], frame.bytes[13]) {
            (8, 6) => "ARP",
            _ if frame.bytes.len() > 66 + 8 && !row[3].starts_with("the ") => "HTTP",
            _ => row[3].split(' ').next().expect("a word"),
        };
        assert!(row[3].starts_with(kind), "frame {}: {}", number + 1, row[3]);
    }
}

#[test]
fn every_frame_is_commented_and_the_numbers_of_the_page_are_in_it() {
    let (page, frames) = (fs::read_to_string(PAGE).expect("a page"), frames());
    assert!(frames.iter().all(|frame| !frame.comments.is_empty()));
    let comments: Vec<&str> = frames.iter().flat_map(|frame| &frame.comments).map(String::as_str).collect();
    let all = comments.join("\n");
    for quoted in [
        "LISTEN -> SYN-RECEIVED: rcv SYN",
        "SYN-RECEIVED -> ESTABLISHED: rcv ACK of SYN",
        "ESTABLISHED -> FIN-WAIT-1: CLOSE",
        "5359 bytes acknowledged, 0 still in flight",
        "0x5a873c10",
        "0x70406d6d",
    ] {
        assert!(page.contains(quoted) && all.contains(quoted), "{quoted}");
    }
}

#[test]
fn tshark_finds_nothing_wrong() {
    let asked = ["_ws.expert.severity", "tcp.checksum.status", "ip.checksum.status", "_ws.malformed"];
    let Some(rows) = tshark::fields(&demo(), "pcaps-demo.pcapng", &asked) else { return };
    assert_eq!(rows.len(), frames().len());
    for (number, row) in rows.iter().enumerate() {
        let row = |column: usize| row.get(column).map_or("", String::as_str);
        assert!(tshark::worst(row(0)) < tshark::WARNING, "frame {}: {}", number + 1, row(0));
        assert!(tshark::is_good_or_absent(row(1)) && tshark::is_good_or_absent(row(2)), "frame {}", number + 1);
        assert_eq!(row(3), "", "frame {}", number + 1);
    }
}
