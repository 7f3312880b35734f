//! Wireshark's reader on the command line, as the judge of captures.

use std::path::PathBuf;
use std::process::Command;

/// PI_WARN of Wireshark's expert information. Comments, chats ("connection established") and notes ("this frame
/// initiates the connection closing") lie below.
pub const WARNING: u32 = 0x60_0000;

/// The worst of the severities that `_ws.expert.severity` lists.
pub fn worst(severities: &str) -> u32 {
    let severities = severities.split(',').filter(|severity| !severity.is_empty());
    severities.map(|severity| severity.parse::<u32>().expect("tshark lists numbers")).max().unwrap_or(0)
}

/// A checksum status: 1 is "good", nothing where the frame has no such checksum.
pub fn is_good_or_absent(status: &str) -> bool {
    matches!(status, "" | "1")
}

/// What tshark says of each frame: the fields, tab-separated.
pub fn fields(file: &[u8], name: &str, fields: &[&str]) -> Option<Vec<Vec<String>>> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, file).expect("the folder is ours");
    let mut command = Command::new("tshark");
    command
        .args(["-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields", "-r"])
        .arg(&path);
    fields.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: tshark does not run here ({error}); install it with: apt-get install tshark");
            return None;
        }
        Err(error) => panic!("tshark must run in CI: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("tshark writes UTF-8");
    Some(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
