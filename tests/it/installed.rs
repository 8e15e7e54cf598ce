//! Installing from a clone: what lies where, what an upgrade leaves alone, and what a removal leaves.
//!
//! Into a directory, as packagers do; users and services are the machine's, which no test touches.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
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

/// What a person puts below `root`.
fn written_settings(root: &Path) -> PathBuf {
    let directory = root.join("etc/openeventd");
    fs::create_dir_all(&directory).expect("the directory is made");
    let settings = directory.join("openeventd.toml");
    fs::write(&settings, "# mine\n").expect("it is written");
    settings
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
        ("usr/share/doc/openeventd/openeventd.toml", 0o644),
        ("usr/share/doc/openeventd/rules.d/instances.toml", 0o644),
        ("usr/share/doc/openeventd/rules.d/instances.test.toml", 0o644),
        ("usr/share/doc/openeventd/rules.d/events/nodes-failed.json", 0o644),
        ("usr/share/doc/openeventd/schema/config.schema.json", 0o644),
        ("usr/share/doc/openeventd/schema/rules.schema.json", 0o644),
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
        let function = format!("openeventd__subcmd__{})", command.replace('-', "__subcmd__"));
        assert!(completions.contains(&function), "{command}");
    }
    assert!(!files.keys().any(|path| path.contains(".new")), "{files:?}");
}

#[test]
fn an_upgrade_leaves_what_a_person_wrote() {
    let root = tempfile::tempdir().expect("a directory");
    installed(root.path(), &[]);
    let program = root.path().join("usr/bin/openeventd");
    let settings = written_settings(root.path());
    fs::write(&program, "an old program").expect("it is written");
    installed(root.path(), &["install"]);
    assert_eq!(fs::read_to_string(&settings).expect("it is text"), "# mine\n");
    assert_eq!(
        fs::metadata(&program).expect("it is there").len(),
        fs::metadata(PROGRAM).expect("built").len()
    );
}

#[test]
fn a_removal_leaves_settings_and_audit_and_a_purge_leaves_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    installed(root.path(), &[]);
    written_settings(root.path());
    let state = root.path().join("var/lib/openeventd");
    fs::create_dir_all(&state).expect("the directory is made");
    fs::write(state.join("audit.db"), "").expect("it is written");
    installed(root.path(), &["uninstall"]);
    let left: Vec<String> = files(root.path()).into_keys().collect();
    assert_eq!(left, ["etc/openeventd/openeventd.toml", "var/lib/openeventd/audit.db"]);
    // Twice is no mistake.
    installed(root.path(), &["uninstall"]);
    let said = installed(root.path(), &["purge"]);
    assert_eq!(files(root.path()), BTreeMap::new());
    for removed in ["etc/openeventd (", "var/lib/openeventd ("] {
        assert!(said.contains(&format!("removed {}/{removed}", root.path().display())), "{said}");
    }
    assert!(!said.contains("stays"), "{said}");
    let said = installed(root.path(), &["purge"]);
    assert!(!said.contains("removed /"), "there was nothing more: {said}");
}

#[test]
fn a_purge_tells_of_an_audit_that_lies_elsewhere_and_leaves_it() {
    let root = tempfile::tempdir().expect("a directory");
    installed(root.path(), &[]);
    let audit = root.path().join("srv/audit.db");
    fs::create_dir_all(root.path().join("srv")).expect("the directory is made");
    fs::write(&audit, "").expect("it is written");
    let settings = root.path().join("etc/openeventd/openeventd.toml");
    for (settings_of_it, is_told) in [
        (format!("[store]\nwal_bytes_max = \"1MiB\"\npath = \"{}\"\n", audit.display()), true),
        ("[store]\npath = \"/var/lib/openeventd/audit.db\"\n".to_owned(), false),
        ("[store]\n#path = \"/elsewhere\"\n[other]\npath = \"/another\"\n".to_owned(), false),
    ] {
        fs::create_dir_all(root.path().join("etc/openeventd")).expect("the directory is made");
        fs::write(&settings, &settings_of_it).expect("it is written");
        let said = installed(root.path(), &["purge"]);
        let told = format!("stays where the settings had it: store.path = \"{}\"", audit.display());
        assert_eq!(said.contains(&told), is_told, "{settings_of_it}: {said}");
        assert_eq!(said.contains("stays"), is_told, "{settings_of_it}: {said}");
        assert!(audit.exists());
    }
}

#[test]
fn the_root_directory_is_no_directory_to_install_into() {
    for root in ["/", "//"] {
        // An unknown command: if it were not for the directory, it would be refused for that.
        let output = install(Path::new(root), &["no-command"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).expect("the output is UTF-8");
        assert!(said.contains("leave DESTDIR out"), "{root}: {said}");
    }
}

#[test]
fn directories_are_open_to_all_whatever_the_caller_s_mask() {
    let root = tempfile::tempdir().expect("a directory");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/install.sh");
    let output = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\"", script])
        .env("DESTDIR", root.path())
        .env("BINARY", PROGRAM)
        .output()
        .expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for directory in
        ["usr", "usr/bin", "usr/lib/systemd/system", "usr/share/man/man1", "usr/share/doc/openeventd"]
    {
        let mode = fs::metadata(root.path().join(directory)).expect("it is made").permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{directory}");
    }
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
