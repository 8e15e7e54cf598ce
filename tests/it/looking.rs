//! Looking at what happened, as a person does: the built program over a real database.

mod answers;
mod condition;
mod explained;
mod found;
mod lists;
mod quota;
mod stories;
mod unfit;
mod whys;

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

/// What the program said.
struct Said {
    exit: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    /// Standard output as JSON lines.
    fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Fails unless it ended with `exit` and its output has each of `parts`, in this order.
    fn assert(&self, exit: i32, parts: &[&str]) {
        let Said { stdout, stderr, .. } = self;
        assert_eq!(self.exit, exit, "{stdout}\n{stderr}");
        let mut rest = stdout.as_str();
        for part in parts {
            rest = rest.split_once(part).unwrap_or_else(|| panic!("no `{part}` in order in:\n{stdout}")).1;
        }
    }
}

/// Runs `openeventd` with `arguments` on the database at `path`.
fn openeventd(path: &Path, arguments: &[&str]) -> Said {
    openeventd_with(path, arguments, "")
}

fn openeventd_with(path: &Path, arguments: &[&str], stdin: &str) -> Said {
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(arguments)
        .arg("--database")
        .arg(path)
        .env_clear()
        .write_stdin(stdin)
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    Said {
        exit: output.status.code().expect("no signal ended it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
