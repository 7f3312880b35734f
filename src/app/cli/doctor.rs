//! `strata doctor`: what this machine allows.

use super::failure::Failure;
use crate::runtime::sandbox::{Finding, diagnose};
use clap::Args;

/// Show each kind of link and tool, whether it works here, and the command that mends it
#[derive(Args, Debug)]
pub struct Doctor {
    /// The findings as a JSON array
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(self) -> Result<u8, Failure> {
        let findings = diagnose();
        if self.json {
            anstream::println!("{:#}", findings.iter().map(to_json).collect::<serde_json::Value>());
        } else {
            findings.iter().for_each(|finding| anstream::print!("{}", line(finding)));
        }
        Ok(0)
    }
}

fn to_json(finding: &Finding) -> serde_json::Value {
    let Finding { subject, works, why, mend } = finding;
    serde_json::json!({ "subject": subject.to_string(), "works": works, "why": why, "mend": mend })
}

/// A mark, the subject, what was found, and on a line of its own what mends it.
fn line(finding: &Finding) -> String {
    let mark = if finding.works { "\x1b[32myes\x1b[0m" } else { "\x1b[31mno \x1b[0m" };
    let mend = finding.mend.as_ref().map_or(String::new(), |mend| format!("       mend it with: {mend}\n"));
    format!("{mark}  \x1b[1m{}\x1b[0m\n       {}\n{mend}", finding.subject, finding.why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sandbox::Subject;

    #[test]
    fn a_finding_says_what_mends_it() {
        let (why, mend) = ("does not exist".to_owned(), Some("sudo modprobe tun".to_owned()));
        let finding = Finding { subject: Subject::TunNode, works: false, why, mend };
        let text = anstream::adapter::strip_str(&line(&finding)).to_string();
        assert_eq!(text, "no   /dev/net/tun\n       does not exist\n       mend it with: sudo modprobe tun\n");
        assert_eq!(to_json(&finding)["works"], false);
    }
}
