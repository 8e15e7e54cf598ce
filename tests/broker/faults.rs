//! Everything that can be wrong with the connection is named by its layer, with its fix.

use openeventd::kafka::FaultKind;
use openeventd::kafka::{EndpointIdentification, SaslMechanism, SecurityProtocol, Settings};

use crate::driver::{Driver, strict, user};
use crate::harness::acl::{Resource, allow};
use crate::harness::cluster::{ALICE, BOB, CAROL, Cluster};
use crate::harness::{Version, admin, on_both, shared, unique};

/// What to break, which fault must come, about what, and words of its message and of its fix.
struct Case {
    name: &'static str,
    break_it: fn(&Cluster, &mut Settings),
    kind: FaultKind,
    subject: fn(&Cluster, &Settings) -> String,
    message: &'static str,
    fix: &'static str,
}

fn server(_: &Cluster, settings: &Settings) -> String {
    settings.bootstrap_servers.concat()
}

fn to_port(settings: &mut Settings, port: u16) {
    settings.bootstrap_servers = vec![format!("localhost:{port}")];
}

const CASES: &[Case] = &[
    Case {
        name: "wrong password",
        break_it: |_, settings| settings.sasl = Some(user((ALICE.0, "wrong"), SaslMechanism::Plain)),
        kind: FaultKind::SaslCredentials,
        subject: |_, _| ALICE.0.to_owned(),
        message: "password is wrong",
        fix: "Open Platform Administrator or Tenant Administrator in the Developer Backend",
    },
    Case {
        name: "unknown user",
        break_it: |_, settings| settings.sasl = Some(user(("nobody", "x"), SaslMechanism::Plain)),
        kind: FaultKind::SaslCredentials,
        subject: |_, _| "nobody".to_owned(),
        message: "does not know this Kafka user",
        fix: "Developer Backend",
    },
    Case {
        name: "mechanism not offered",
        break_it: |cluster, settings| {
            to_port(settings, cluster.ports().cloud);
            settings.ssl_ca_location = Some(cluster.path("cloud-ca.pem"));
            settings.ssl_endpoint_identification = EndpointIdentification::None;
            settings.sasl = Some(user(ALICE, SaslMechanism::ScramSha256));
        },
        kind: FaultKind::SaslMechanism,
        subject: |_, _| "SCRAM-SHA-256".to_owned(),
        message: "it offers: PLAIN",
        fix: "one that the server offers",
    },
    Case {
        name: "wrong CA",
        break_it: |cluster, settings| settings.ssl_ca_location = Some(cluster.path("other-ca.pem")),
        kind: FaultKind::TlsUntrusted,
        subject: server,
        message: "other-ca.pem",
        fix: "ssl_ca_location",
    },
    Case {
        name: "wrong CA, host names not checked",
        break_it: |cluster, settings| {
            settings.ssl_ca_location = Some(cluster.path("other-ca.pem"));
            settings.ssl_endpoint_identification = EndpointIdentification::None;
        },
        kind: FaultKind::TlsUntrusted,
        subject: server,
        message: "other-ca.pem",
        fix: "ssl_ca_location",
    },
    Case {
        name: "no CA",
        break_it: |_, settings| settings.ssl_ca_location = None,
        kind: FaultKind::TlsUntrusted,
        subject: server,
        message: "the system's authorities",
        fix: "ssl_ca_location",
    },
    Case {
        name: "a certificate that names no host",
        break_it: |cluster, settings| {
            to_port(settings, cluster.ports().cloud);
            settings.ssl_ca_location = Some(cluster.path("cloud-ca.pem"));
        },
        kind: FaultKind::TlsHostName,
        subject: server,
        message: "names no host",
        fix: "ssl_endpoint_identification = \"none\"",
    },
    Case {
        name: "a plaintext connection to a TLS port",
        break_it: |_, settings| settings.protocol = SecurityProtocol::SaslPlaintext,
        kind: FaultKind::PlaintextToTls,
        subject: server,
        message: "expects TLS",
        fix: "SASL_SSL",
    },
    Case {
        name: "a TLS connection to a plaintext port",
        break_it: |cluster, settings| to_port(settings, cluster.ports().plaintext),
        kind: FaultKind::TlsToPlaintext,
        subject: server,
        message: "does not speak TLS",
        fix: "security_protocol",
    },
    Case {
        name: "nothing listens",
        break_it: |_, settings| {
            let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            to_port(settings, free.local_addr().expect("it is bound").port());
        },
        kind: FaultKind::Unreachable,
        subject: server,
        message: "refused",
        fix: "bootstrap_servers",
    },
    Case {
        name: "unknown host",
        break_it: |_, settings| settings.bootstrap_servers = vec!["no-such-host.invalid:9093".to_owned()],
        kind: FaultKind::Dns,
        subject: server,
        message: "does not resolve",
        fix: "bootstrap_servers",
    },
    Case {
        name: "unknown topic",
        break_it: |_, settings| settings.topics.push("no-such-topic".to_owned()),
        kind: FaultKind::TopicUnknown,
        subject: |_, _| "no-such-topic".to_owned(),
        message: "does not exist",
        fix: "`topics`",
    },
    Case {
        name: "no permission on the topic",
        break_it: |_, settings| settings.sasl = Some(user(BOB, SaslMechanism::Plain)),
        kind: FaultKind::TopicDenied,
        subject: |_, settings| settings.topics.concat(),
        message: "may not read this topic",
        fix: "grant",
    },
    Case {
        name: "no permission on the group",
        break_it: |_, settings| settings.sasl = Some(user(CAROL, SaslMechanism::Plain)),
        kind: FaultKind::GroupDenied,
        subject: |_, settings| settings.group_id.clone(),
        message: "may not use this consumer group",
        fix: "ApsaraMQ",
    },
];

#[test]
fn every_fault_is_named_by_its_layer_with_its_fix() {
    on_both(|cluster| {
        let topic = unique("faults");
        admin::create_topic(cluster, &topic, 1);
        for case in CASES {
            eprintln!("   {}", case.name);
            let mut settings = strict(cluster, &[&topic], &unique("group"));
            (case.break_it)(cluster, &mut settings);
            let mut driver = Driver::new(&settings);
            let fault = driver.fault(case.kind);
            assert_eq!(fault.subject, (case.subject)(cluster, &settings), "{}", case.name);
            assert!(fault.message.contains(case.message), "{}: {fault}", case.name);
            assert!(fault.fix.contains(case.fix), "{}: {fault}", case.name);
            let kinds: Vec<_> = driver.conditions.lock().expect("no panic").clone();
            assert_eq!(kinds.len(), 1, "{}: one fault, told once: {kinds:?}", case.name);
            assert!(!format!("{kinds:?}").contains(ALICE.1), "a password is never shown");
        }
    });
}

#[test]
fn a_wrong_scram_password_is_named_as_one() {
    let Some(cluster) = shared(Version::Current) else { return };
    let mut settings = strict(cluster, &["any"], &unique("group"));
    settings.sasl = Some(user((ALICE.0, "wrong"), SaslMechanism::ScramSha512));
    let fault = Driver::new(&settings).fault(FaultKind::SaslCredentials);
    assert!(fault.message.contains("SCRAM-SHA-512 password is wrong"), "{fault}");
}

#[test]
fn a_topic_that_becomes_readable_is_consumed_and_reported_as_recovered() {
    on_both(|cluster| {
        let topic = unique("granted");
        admin::create_topic(cluster, &topic, 1);
        admin::produce(cluster, &topic, 1, 1, |_| b"x".to_vec());
        let mut settings = strict(cluster, &[&topic], &unique("group"));
        settings.sasl = Some(user(BOB, SaslMechanism::Plain));
        settings.properties.insert("topic.metadata.refresh.interval.ms".to_owned(), "500".to_owned());
        let mut driver = Driver::new(&settings);
        driver.fault(FaultKind::TopicDenied);
        allow(&cluster.plaintext(), BOB.0, Resource::Topic, &topic);
        driver.records(1);
        let changes = driver.conditions.lock().expect("no panic").clone();
        let recovered =
            openeventd::kafka::Condition::Recovered { kind: FaultKind::TopicDenied, subject: topic.clone() };
        assert_eq!(changes.last(), Some(&recovered), "{changes:?}");
        driver.close();
    });
}

#[test]
fn a_ca_file_that_is_missing_or_no_pem_is_refused_at_once() {
    let Some(cluster) = shared(Version::Current) else { return };
    for (file, expected) in
        [("missing.pem", "cannot read"), ("names.ext", "certificate"), ("strict.p12", "certificate")]
    {
        let mut settings = strict(cluster, &["any"], "any");
        settings.ssl_ca_location = Some(cluster.path(file));
        let Err(error) = Driver::try_new(&settings) else { panic!("{file} was accepted") };
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(file) && text.contains("ssl_ca_location"), "{text}");
    }
}

#[test]
fn a_property_that_switches_verification_off_is_refused() {
    let Some(cluster) = shared(Version::Current) else { return };
    let mut settings = strict(cluster, &["any"], "any");
    let name = "enable.ssl.certificate.verification";
    settings.properties.insert(name.to_owned(), "false".to_owned());
    let Err(error) = Driver::try_new(&settings) else { panic!("it was accepted") };
    assert!(error.to_string().contains(name), "{error}");
}
