//! `openeventd init`, as a user meets it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

mod terminal;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// A directory with a password in a file.
fn with_password() -> TempDir {
    let directory = directory();
    let path = directory.path().join("password");
    fs::write(&path, "kafka-secret\n").expect("the file is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    directory
}

/// Exit code, standard output and standard error of the program in `directory`, without a terminal.
fn openeventd(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    openeventd_with(directory, arguments, &[])
}

fn openeventd_with(
    directory: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_openeventd"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    (output.status.code().expect("no signal ended it"), text(output.stdout), text(output.stderr))
}

const FLAGS: [&str; 9] = [
    "init",
    "--bootstrap-servers",
    "broker-1.example.com:9093,broker-2.example.com:9093",
    "--topic",
    "dataworks-openevent",
    "--username",
    "alice",
    "--password-file",
    "password",
];

fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FLAGS.iter().copied().chain(more.iter().copied()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Names of everything below `directory`, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it is listed") {
        let path = entry.expect("the entry is read").path();
        if path.is_dir() {
            found.extend(names(&path));
        }
        found.push(path.display().to_string());
    }
    found.sort();
    found
}

#[test]
fn flags_alone_give_a_configuration_that_check_accepts_and_name_the_next_commands() {
    let directory = with_password();
    let root = directory.path();
    let (code, stdout, stderr) = openeventd(root, &flags(&["--endpoint-identification", "none"]));
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    for expected in [
        "wrote ./rules.d/first.toml\nwrote ./openeventd.toml\n",
        "check: ok: 1 rule, 0 accounts; 0 errors, 1 warning\n",
        "  openeventd tail --config openeventd.toml --from 1h\n",
        "  openeventd run --config openeventd.toml\n",
    ] {
        assert!(stdout.contains(expected), "{stdout}");
    }
    let text = fs::read_to_string(root.join("openeventd.toml")).expect("it was written");
    let table: toml::Table = text.parse().expect("it is TOML");
    let kafka = table["kafka"].as_table().expect("a table");
    assert_eq!(kafka["bootstrap_servers"].as_array().map(Vec::len), Some(2));
    assert_eq!(kafka["group_id"].as_str(), Some("openeventd"));
    assert_eq!(kafka["ssl_endpoint_identification"].as_str(), Some("none"));
    assert_eq!(kafka["password"]["file"].as_str(), root.join("password").to_str());
    assert_eq!(table["store"]["path"].as_str(), Some("audit.db"));
    assert!(table.get("account").is_none() && table.get("policy").is_none());
    assert_eq!(mode(&root.join("openeventd.toml")) & 0o027, 0);
    let (code, stdout, _) = openeventd(root, &["check", "--config", "openeventd.toml"]);
    assert_eq!((code, stdout.as_str()), (0, "ok: 1 rule, 0 accounts; 0 errors, 1 warning\n"));
}

#[test]
fn what_the_daemons_group_must_read_is_given_to_the_group_of_the_directory() {
    let directory = with_password();
    let root = directory.path();
    // Only root can give it away; for others it stays their own, and the same must hold.
    let _not_root = chown(root, None, Some(54_321));
    let (code, _, stderr) = openeventd(root, &flags(&[]));
    assert_eq!(code, 0, "{stderr}");
    let group = |path: &Path| fs::metadata(path).expect("it is there").gid();
    for path in ["openeventd.toml", "rules.d", "rules.d/first.toml"] {
        assert_eq!(group(&root.join(path)), group(root), "{path}");
    }
}

#[test]
fn what_stands_there_commented_out_is_right_too() {
    let directory = with_password();
    let root = directory.path();
    let (code, _, stderr) = openeventd(root, &flags(&[]));
    assert_eq!(code, 0, "{stderr}");
    let file = root.join("openeventd.toml");
    let text = fs::read_to_string(&file).expect("it was written");
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
            _ => line,
        })
        .collect();
    fs::write(&file, uncommented.join("\n")).expect("it is written");
    fs::create_dir_all(root.join("secrets")).expect("it is made");
    let secret = root.join("secrets/access-key-secret");
    fs::write(&secret, "secret").expect("it is written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let (code, stdout, stderr) = openeventd(root, &["check", "--config", "openeventd.toml"]);
    assert_eq!((code, stdout.as_str()), (0, "ok: 1 rule, 1 account; 0 errors, 0 warnings\n"), "{stderr}");
}

#[test]
fn without_a_terminal_all_that_is_missing_is_named_at_once() {
    let directory = directory();
    let (code, stdout, stderr) = openeventd(directory.path(), &["init"]);
    assert_eq!((code, stdout.as_str()), (64, ""));
    assert_eq!(
        stderr,
        "openeventd: standard input is no terminal, so nothing can be asked; missing: --bootstrap-servers, --topic, \
         --username, one of --password-file, --password-env, --password-credential\n"
    );
    assert_eq!(names(directory.path()), Vec::<String>::new());
    let plain = ["init", "--security-protocol", "plaintext", "--topic", "t"];
    let (code, _, stderr) = openeventd(directory.path(), &plain);
    assert_eq!(code, 64);
    assert!(stderr.ends_with("missing: --bootstrap-servers\n"), "{stderr}");
}

#[test]
fn nothing_is_overwritten_and_every_file_that_stands_in_the_way_is_named() {
    for (present, named) in [
        (&["openeventd.toml"][..], "./openeventd.toml exists already"),
        (&["rules.d/first.toml"], "./rules.d/first.toml exists already"),
        (
            &["openeventd.toml", "secrets/kafka-password"],
            "./openeventd.toml, ./secrets/kafka-password exists",
        ),
    ] {
        let directory = with_password();
        for file in present {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it is made");
            fs::write(path, "mine").expect("it is written");
        }
        let before = names(directory.path());
        let (code, _, stderr) = openeventd(directory.path(), &flags(&[]));
        assert_eq!(code, 73, "{stderr}");
        assert!(stderr.contains(named), "{stderr}");
        assert_eq!(names(directory.path()), before);
    }
}

#[test]
fn what_check_refuses_leaves_nothing_behind() {
    for (flag, value, told) in [
        ("--topic", "no topic!", "kafka.topics[1]"),
        ("--bootstrap-servers", "no-port", "kafka.bootstrap_servers[2]"),
        ("--ca-file", "missing.pem", "kafka.ssl_ca_location"),
    ] {
        let directory = with_password();
        let before = names(directory.path());
        let (code, stdout, stderr) = openeventd(directory.path(), &flags(&["--dir", "a/b", flag, value]));
        assert_eq!((code, stdout.as_str()), (78, ""), "{stderr}");
        assert!(stderr.contains(told) && stderr.ends_with("openeventd: nothing was written\n"), "{stderr}");
        assert_eq!(names(directory.path()), before);
    }
    let directory = with_password();
    fs::set_permissions(directory.path().join("password"), fs::Permissions::from_mode(0o644)).expect("ours");
    let (code, _, stderr) = openeventd(directory.path(), &flags(&[]));
    assert_eq!(code, 78);
    assert!(stderr.contains("others can read") && stderr.contains("chmod 0600"), "{stderr}");
}

#[test]
fn values_with_quotes_backslashes_and_other_alphabets_come_through() {
    let directory = directory();
    let root = directory.path().join("a dir 补 \"q\" \\b");
    fs::create_dir(&root).expect("it is made");
    fs::write(root.join("p\"w\\d"), "secret").expect("it is written");
    fs::set_permissions(root.join("p\"w\\d"), fs::Permissions::from_mode(0o600)).expect("it is ours");
    let arguments = [
        "init",
        "--bootstrap-servers",
        "b:9093",
        "--topic",
        "t",
        "--username",
        "用户 \"x\" \\ '",
        "--password-file",
        "p\"w\\d",
        "--group-id",
        "g\"'\\",
    ];
    let (code, stdout, stderr) = openeventd(&root, &arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let text = fs::read_to_string(root.join("openeventd.toml")).expect("it was written");
    let table: toml::Table = text.parse().expect("it is TOML");
    assert_eq!(table["kafka"]["username"].as_str(), Some("用户 \"x\" \\ '"));
    assert_eq!(table["kafka"]["group_id"].as_str(), Some("g\"'\\"));
    assert_eq!(table["kafka"]["password"]["file"].as_str(), root.join("p\"w\\d").to_str());
    assert_eq!(openeventd(&root, &["check", "--config", "openeventd.toml"]).0, 0);
    let elsewhere = flags(&["--dir", "it's here"]);
    let (_, stdout, _) = openeventd(with_password().path(), &elsewhere);
    assert!(stdout.contains(r"tail --config 'it'\''s here/openeventd.toml'"), "{stdout}");
}

#[test]
fn a_password_that_is_elsewhere_need_not_be_there_yet() {
    let base = ["init", "--bootstrap-servers", "b:9093", "--topic", "t", "--username", "alice"];
    for (flag, value, written) in [
        ("--password-env", "KAFKA_PASSWORD", "password = { env = \"KAFKA_PASSWORD\" }"),
        ("--password-credential", "kafka-password", "password = { credential = \"kafka-password\" }"),
    ] {
        let directory = directory();
        let arguments: Vec<&str> = base.into_iter().chain([flag, value]).collect();
        let (code, stdout, stderr) = openeventd(directory.path(), &arguments);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.contains("check: the password is not here"), "{stdout}");
        let text = fs::read_to_string(directory.path().join("openeventd.toml")).expect("it was written");
        assert!(text.contains(written), "{text}");
    }
}

#[test]
fn a_broken_rule_that_was_there_is_told_wherever_the_password_is() {
    let base = ["init", "--bootstrap-servers", "b:9093", "--topic", "t", "--username", "alice"];
    for password in [
        ["--password-file", "password"],
        ["--password-env", "KAFKA_PASSWORD"],
        ["--password-credential", "kafka-password"],
    ] {
        let directory = with_password();
        let root = directory.path();
        fs::create_dir(root.join("rules.d")).expect("it is made");
        fs::write(root.join("rules.d/theirs.toml"), "[[rule]]\nnaem = 1\n").expect("it is written");
        let before = names(root);
        let arguments: Vec<&str> = base.into_iter().chain(password).collect();
        let (code, stdout, stderr) = openeventd(root, &arguments);
        assert_eq!((code, stdout.as_str()), (78, ""), "{stderr}");
        assert!(stderr.contains("theirs.toml:2:1: error"), "{stderr}");
        assert!(!stderr.contains("kafka.password"), "{stderr}");
        assert!(stderr.ends_with("openeventd: nothing was written\n"), "{stderr}");
        assert_eq!(names(root), before);
    }
}

#[test]
fn settings_of_the_environment_neither_mend_nor_spoil_what_is_written() {
    let directory = with_password();
    let servers = [("OPENEVENTD__KAFKA__BOOTSTRAP_SERVERS", "b:9093")];
    let arguments = flags(&["--bootstrap-servers", "no-port"]);
    let (code, _, stderr) = openeventd_with(directory.path(), &arguments, &servers);
    assert_eq!(code, 78);
    assert!(stderr.contains("kafka.bootstrap_servers[2]"), "{stderr}");
    for wrong in [("OPENEVENTD__KAFKA__TOPICS", "no topic!"), ("OPENEVENTD__NO__SUCH", "1")] {
        let directory = with_password();
        let (code, stdout, stderr) = openeventd_with(directory.path(), &flags(&[]), &[wrong]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.contains("check: ok: 1 rule"), "{stdout}");
    }
    // Where secrets are kept is no setting.
    let base = ["init", "--bootstrap-servers", "b:9093", "--topic", "t", "--username", "alice"];
    let arguments: Vec<&str> = base.into_iter().chain(["--password-env", "KAFKA_PASSWORD"]).collect();
    let (_, stdout, _) =
        openeventd_with(with_password().path(), &arguments, &[("KAFKA_PASSWORD", "kafka-secret")]);
    assert!(stdout.contains("check: ok: 1 rule"), "{stdout}");
}

#[test]
fn an_explicit_configuration_is_refused_and_one_of_the_environment_is_not_used() {
    let directory = with_password();
    for arguments in [flags(&["--config", "other.toml"]), [&["--config", "other.toml"], &FLAGS[..]].concat()]
    {
        let (code, stdout, stderr) = openeventd(directory.path(), &arguments);
        assert_eq!((code, stdout.as_str()), (64, ""));
        assert!(stderr.contains("use --dir"), "{stderr}");
        assert!(!directory.path().join("openeventd.toml").exists());
    }
    let (code, stdout, stderr) =
        openeventd_with(directory.path(), &flags(&[]), &[("OPENEVENTD_CONFIG", "other.toml")]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("wrote ./openeventd.toml"), "{stdout}");
}

#[test]
fn a_flag_without_use_is_refused_and_no_flag_takes_a_password() {
    let directory = with_password();
    let arguments = flags(&["--security-protocol", "ssl"]);
    let (code, _, stderr) = openeventd(directory.path(), &arguments);
    assert_eq!(code, 64);
    assert!(stderr.contains("--username has no use with --security-protocol ssl"), "{stderr}");
    let (code, _, stderr) = openeventd(directory.path(), &flags(&["--password", "x"]));
    assert_eq!(code, 64, "{stderr}");
    let (code, _, _) = openeventd(directory.path(), &flags(&["--password-env", "X"]));
    assert_eq!(code, 64, "one place is enough");
}
