//! Rules that change under the daemon, and rules that break.

use super::audit::Audit;
use super::events::event;
use super::program::Home;
use crate::harness::{Version, admin, shared, unique};

fn recording(name: &str, node: i64) -> String {
    format!("[[rule]]\nname = \"{name}\"\nmatch = {{ node = [{node}] }}\n")
}

#[test]
fn a_hang_up_puts_new_rules_in_force_and_broken_ones_leave_the_old_ones_there() {
    let Some(cluster) = shared(Version::Current) else { return };
    let topic = unique("reloaded");
    admin::create_topic(cluster, &topic, 1);
    let home = Home::new(cluster, &[&topic], &unique("group"));
    home.rules("one.toml", &recording("first", 1));
    let mut daemon = home.start();
    daemon.line("the start", |line| line.message == "started");
    admin::produce(cluster, &topic, 1, 1, |_| event(1, 1));
    let database = home.database();
    daemon.line("the first decision", |line| line.message == "decision");
    let audit = Audit::of(&database);

    home.rules("one.toml", &recording("second", 1));
    daemon.signal("-HUP");
    daemon.line("the reload", |line| line.message == "rules reloaded");
    admin::produce(cluster, &topic, 1, 1, |_| event(2, 1));
    audit.until("SELECT count(*) FROM decisions", 2);

    home.rules("one.toml", "[[rule]]\nname = ");
    daemon.signal("-HUP");
    let line = daemon.line("the degraded state", |line| line.id == "rules_degraded");
    assert_eq!(line.level, "ERROR");
    admin::produce(cluster, &topic, 1, 1, |_| event(3, 1));
    audit.until("SELECT count(*) FROM decisions", 3);
    daemon.stop();

    let mut daemon = home.start();
    let line = daemon.line("the degraded start", |line| line.id == "rules_degraded");
    assert!(line.message.contains("last good rule set"), "{line:?}");
    admin::produce(cluster, &topic, 1, 1, |_| event(4, 1));
    audit.until("SELECT count(*) FROM decisions", 4);
    daemon.stop();
    let rules = audit.texts("SELECT rule FROM decisions ORDER BY event");
    assert_eq!(rules, ["first", "second", "second", "second"]);
}
