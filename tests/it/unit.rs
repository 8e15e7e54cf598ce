//! The unit file, as systemd itself judges it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/openeventd.service");

/// Runs systemd-analyze. Where it is not installed the judgement is left out, but not in CI.
#[expect(clippy::print_stderr, reason = "what is left out is said")]
fn systemd_analyze(arguments: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "systemd-analyze: {error}; install systemd");
            eprintln!("NOT TESTED: systemd-analyze: {error}; install systemd");
            None
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let copy = directory.path().join("openeventd.service");
    // The program is not installed here, hence the copy that names one that is.
    let unit = fs::read_to_string(UNIT).expect("the unit is text");
    fs::write(&copy, unit.replace("/usr/bin/openeventd", "/bin/true")).expect("the copy is written");
    let Some(output) = systemd_analyze(&["verify", &copy.to_string_lossy()]) else { return };
    // It ends with 0 even for unknown keys, so anything that it says is a failure.
    assert_eq!(said(&output), "");
}

#[test]
fn the_sandbox_leaves_an_exposure_of_at_most_one_and_a_half() {
    assert!(Path::new(UNIT).exists());
    let arguments = ["security", "--offline=true", "--threshold=15", "--no-pager", UNIT];
    let Some(output) = systemd_analyze(&arguments) else { return };
    assert!(output.status.success(), "{}", said(&output));
}
