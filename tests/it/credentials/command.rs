//! `openeventd credentials`, as people and scripts run it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{MINUTE_MS, URI, keys, write};
use crate::dispatch::now_ms;
use crate::endpoint::{DataWorksDouble, Reply};

const ID: (&str, &str) = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-of-the-environment");
const SECRET: (&str, &str) = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hunter2-hunter2");
const NO_ECS: (&str, &str) = ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");

/// Exit code, standard output, standard error.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    command.arg("credentials").args(arguments).env_clear();
    if !arguments.contains(&"--config") {
        command.args(["--config", "/nowhere/openeventd.toml"]);
    }
    command.envs(variables.iter().copied());
    // The stand-in answers on this thread.
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    let Output { status, stdout, stderr } = output.expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(!format!("{stdout}{stderr}").contains("hunter2"), "{stdout}{stderr}");
    (status.code().expect("no signal ended it"), stdout, stderr)
}

fn configuration(path: &Path, accounts: &str) -> String {
    let kafka = "[kafka]\nbootstrap_servers = [\"127.0.0.1:9092\"]\ntopics = [\"t\"]\ngroup_id = \"g\"\n\
        security_protocol = \"plaintext\"\n";
    let file = path.join("openeventd.toml");
    write(&file, &format!("{kafka}{accounts}"));
    file.display().to_string()
}

#[tokio::test]
async fn without_a_configuration_the_default_chain_is_shown() {
    let (exit, stdout, stderr) = run(&[], &[ID, SECRET, NO_ECS]).await;
    assert_eq!(exit, 0, "{stderr}");
    assert_eq!(
        stdout,
        "default chain has credentials\n  source      environment\n  from        ALIBABA_CLOUD_ACCESS_KEY_ID, \
         ALIBABA_CLOUD_ACCESS_KEY_SECRET\n  access key  LTAI...ment\n  until       no end is known\n"
    );
    assert_eq!(stderr, "openeventd: no configuration /nowhere/openeventd.toml: this is the default chain\n");
}

#[tokio::test]
async fn a_credentials_uri_is_asked_and_its_refusal_has_its_exit_code() {
    let end_ms = now_ms() + 60 * MINUTE_MS;
    let double = DataWorksDouble::replying([
        Reply::json(200, &keys(1, end_ms).to_string()),
        Reply::json(403, "hunter2"),
        Reply::json(500, "hunter2"),
    ])
    .await;
    let uri = (URI, double.url.as_str());
    let (exit, stdout, _) = run(&["--json"], &[uri, NO_ECS]).await;
    let object: Value = serde_json::from_str(&stdout).expect("one JSON object");
    assert_eq!((exit, &object["source"]), (0, &json!("credentials_uri")));
    assert_eq!(object["access_key_id"], "STS....0001");
    assert_eq!(object["expires_at"], super::instant(end_ms));
    assert_eq!(object["tried"].as_array().expect("a list").len(), 5);
    for (exit, fault) in [(77, "refused"), (69, "unavailable")] {
        let (ended, stdout, _) = run(&["--json"], &[uri, NO_ECS]).await;
        let object: Value = serde_json::from_str(&stdout).expect("one JSON object");
        assert_eq!((ended, &object["fault"], &object["access_key_id"]), (exit, &json!(fault), &Value::Null));
    }
    assert_eq!(double.received().len(), 3);
}

#[tokio::test]
async fn where_nothing_is_found_every_step_is_shown() {
    let (exit, stdout, _) = run(&[], &[NO_ECS, ("HOME", "/nowhere")]).await;
    assert_eq!(exit, 78);
    assert_eq!(
        stdout,
        "default chain has no credentials\n  not  environment: ALIBABA_CLOUD_ACCESS_KEY_ID is not set\n  \
         not  oidc_role: ALIBABA_CLOUD_ROLE_ARN is not set\n  \
         not  cli_profile: there is no /nowhere/.aliyun/config.json\n  \
         not  ini_profile: there is no /nowhere/.alibabacloud/credentials and no /nowhere/.alibabacloud/credentials.ini\n  \
         not  ecs_role: switched off by ALIBABA_CLOUD_ECS_METADATA_DISABLED\n  \
         not  credentials_uri: ALIBABA_CLOUD_CREDENTIALS_URI is not set\n"
    );
}

#[tokio::test]
async fn each_account_of_a_configuration_is_shown_or_the_one_that_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let accounts = "[account.first]\nregion = \"cn-shanghai\"\nedition = \"basic\"\naccess_key_id = \"LTAI-of-the-settings\"\n\
        access_key_secret = { env = \"KEY\" }\n\
        [account.second]\nregion = \"cn-beijing\"\nedition = \"basic\"\ncredentials = \"default\"\n";
    let file = configuration(directory.path(), accounts);
    let key = ("KEY", "hunter2-hunter2");
    let (exit, stdout, stderr) = run(&["--config", &file], &[key, NO_ECS]).await;
    assert_eq!((exit, stderr.as_str()), (78, ""));
    let first = "account first has credentials\n  source      configured\n  from        access_key_secret in the variable KEY\n  \
        access key  LTAI...ings\n  until       no end is known\n";
    assert!(stdout.starts_with(first), "{stdout}");
    assert!(stdout.contains("\naccount second has no credentials\n  not  environment: "), "{stdout}");
    let (exit, stdout, _) = run(&["--config", &file, "--account", "first"], &[key, NO_ECS]).await;
    assert_eq!((exit, stdout.as_str()), (0, first));

    let (exit, _, stderr) = run(&["--config", &file, "--account", "secnd"], &[key]).await;
    assert_eq!(
        (exit, stderr.as_str()),
        (64, "openeventd: no account `secnd` is configured; did you mean `second`?\n")
    );
    let (exit, _, stderr) = run(&["--config", &file], &[]).await;
    assert_eq!(exit, 78);
    assert!(stderr.contains("the environment variable KEY is not set"), "{stderr}");
    let (exit, _, _) = run(&["--account", "first"], &[]).await;
    assert_eq!(exit, 78, "an account that is named needs a configuration");
    let none = tempfile::tempdir().expect("a directory");
    let (exit, stdout, _) = run(&["--config", &configuration(none.path(), "")], &[]).await;
    assert_eq!((exit, stdout.as_str()), (0, "no account is configured: nothing signs calls\n"));
}
