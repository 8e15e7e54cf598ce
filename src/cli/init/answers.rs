//! What is to be written: from the flags, and on a terminal from questions.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::ValueEnum;
use secrecy::SecretString;

use super::keyboard::Keyboard;
use super::{Arguments, Identification, InitError, Mechanism, Protocol, absolute, ask};
use crate::config;

/// The group, unless another is named.
const GROUP_DEFAULT: &str = "openeventd";

/// Everything that the configuration says.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) servers: Vec<String>,
    pub(super) topics: Vec<String>,
    pub(super) group_id: String,
    pub(super) protocol: Protocol,
    pub(super) user: Option<User>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) identification: Identification,
    /// `None` is the service's own.
    pub(super) database: Option<PathBuf>,
}

/// The Kafka user.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) mechanism: Mechanism,
    pub(super) password: Password,
}

/// Where the password is.
#[derive(Debug)]
pub(super) enum Password {
    /// Typed just now.
    Typed(SecretString),
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
    /// In a systemd credential.
    Credential(String),
}

impl Answers {
    /// Where the password is, if there is one.
    pub(super) fn password(&self) -> Option<&Password> {
        self.user.as_ref().map(|user| &user.password)
    }
}

impl Protocol {
    /// As the configuration names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::SaslSsl => "sasl_ssl",
            Protocol::Ssl => "ssl",
            Protocol::SaslPlaintext => "sasl_plaintext",
            Protocol::Plaintext => "plaintext",
        }
    }

    /// Whether there is a user.
    pub(super) fn has_user(self) -> bool {
        matches!(self, Protocol::SaslSsl | Protocol::SaslPlaintext)
    }

    /// Whether there is TLS.
    pub(super) fn has_tls(self) -> bool {
        matches!(self, Protocol::SaslSsl | Protocol::Ssl)
    }
}

/// Takes the flags, and asks for the rest if somebody is there.
///
/// # Errors
/// Something is missing and nobody can be asked, or a flag has no use.
pub(super) fn gather(arguments: &Arguments) -> Result<Answers, InitError> {
    let somebody = io::stdin().is_terminal() && io::stderr().is_terminal();
    let protocol_given = arguments.security_protocol;
    refuse_useless(arguments, protocol_given.unwrap_or(Protocol::SaslSsl))?;
    if !somebody {
        let missing = missing(arguments, protocol_given.unwrap_or(Protocol::SaslSsl));
        return if missing.is_empty() { of_flags(arguments) } else { Err(InitError::Missing(missing)) };
    }
    let keyboard = &mut Keyboard::new().map_err(InitError::Terminal)?;
    ask::introduce()?;
    let servers = match &arguments.bootstrap_servers {
        given if given.is_empty() => ask::list(
            keyboard,
            "Kafka servers, host:port, several with commas",
            config::is_host_port,
            "host:port",
        )?,
        given => given.clone(),
    };
    let topics = match &arguments.topic {
        given if given.is_empty() => {
            let expected = "letters, digits, `.`, `_` and `-`";
            ask::list(keyboard, "Topics, several with commas", config::is_topic, expected)?
        }
        given => given.clone(),
    };
    let group_id = match &arguments.group_id {
        Some(group) => group.clone(),
        None => ask::text(
            keyboard,
            "Consumer group (ApsaraMQ wants it created in its console)",
            Some(GROUP_DEFAULT),
        )?,
    };
    let protocol = match protocol_given {
        Some(protocol) => protocol,
        None => ask::choice(keyboard, "How the connection is protected", &Protocol::SaslSsl)?,
    };
    refuse_useless(arguments, protocol)?;
    let user = if protocol.has_user() { Some(ask_user(keyboard, arguments)?) } else { None };
    let (mut ca_file, mut identification) = (arguments.ca_file.clone(), arguments.endpoint_identification);
    if protocol.has_tls() {
        if ca_file.is_none() {
            ca_file = ask::file(keyboard, "Certificate authorities, a PEM file (Enter for the system's)")?;
        }
        if identification.is_none() {
            let question = "Check the server's name in its certificate? `none` for ApsaraMQ and DataWorks";
            identification = Some(ask::choice(keyboard, question, &Identification::Https)?);
        }
    }
    Ok(Answers {
        servers,
        topics,
        group_id,
        protocol,
        user,
        ca_file: ca_file.map(|path| absolute(&path)).transpose()?,
        identification: identification.unwrap_or(Identification::Https),
        database: database(arguments)?,
    })
}

/// The flags alone, of which none is missing.
fn of_flags(arguments: &Arguments) -> Result<Answers, InitError> {
    let protocol = arguments.security_protocol.unwrap_or(Protocol::SaslSsl);
    let user = match (&arguments.username, password_of_flags(arguments)?) {
        (Some(name), Some(password)) if protocol.has_user() => {
            Some(User { name: name.clone(), mechanism: mechanism(arguments), password })
        }
        _ => None,
    };
    Ok(Answers {
        servers: arguments.bootstrap_servers.clone(),
        topics: arguments.topic.clone(),
        group_id: arguments.group_id.clone().unwrap_or_else(|| GROUP_DEFAULT.to_owned()),
        protocol,
        user,
        ca_file: arguments.ca_file.as_deref().map(absolute).transpose()?,
        identification: arguments.endpoint_identification.unwrap_or(Identification::Https),
        database: database(arguments)?,
    })
}

fn ask_user(keyboard: &mut Keyboard, arguments: &Arguments) -> Result<User, InitError> {
    let name = match &arguments.username {
        Some(name) => name.clone(),
        None => ask::text(keyboard, "Kafka user", None)?,
    };
    let password = match password_of_flags(arguments)? {
        Some(password) => password,
        None => ask::password(keyboard, &name)?,
    };
    Ok(User { name, mechanism: mechanism(arguments), password })
}

fn mechanism(arguments: &Arguments) -> Mechanism {
    arguments.sasl_mechanism.unwrap_or(Mechanism::Plain)
}

fn password_of_flags(arguments: &Arguments) -> Result<Option<Password>, InitError> {
    let file = arguments.password_file.as_deref().map(absolute).transpose()?.map(Password::File);
    let env = arguments.password_env.clone().map(Password::Env);
    Ok(file.or(env).or(arguments.password_credential.clone().map(Password::Credential)))
}

/// The database: where it was said, else beside the configuration, unless that is the service's.
fn database(arguments: &Arguments) -> Result<Option<PathBuf>, InitError> {
    if let Some(path) = &arguments.database {
        return absolute(path).map(Some);
    }
    let of_the_service = absolute(&arguments.dir)?.starts_with("/etc");
    Ok((!of_the_service).then(|| PathBuf::from("audit.db")))
}

/// The flags that nothing stands in for.
fn missing(arguments: &Arguments, protocol: Protocol) -> Vec<&'static str> {
    let has_password = arguments.password_file.is_some()
        || arguments.password_env.is_some()
        || arguments.password_credential.is_some();
    let needed = [
        ("--bootstrap-servers", !arguments.bootstrap_servers.is_empty()),
        ("--topic", !arguments.topic.is_empty()),
        ("--username", arguments.username.is_some() || !protocol.has_user()),
        (
            "one of --password-file, --password-env, --password-credential",
            has_password || !protocol.has_user(),
        ),
    ];
    needed.into_iter().filter(|(_, is_there)| !is_there).map(|(flag, _)| flag).collect()
}

fn refuse_useless(arguments: &Arguments, protocol: Protocol) -> Result<(), InitError> {
    let (user, tls) = (protocol.has_user(), protocol.has_tls());
    let flags = [
        ("--username", arguments.username.is_some(), user),
        ("--password-file", arguments.password_file.is_some(), user),
        ("--password-env", arguments.password_env.is_some(), user),
        ("--password-credential", arguments.password_credential.is_some(), user),
        ("--sasl-mechanism", arguments.sasl_mechanism.is_some(), user),
        ("--ca-file", arguments.ca_file.is_some(), tls),
        ("--endpoint-identification", arguments.endpoint_identification.is_some(), tls),
    ];
    match flags.into_iter().find(|(_, is_given, has_use)| *is_given && !has_use) {
        Some((flag, ..)) => Err(InitError::NoUse { flag, protocol: protocol.name().to_owned() }),
        None => Ok(()),
    }
}

/// The name of a value of a flag.
pub(super) fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
