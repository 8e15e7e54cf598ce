//! Installing from a clone: what lies where, what an upgrade leaves alone, and what a removal leaves.
//!
//! Into a directory, as packagers do; users and services are the machine's, which no test touches.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_openeventd");

fn install(root: &Path, arguments: &[&str]) -> Output {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/install.sh"))
        .args(arguments)
        .env("DESTDIR", root)
        .env("BINARY", PROGRAM)
        .output()
        .expect("the script runs")
}

fn installed(root: &Path, arguments: &[&str]) -> String {
    let output = install(root, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// All files below `directory` with their modes.
fn files(directory: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).expect("the directory is listed") {
            let path = entry.expect("the entry is read").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let mode = fs::metadata(&path).expect("it exists").permissions().mode() & 0o777;
                let name = path.strip_prefix(directory).expect("it lies below").display().to_string();
                found.insert(name, mode);
            }
        }
    }
    found
}

/// The subcommands, as the program's own help lists them.
fn subcommands() -> Vec<String> {
    let help = Command::new(PROGRAM).arg("--help").output().expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("the help is UTF-8");
    let listed = help.split_once("\nCommands:\n").expect("the help lists commands").1;
    let names = listed.lines().take_while(|line| !line.is_empty());
    let names: Vec<_> = names.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn an_installation_has_program_unit_user_settings_completions_and_a_page_for_each_command() {
    let root = tempfile::tempdir().expect("a directory");
    installed(root.path(), &[]);
    let files = files(root.path());
    for (path, mode) in [
        ("usr/bin/openeventd", 0o755),
        ("usr/lib/systemd/system/openeventd.service", 0o644),
        ("usr/lib/sysusers.d/openeventd.conf", 0o644),
        ("usr/lib/tmpfiles.d/openeventd.conf", 0o644),
        ("etc/openeventd/openeventd.toml", 0o640),
        ("etc/openeventd/rules.d/examples.toml", 0o640),
        ("usr/share/bash-completion/completions/openeventd", 0o644),
        ("usr/share/zsh/vendor-completions/_openeventd", 0o644),
        ("usr/share/fish/vendor_completions.d/openeventd.fish", 0o644),
        ("usr/share/man/man1/openeventd.1", 0o644),
    ] {
        assert_eq!(files.get(path), Some(&mode), "{path} in {files:?}");
    }
    let commands = subcommands();
    assert!(commands.len() > 5, "{commands:?}");
    let completions =
        fs::read_to_string(root.path().join("usr/share/bash-completion/completions/openeventd"))
            .expect("it is text");
    for command in commands.iter().filter(|command| *command != "help") {
        assert!(files.contains_key(&format!("usr/share/man/man1/openeventd-{command}.1")), "{command}");
        assert!(completions.contains(&format!("openeventd__subcmd__{command})")), "{command}");
    }
    assert!(!files.keys().any(|path| path.contains(".new")), "{files:?}");
}

#[test]
fn an_upgrade_leaves_what_a_person_wrote() {
    let root = tempfile::tempdir().expect("a directory");
    installed(root.path(), &[]);
    let (settings, program) =
        (root.path().join("etc/openeventd/openeventd.toml"), root.path().join("usr/bin/openeventd"));
    fs::write(&settings, "# mine\n").expect("it is written");
    fs::remove_file(root.path().join("etc/openeventd/rules.d/examples.toml")).expect("it is there");
    fs::write(&program, "an old program").expect("it is written");
    installed(root.path(), &["install"]);
    assert_eq!(fs::read_to_string(&settings).expect("it is text"), "# mine\n");
    assert!(!root.path().join("etc/openeventd/rules.d/examples.toml").exists(), "removed rules stay removed");
    assert_eq!(
        fs::metadata(&program).expect("it is there").len(),
        fs::metadata(PROGRAM).expect("built").len()
    );
}

#[test]
fn a_removal_leaves_settings_and_audit_and_a_purge_leaves_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    installed(root.path(), &[]);
    let state = root.path().join("var/lib/openeventd");
    fs::create_dir_all(&state).expect("the directory is made");
    fs::write(state.join("audit.db"), "").expect("it is written");
    installed(root.path(), &["uninstall"]);
    let left: Vec<String> = files(root.path()).into_keys().collect();
    assert_eq!(
        left,
        [
            "etc/openeventd/openeventd.toml",
            "etc/openeventd/rules.d/examples.toml",
            "var/lib/openeventd/audit.db"
        ]
    );
    // Twice is no mistake.
    installed(root.path(), &["uninstall"]);
    installed(root.path(), &["purge"]);
    assert_eq!(files(root.path()), BTreeMap::new());
}

#[test]
fn wrong_uses_of_the_script_are_explained() {
    let root = tempfile::tempdir().expect("a directory");
    let output = install(root.path(), &["remove"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("the output is UTF-8");
    assert!(said.contains("`remove`: expected install, uninstall or purge"), "{said}");
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/install.sh"))
        .env("DESTDIR", root.path())
        .env("BINARY", root.path().join("missing"))
        .output()
        .expect("the script runs");
    let said = String::from_utf8(output.stderr).expect("the output is UTF-8");
    assert!(said.contains("cargo build --release --locked"), "{said}");
    assert_eq!(files(root.path()), BTreeMap::new(), "nothing is half installed");
}
