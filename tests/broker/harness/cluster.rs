//! One real broker with all its listeners, users and certificates.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::acl::{self, Resource};
use super::certificates::{self, STORE_PASSWORD};
use super::process::{Directory, Guarded, run};
use super::{Version, wait_for};

/// A user who may read every topic and use every group.
pub(crate) const ALICE: (&str, &str) = ("alice", "alice-secret");
/// A user who may use every group and read no topic.
pub(crate) const BOB: (&str, &str) = ("bob", "bob-secret");
/// A user who may read every topic and use no group.
pub(crate) const CAROL: (&str, &str) = ("carol", "carol-secret");

/// A distribution given by `KAFKA_HOME` logs through log4j, which says nothing below ERROR without this.
const INFO_LOG: &str = "-Dorg.apache.logging.log4j.level=INFO";
const START_DEADLINE: Duration = Duration::from_secs(90);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The ports of the listeners, all on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// `SASL_SSL`, PLAIN (and SCRAM on the current version); its certificate names localhost and 127.0.0.1.
    pub(crate) strict: u16,
    /// `SASL_SSL`, PLAIN only; its certificate names no host and its root is X.509 v1.
    pub(crate) cloud: u16,
    /// `SASL_PLAINTEXT`.
    pub(crate) sasl_plaintext: u16,
    /// PLAINTEXT; may do everything.
    pub(crate) plaintext: u16,
    controller: u16,
}

/// One broker.
pub(crate) struct Cluster {
    version: Version,
    ports: Ports,
    libs: PathBuf,
    directory: Directory,
    processes: Mutex<Processes>,
}

#[derive(Default)]
struct Processes {
    zookeeper: Option<Guarded>,
    broker: Option<Guarded>,
    starts: u32,
}

impl Cluster {
    /// Starts a broker with the jars in `libs` and makes users, certificates and permissions.
    pub(crate) fn start(version: Version, libs: &Path) -> Self {
        let directory = Directory::new();
        certificates::make(directory.path());
        let [strict, cloud, sasl_plaintext, plaintext, controller] = free_ports();
        let ports = Ports { strict, cloud, sasl_plaintext, plaintext, controller };
        let cluster =
            Cluster { version, ports, libs: libs.to_owned(), directory, processes: Mutex::default() };
        std::fs::write(cluster.path("server.properties"), cluster.properties()).expect("writable");
        cluster.prepare();
        cluster.boot();
        for user in [ALICE, BOB] {
            acl::allow(&cluster.plaintext(), user.0, Resource::Group, "*");
        }
        for user in [ALICE, CAROL] {
            acl::allow(&cluster.plaintext(), user.0, Resource::Topic, "*");
        }
        super::admin::first_group(&cluster);
        cluster
    }

    /// Which Kafka it is.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Its ports.
    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    /// `host:port` of the PLAINTEXT listener, where everything is allowed.
    pub(crate) fn plaintext(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plaintext)
    }

    /// The path of a file of this broker: `strict-ca.pem`, `cloud-ca.pem`, `other-ca.pem`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Stops the broker in order.
    pub(crate) fn stop(&self) {
        self.end("-TERM");
    }

    /// Kills the broker.
    pub(crate) fn kill(&self) {
        self.end("-KILL");
    }

    /// Starts it again after [`Self::stop`] or [`Self::kill`], and waits until it is ready.
    pub(crate) fn restart(&self) {
        self.boot();
    }

    fn end(&self, signal: &str) {
        let broker = self.processes.lock().expect("no panic").broker.take();
        broker.expect("the broker runs").end(signal, STOP_DEADLINE);
    }

    fn java(&self, log: &str, main: &str, arguments: &[&str]) -> Guarded {
        // Kafka's own variable; by default what starts fast, which encrypts slowly.
        let tuning = std::env::var("KAFKA_JVM_PERFORMANCE_OPTS")
            .unwrap_or_else(|_| "-XX:+UseSerialGC -XX:TieredStopAtLevel=1".to_owned());
        let mut all: Vec<String> = vec!["-Xmx512m".to_owned()];
        all.extend(tuning.split_whitespace().map(str::to_owned));
        all.extend([INFO_LOG, "-cp"].map(str::to_owned));
        all.push(format!("{}/*", self.libs.display()));
        all.push(main.to_owned());
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Guarded::start(&self.path(log), "java", &all)
    }

    fn prepare(&self) {
        if self.version == Version::Legacy {
            let zookeeper = format!(
                "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\ntickTime=500\nadmin.enableServer=false\n",
                self.path("zookeeper").display(),
                self.ports.controller
            );
            std::fs::write(self.path("zookeeper.cfg"), zookeeper).expect("writable");
            let main = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
            let configuration = self.path("zookeeper.cfg");
            let process = self.java("zookeeper.log", main, &[&configuration.to_string_lossy()]);
            let address = format!("127.0.0.1:{}", self.ports.controller);
            wait_for("ZooKeeper to listen", START_DEADLINE, || std::net::TcpStream::connect(&address).ok());
            self.processes.lock().expect("no panic").zookeeper = Some(process);
            return;
        }
        let classpath = format!("{}/*", self.libs.display());
        let scram = format!("SCRAM-SHA-256=[name={},password={}]", ALICE.0, ALICE.1);
        let scram_512 = format!("SCRAM-SHA-512=[name={},password={}]", ALICE.0, ALICE.1);
        run(
            self.directory.path(),
            "java",
            &[
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &classpath,
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "b3BlbmV2ZW50ZC10ZXN0cw",
                "-c",
                "server.properties",
                "--add-scram",
                &scram,
                "--add-scram",
                &scram_512,
            ],
        );
    }

    fn boot(&self) {
        let mut processes = self.processes.lock().expect("no panic");
        let ready = match self.version {
            Version::Current => "Kafka Server started",
            Version::Legacy => "[KafkaServer id=1] started",
        };
        let configuration = self.path("server.properties");
        // After a kill the old broker refuses to start while ZooKeeper still holds its session.
        for _ in 0..20 {
            processes.starts += 1;
            let log = format!("broker-{}.log", processes.starts);
            let broker = self.java(&log, "kafka.Kafka", &[&configuration.to_string_lossy()]);
            let path = self.path(&log);
            let started = wait_for("the broker to be ready", START_DEADLINE, || {
                let said = std::fs::read_to_string(&path).unwrap_or_default();
                if said.contains(ready) {
                    return Some(true);
                }
                (!broker.lives()).then_some(false)
            });
            if started {
                processes.broker = Some(broker);
                return;
            }
            let said = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(said.contains("NodeExists"), "the broker does not start: {said}");
            broker.end("-KILL", STOP_DEADLINE);
        }
        panic!("the broker does not start again: ZooKeeper still holds its session");
    }

    fn properties(&self) -> String {
        let Ports { strict, cloud, sasl_plaintext, plaintext, controller } = self.ports;
        let client = format!(
            "STRICT://127.0.0.1:{strict},CLOUD://127.0.0.1:{cloud},SASLPLAIN://127.0.0.1:{sasl_plaintext},\
             PLAINTEXT://127.0.0.1:{plaintext}"
        );
        let protocols = "STRICT:SASL_SSL,CLOUD:SASL_SSL,SASLPLAIN:SASL_PLAINTEXT,PLAINTEXT:PLAINTEXT";
        let mut text = format!(
            "log.dirs={logs}\nadvertised.listeners={client}\ninter.broker.listener.name=PLAINTEXT\n\
             super.users=User:admin;User:ANONYMOUS\nallow.everyone.if.no.acl.found=false\n\
             auto.create.topics.enable=false\ndelete.topic.enable=true\noffsets.topic.num.partitions=4\n\
             offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n\
             group.min.session.timeout.ms=1000\nlog.retention.check.interval.ms=1000\n\
             num.network.threads=2\nnum.io.threads=2\nlog.cleaner.dedupe.buffer.size=4194304\n\
             ssl.endpoint.identification.algorithm=\n",
            logs = self.path("logs").display(),
        );
        let users: String = [ALICE, BOB, CAROL].iter().fold(String::new(), |mut users, (name, password)| {
            write!(users, " user_{name}=\"{password}\"").expect("a string takes text");
            users
        });
        let mechanisms = match self.version {
            Version::Current => "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            Version::Legacy => "PLAIN",
        };
        for (listener, offered) in [("strict", mechanisms), ("cloud", "PLAIN"), ("saslplain", mechanisms)] {
            let name = format!("listener.name.{listener}");
            write!(
                text,
                "{name}.sasl.enabled.mechanisms={offered}\n\
                 {name}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
                 required username=\"admin\" password=\"admin-secret\"{users};\n"
            )
            .expect("a string takes text");
            for mechanism in offered.split(',').skip(1).map(str::to_lowercase) {
                writeln!(
                    text,
                    "{name}.{mechanism}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
                )
                .expect("a string takes text");
            }
        }
        for set in ["strict", "cloud"] {
            let name = format!("listener.name.{set}.ssl");
            write!(
                text,
                "{name}.keystore.type=PKCS12\n{name}.keystore.location={store}\n\
                 {name}.keystore.password={STORE_PASSWORD}\n{name}.key.password={STORE_PASSWORD}\n",
                store = self.path(&format!("{set}.p12")).display(),
            )
            .expect("a string takes text");
        }
        let more = match self.version {
            Version::Current => format!(
                "process.roles=broker,controller\nnode.id=1\n\
                 controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
                 listeners={client},CONTROLLER://127.0.0.1:{controller}\n\
                 listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT\n\
                 authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                 broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n"
            ),
            Version::Legacy => format!(
                "broker.id=1\nzookeeper.connect=127.0.0.1:{controller}\nzookeeper.session.timeout.ms=1500\n\
                 listeners={client}\nlistener.security.protocol.map={protocols}\n\
                 authorizer.class.name=kafka.security.auth.SimpleAclAuthorizer\n"
            ),
        };
        text + &more
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    // Held together, so that no two are the same.
    let held = [(); N].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it is bound").port())
}
