//! What people do to the outbox and the quarantine: the built program beside a working store, and without.

#![expect(clippy::expect_used, reason = "clippy knows test functions, but not the helpers beside them")]

mod beside;
mod outbox;
mod quarantine;
mod requeued;
mod slowly;
mod stopped;
mod verified;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use openeventd::store::outbox::{Outcome, Settlement};
use serde_json::Value;

use crate::dispatch::{now_ms, plan};
use crate::harness::{Harness, live};

/// How the program ended, and what it said.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program with `arguments`, which name no database, over the one at `database`, while the store
/// beside it works on.
async fn openeventd(database: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(database, arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("no panic").expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    let code = output.status.code().expect("no signal ended it");
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

fn command(database: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openeventd"));
    command.args(arguments).arg("--database").arg(database).env_clear().stdin(Stdio::null());
    command
}

/// The rule `name` of the harness in mode approve.
fn approve(name: &str, keys: &str) -> String {
    live(name, keys).replace("mode = \"live\"", "mode = \"approve\"")
}

/// A store with an action for each event 0, 1, ... up to `events`, planned now.
async fn store(rules: &str, events: i64) -> (Harness, PathBuf) {
    let store = Harness::with(rules).await;
    plan(&store, 0..events).await;
    let path = store.path();
    (store, path)
}

/// Claims what is due and settles it as `outcome` with `class`; gives how many there were.
async fn settle_all(store: &Harness, outcome: Outcome, class: &'static str) -> usize {
    let claimed = store.claim(100, now_ms()).await;
    let count = claimed.len();
    for action in claimed {
        let settlement = Settlement::of(&action, outcome, class);
        store.writer.settle(settlement, now_ms()).await.expect("the settle is kept");
    }
    count
}

/// State and reason of each action.
async fn states(store: &mut Harness) -> Vec<Value> {
    store.rows("state, held_reason", "action ORDER BY number").await
}

/// What people did: verb, reason, affected, and the targets of each.
async fn deeds(store: &mut Harness) -> Vec<Value> {
    let targets =
        "(SELECT json_group_array(t.number) FROM operator_targets t WHERE t.operator_action = o.id)";
    store.rows(&format!("verb, reason, affected, json({targets})"), "operator_actions o ORDER BY id").await
}
