//! Keys in files: a rotated file is picked up, and one that cannot be used changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openeventd::config::{self, Environment};
use openeventd::openapi::credential::{Credentials, Source};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::openapi::NOW_MS;

/// An account whose secret is in a file, and whose id is among systemd's credentials.
struct Given {
    directory: TempDir,
    source: Arc<Source>,
}

impl Given {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let secret = directory.path().join("secret");
        write(&secret, "first-secret\n", 0o600);
        write(&directory.path().join("id"), "first-id", 0o444);
        let text = format!(
            "[kafka]\nbootstrap_servers = [\"127.0.0.1:9092\"]\ntopics = [\"t\"]\ngroup_id = \"g\"\n\
             security_protocol = \"plaintext\"\n[account.main]\nregion = \"cn-shanghai\"\nedition = \"basic\"\n\
             access_key_id = {{ credential = \"id\" }}\naccess_key_secret = {{ file = \"{}\" }}\n",
            secret.display()
        );
        let file = directory.path().join("openeventd.toml");
        fs::write(&file, text).expect("the configuration is written");
        let environment: Environment =
            [("CREDENTIALS_DIRECTORY", directory.path().display().to_string())].into_iter().collect();
        let (config, _) = config::load(&file, &environment).expect("the configuration is right");
        Given { source: Arc::clone(&config.accounts[0].credentials), directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn at(&self, second: i64) -> (String, String) {
        let got = self.source.get(NOW_MS + second * 1_000).await.expect("credentials");
        let Credentials { access_key_id, access_key_secret, .. } = &*got;
        (access_key_id.clone(), access_key_secret.expose_secret().to_owned())
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("the file is written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

fn pair(id: &str, secret: &str) -> (String, String) {
    (id.into(), secret.into())
}

#[tokio::test]
async fn a_rotated_file_is_picked_up_within_a_second() {
    let given = Given::new();
    assert_eq!(given.at(0).await, pair("first-id", "first-secret"));
    write(&given.path("secret"), "second-secret\n", 0o600);
    assert_eq!(given.at(0).await, pair("first-id", "first-secret"), "it was looked at just now");
    assert_eq!(given.at(10).await, pair("first-id", "second-secret"));
    // Replaced by another file of the same length, as configuration management does.
    write(&given.path("new"), "third--secret\n", 0o600);
    fs::rename(given.path("new"), given.path("secret")).expect("it is replaced");
    fs::remove_file(given.path("id")).expect("it is removed");
    write(&given.path("id"), "third-id", 0o444);
    assert_eq!(given.at(30).await, pair("third-id", "third--secret"));
    let told = given.source.told();
    assert_eq!((told.source, told.failed), ("configured", None));
    assert!(told.from.contains(&given.path("secret").display().to_string()), "{}", told.from);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_keeps_the_old_key_and_is_told() {
    let given = Given::new();
    let secret = given.path("secret");
    for (second, text, mode, expected) in [
        (10, Some(""), 0o600, "is empty"),
        (20, Some("opened-to-others"), 0o644, "others can read or change the secret"),
        (30, None, 0o600, "cannot read"),
    ] {
        match text {
            Some(text) => write(&secret, text, mode),
            None => fs::remove_file(&secret).expect("it is removed"),
        }
        assert_eq!(given.at(second).await, pair("first-id", "first-secret"), "{expected}");
        let failed = given.source.told().failed.expect("it is told");
        let shown = failed.error.to_string();
        assert!(shown.contains("access_key_secret: ") && shown.contains(expected), "{shown}");
        // Nothing changed since: the next look is no reason to try again at once.
        given.at(second + 2).await;
        assert_eq!(given.source.told().failed.expect("it is told").at_ms / 1_000, failed.at_ms / 1_000);
    }
    // What changes is read at once, whatever the pause.
    write(&secret, "second-secret", 0o600);
    assert_eq!(given.at(34).await, pair("first-id", "second-secret"));
    assert_eq!(given.source.told().failed, None);
}

#[tokio::test]
async fn a_refused_key_is_read_again_though_its_file_looks_the_same() {
    let given = Given::new();
    let got = given.source.get(NOW_MS).await.expect("credentials");
    for _ in 0..3 {
        given.source.invalidate(&got);
        assert_eq!(given.at(0).await, pair("first-id", "first-secret"));
    }
}
