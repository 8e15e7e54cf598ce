//! The demonstration: the main job on a broker, events and an endpoint of its own.
//!
//! [`Stage::set`] starts the broker and the endpoint and writes a user's files for them; the daemon then
//! runs by these as it runs by any, and [`Stage::feed`] puts the story's records into the topic. Nothing
//! of the daemon is repeated here. Everything lives on loopback and in one new directory.
//!
//! Next: [`crate::cli`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use openssl::error::ErrorStack;
use secrecy::SecretString;
use thiserror::Error;

use self::directory::Directory;
use crate::kafka::embedded::{self, Embedded, EmbeddedError, NewRecord};

pub mod directory;

pub mod endpoint;

pub mod files;

pub mod story;

/// The topic that carries the events.
const TOPIC: &str = "dataworks-openevent";

/// Its partitions.
const PARTITIONS: i32 = 3;

/// The consumer group.
const GROUP: &str = "openeventd-demo";

/// The Kafka user.
const USER: &str = "demo";

/// The id of the access key.
const ACCESS_KEY_ID: &str = "LTAI-demo";

/// The region that events name, and calls go to.
const REGION: &str = "cn-hangzhou";

/// The workspace whose events are acted on.
const TRUSTED: i64 = 96384;

/// Why a demonstration cannot be given.
#[derive(Debug, Error)]
pub enum DemoError {
    /// No randomness for passwords.
    #[error("cannot make up secrets")]
    Random(#[source] ErrorStack),
    /// The broker failed.
    #[error("the demonstration's broker failed")]
    Broker(#[from] EmbeddedError),
    /// No port for the endpoint.
    #[error("the demonstration's endpoint cannot listen on 127.0.0.1")]
    Endpoint(#[source] io::Error),
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Everything around the daemon, running.
#[derive(Debug)]
pub struct Stage {
    /// Its configuration.
    pub configuration: PathBuf,
    broker: Embedded,
    /// The endpoint.
    pub endpoint: endpoint::Endpoint,
}

impl Stage {
    /// Starts broker and endpoint, and writes the files into `directory`.
    ///
    /// # Errors
    /// All of [`DemoError`].
    pub async fn set(directory: &mut Directory, story: &story::Story) -> Result<Self, DemoError> {
        let password = random_secret()?;
        let key = endpoint::AccessKey { id: ACCESS_KEY_ID.to_owned(), secret: random_secret()? };
        let broker = Embedded::start(embedded::Settings {
            topic: TOPIC.to_owned(),
            partitions: PARTITIONS,
            username: USER.to_owned(),
            password: password.clone(),
        })
        .await?;
        let endpoint =
            endpoint::Endpoint::start(key.clone(), story.fates.clone()).await.map_err(DemoError::Endpoint)?;
        let contents = files::Contents {
            broker: broker.address().to_string(),
            endpoint: endpoint.url(),
            authority: broker.authority(),
            password: &password,
            access_key_id: &key.id,
            access_key_secret: &key.secret,
        };
        files::write(directory, &contents).map_err(|(path, source)| DemoError::Write { path, source })?;
        Ok(Stage { configuration: directory.path().join(files::CONFIGURATION), broker, endpoint })
    }

    /// `host:port` of the broker.
    #[must_use]
    pub fn broker(&self) -> String {
        self.broker.address().to_string()
    }

    /// Puts the records into the topic, each after its pause, and gives the last offset of each partition.
    ///
    /// # Errors
    /// [`DemoError::Broker`].
    pub async fn feed(&self, records: &[(Duration, NewRecord)]) -> Result<BTreeMap<i64, i64>, DemoError> {
        let mut last = BTreeMap::new();
        for (pause, record) in records {
            tokio::time::sleep(*pause).await;
            last.insert(i64::from(record.partition), self.broker.put(record).await?);
        }
        Ok(last)
    }
}

/// The file that the daemon's log goes to.
///
/// # Errors
/// [`DemoError::Write`].
pub fn log_file(directory: &mut Directory) -> Result<File, DemoError> {
    let path = directory.path().join(files::LOG);
    directory.file(&path, 0o644).map_err(|source| DemoError::Write { path, source })
}

/// A secret that nobody can guess.
fn random_secret() -> Result<SecretString, DemoError> {
    let mut random = [0; 16];
    openssl::rand::rand_bytes(&mut random).map_err(DemoError::Random)?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)).into())
}
