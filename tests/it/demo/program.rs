//! How the built program begins a demonstration; its whole course is in the slow suite.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_openeventd");

#[test]
fn a_configuration_that_is_named_is_refused_and_nothing_is_made() {
    let parent = tempfile::tempdir().expect("a directory");
    for arguments in [["demo", "--config", "mine.toml"], ["--config", "mine.toml", "demo"]] {
        let output = Command::new(PROGRAM)
            .args(arguments)
            .env_clear()
            .current_dir(parent.path())
            .output()
            .expect("the program runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(said.contains("demo writes its own configuration: instead of --config, use --dir"), "{said}");
    }
    assert_eq!(std::fs::read_dir(parent.path()).expect("listed").count(), 0, "nothing was made");
}

#[test]
fn the_environment_s_configuration_and_filter_of_the_log_are_not_looked_at() {
    let parent = tempfile::tempdir().expect("a directory");
    let mut demo = Command::new(PROGRAM)
        .arg("demo")
        .env_clear()
        .env("RUST_LOG", "bad[[")
        .env("OPENEVENTD_CONFIG", "/nowhere/openeventd.toml")
        .current_dir(parent.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let stdout = BufReader::new(demo.stdout.take().expect("a pipe"));
    let begun = stdout.lines().any(|line| line.expect("text").contains("Waiting for the consumer group"));
    demo.kill().expect("it is ours");
    demo.wait().expect("it ends");
    assert!(begun, "it ended before it began");
}
