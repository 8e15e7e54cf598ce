//! Faults of the connection: the daemon stays up, says once what is wrong and how to mend it, and goes on
//! when it is mended.

use super::audit::Audit;
use super::events::{event, instance};
use super::program::{Home, Line};
use crate::harness::acl::{Resource, allow};
use crate::harness::cluster::{ALICE, BOB, CAROL, Cluster};
use crate::harness::{Version, admin, on_both, own, unique};

/// A fault that is there from the start and is not mended while the daemon runs.
struct Case {
    name: &'static str,
    break_it: fn(&Cluster, &mut Home),
    kind: &'static str,
    /// A part of the advice.
    fix: &'static str,
}

fn server(home: &mut Home, port: u16) {
    home.kafka.insert("bootstrap_servers", format!("[\"127.0.0.1:{port}\"]"));
}

const CASES: [Case; 7] = [
    Case {
        name: "wrong password",
        break_it: |_, home| {
            let wrong = home.secret("kafka-password", "wrong");
            home.kafka.insert("password", wrong);
        },
        kind: "SaslCredentials",
        fix: "Developer Backend",
    },
    Case {
        name: "wrong CA",
        break_it: |cluster, home| {
            home.kafka.insert("ssl_ca_location", format!("\"{}\"", cluster.path("other-ca.pem").display()));
        },
        kind: "TlsUntrusted",
        fix: "ssl_ca_location",
    },
    Case {
        name: "host name mismatch",
        break_it: |_, home| {
            home.kafka.insert("ssl_endpoint_identification", "\"https\"".to_owned());
        },
        kind: "TlsHostName",
        fix: "ssl_endpoint_identification",
    },
    Case {
        name: "nobody listens",
        break_it: |_, home| server(home, 1),
        kind: "Unreachable",
        fix: "bootstrap_servers",
    },
    Case {
        name: "TLS spoken to a plaintext port",
        break_it: |cluster, home| server(home, cluster.ports().plaintext),
        kind: "TlsToPlaintext",
        fix: "security_protocol",
    },
    Case {
        name: "plaintext spoken to a TLS port",
        break_it: |_, home| {
            home.kafka.insert("security_protocol", "\"sasl_plaintext\"".to_owned());
            home.kafka.remove("ssl_ca_location");
            home.kafka.remove("ssl_endpoint_identification");
        },
        kind: "PlaintextToTls",
        fix: "security_protocol",
    },
    Case {
        name: "unknown topic",
        break_it: |_, home| {
            home.kafka.insert("topics", format!("[{:?}]", unique("nowhere")));
        },
        kind: "TopicUnknown",
        fix: "topics",
    },
];

fn failing(line: &Line) -> bool {
    line.id == "kafka_failing" && line.level == "ERROR"
}

#[test]
fn each_fault_is_one_line_with_its_layer_and_its_fix_and_stops_in_order() {
    on_both(|cluster| {
        let topic = unique("faulty");
        admin::create_topic(cluster, &topic, 1);
        for case in CASES {
            eprintln!("   {}", case.name);
            let mut home = Home::new(cluster, &[&topic], &unique("group"));
            (case.break_it)(cluster, &mut home);
            let mut daemon = home.start();
            let line = daemon.line(case.name, failing);
            assert!(
                line.text.contains(&format!("\"kind\":\"{}\"", case.kind)),
                "{}: {}",
                case.name,
                line.text
            );
            assert!(line.text.contains(case.fix), "{}: {}", case.name, line.text);
            let log = daemon.stop();
            let lines: Vec<&Line> = log.iter().filter(|line| line.level == "ERROR").collect();
            assert_eq!(lines.len(), 1, "{}: one fault, told once: {lines:?}", case.name);
            assert!(log.iter().all(|line| !line.text.contains(ALICE.1)), "a password is never logged");
        }
    });
}

#[test]
fn a_permission_or_topic_that_comes_later_is_noticed_and_nothing_is_lost() {
    on_both(|cluster| {
        type Mend = fn(&Cluster, &str, &str);
        let cases: [(&str, (&str, &str), &str, Mend); 3] = [
            ("no permission on the topic", BOB, "TopicDenied", |cluster, topic, _| {
                allow(&cluster.plaintext(), BOB.0, Resource::Topic, topic);
            }),
            ("no permission on the group", CAROL, "GroupDenied", |cluster, _, group| {
                allow(&cluster.plaintext(), CAROL.0, Resource::Group, group);
            }),
            ("no topic yet", ALICE, "TopicUnknown", |cluster, topic, _| {
                admin::create_topic(cluster, topic, 1);
            }),
        ];
        for (name, user, kind, mend) in cases {
            eprintln!("   {name}");
            let (topic, group) = (unique("mended"), unique("group"));
            if kind != "TopicUnknown" {
                admin::create_topic(cluster, &topic, 1);
                admin::produce(cluster, &topic, 1, 3, |n| event(instance(n), 1));
            }
            let mut home = Home::new(cluster, &[&topic], &group);
            let password = home.secret("kafka-password", user.1);
            home.kafka.insert("username", format!("{:?}", user.0));
            home.kafka.insert("password", password);
            let mut daemon = home.start();
            let line = daemon.line(name, failing);
            assert!(line.text.contains(kind), "{name}: {}", line.text);
            mend(cluster, &topic, &group);
            if kind == "TopicUnknown" {
                admin::produce(cluster, &topic, 1, 3, |n| event(instance(n), 1));
            }
            daemon.line("the recovery", |line| line.id == "kafka_failing" && line.level == "INFO");
            let database = home.database();
            Audit::of(&database).until("SELECT count(*) FROM events", 3);
            daemon.stop();
        }
    });
}

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_nothing() {
    for version in [Version::Current, Version::Legacy] {
        let Some(cluster) = own(version) else { continue };
        let topic = unique("restarted");
        admin::create_topic(&cluster, &topic, 2);
        admin::produce(&cluster, &topic, 2, 10, |n| event(instance(n), 1));
        let home = Home::new(&cluster, &[&topic], &unique("group"));
        let mut daemon = home.start();
        daemon.line("a batch", |line| line.message == "accept");
        let database = home.database();
        let audit = Audit::of(&database);
        audit.until("SELECT count(*) FROM events", 10);
        cluster.kill();
        daemon.line("the fault", failing);
        cluster.restart();
        admin::produce(&cluster, &topic, 2, 10, |n| event(instance(n + 10), 1));
        audit.until("SELECT count(*) FROM events", 20);
        daemon.line("the recovery", |line| line.id == "kafka_failing" && line.level == "INFO");
        daemon.stop();
        assert_eq!(audit.number("SELECT count(*) FROM gaps"), 0);
    }
}
