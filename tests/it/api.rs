//! `openeventd api`, `policy ram` and `check --calls`: the catalogue as people browse and use it.

mod called;

mod looked_up;

mod needed;

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::endpoint::{ACCESS_KEY_ID, ACCESS_KEY_SECRET};

/// What the environment of a call holds.
const KEYS: [(&str, &str); 2] =
    [("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET)];

/// What the program said.
#[derive(Debug)]
struct Said {
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn run(directory: &Path, environment: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Said {
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(environment.iter().copied())
        .env("OPENEVENTD_CONFIG", "openeventd.toml")
        .write_stdin(stdin)
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    let said = Said {
        exit: output.status.code().expect("no signal ended it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!said.stdout.contains(ACCESS_KEY_SECRET) && !said.stderr.contains(ACCESS_KEY_SECRET), "{said:?}");
    said
}

/// Looks something up, which needs neither keys nor a configuration.
fn look_up(arguments: &[&str]) -> Said {
    let directory = tempfile::tempdir().expect("a temporary directory");
    run(directory.path(), &[], arguments, "")
}

fn configured(files: &[(&str, &str)]) -> TempDir {
    const KAFKA: &str = "[kafka]\nbootstrap_servers = [\"127.0.0.1:1\"]\ntopics = [\"t\"]\ngroup_id = \"g\"\n\
                         security_protocol = \"plaintext\"\n";
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("rules.d")).expect("the directory is made");
    for (name, text) in files {
        let text = if *name == "openeventd.toml" { format!("{KAFKA}{text}") } else { (*text).to_owned() };
        std::fs::write(directory.path().join(name), text).expect("the file is written");
    }
    directory
}
