//! `openeventd check` and the command line, as a user meets them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const GOOD: &str = r#"
[kafka]
bootstrap_servers = ["127.0.0.1:1"]
topics = ["events"]
group_id = "group"
security_protocol = "plaintext"
"#;

fn given(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a parent")).expect("directories are made");
        fs::write(path, text).expect("files are written");
    }
    directory
}

/// Exit code, standard output and standard error of the program in `directory`.
fn openeventd(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("openeventd")
        .expect("the program is built")
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal ended it"), text(output.stdout), text(output.stderr))
}

/// Every file below `directory` with its content.
fn snapshot(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("the directory is listed") {
        let path = entry.expect("the entry is read").path();
        if path.is_dir() {
            found.extend(snapshot(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).expect("the file is read"));
        }
    }
    found
}

#[test]
fn a_good_configuration_gives_one_line_and_touches_nothing() {
    let directory = given(&[("openeventd.toml", GOOD), ("rules.d/notes.md", "no rule")]);
    let before = snapshot(directory.path());
    let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, "ok: 0 rules, 0 accounts; 0 errors, 0 warnings\n", "")
    );
    assert_eq!(snapshot(directory.path()), before);
}

#[test]
fn wrong_settings_are_shown_on_standard_error_and_counted_on_standard_output() {
    let text = format!("{GOOD}topcis = [\"a\"]\nbatch_max = \"many\"\n");
    let directory = given(&[("openeventd.toml", &text)]);
    let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!((code, stdout.as_str()), (78, "not ok: 2 errors, 0 warnings\n"), "{stderr}");
    assert!(stderr.contains("openeventd.toml:7:1: error: kafka.topcis: unknown key"), "{stderr}");
    assert!(stderr.contains("help: did you mean `topics`?"), "{stderr}");
}

#[test]
fn a_warning_does_not_refuse_the_configuration() {
    let text = format!("{GOOD}username = \"alice\"\n");
    let directory = given(&[("openeventd.toml", &text)]);
    let (code, stdout, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!((code, stdout.as_str()), (0, "ok: 0 rules, 0 accounts; 0 errors, 1 warning\n"));
    assert!(stderr.contains("warning: kafka.username: has no use"), "{stderr}");
}

#[test]
fn a_rule_that_cannot_be_read_refuses_the_configuration() {
    let directory = given(&[("openeventd.toml", GOOD)]);
    fs::create_dir(directory.path().join("rules.d")).expect("the directory is made");
    fs::write(directory.path().join("rules.d/a.toml"), b"\xff").expect("the file is written");
    let (code, _, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("rules.d/a.toml is not UTF-8 text"), "{stderr}");
}

#[test]
fn a_configuration_that_cannot_be_read_stops_every_subcommand_with_78_and_the_cause() {
    let directory = given(&[]);
    for subcommand in ["check", "run"] {
        let (code, _, stderr) = openeventd(directory.path(), &[subcommand, "--config", "none.toml"]);
        assert_eq!(code, 78);
        assert_eq!(
            stderr,
            "openeventd: cannot read the configuration none.toml: name it with --config or OPENEVENTD_CONFIG, \
             or write one with `openeventd init`: No such file or directory (os error 2)\n"
        );
    }
}

#[test]
fn wrong_arguments_end_with_64_and_help_and_version_with_0() {
    let directory = given(&[]);
    for arguments in [&["chekc"][..], &[], &["check", "--confg", "x"], &["run", "extra"]] {
        let (code, stdout, stderr) = openeventd(directory.path(), arguments);
        assert_eq!((code, stdout.as_str()), (64, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
    let (code, stdout, _) = openeventd(directory.path(), &["--version"]);
    assert_eq!((code, stdout.as_str()), (0, concat!("openeventd ", env!("CARGO_PKG_VERSION"), "\n")));
    let (code, stdout, _) = openeventd(directory.path(), &["--help"]);
    assert_eq!(code, 0);
    assert!(stdout.contains("Examples:") && stdout.contains("78  wrong configuration"), "{stdout}");
}
