//! What the default chain may look at, as data: variables, the home directory, the hosts of services.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::openapi::scrub;

/// The variables that the default chain looks at begin so.
pub const VARIABLE_PREFIX: &str = "ALIBABA_CLOUD_";

/// Where every ECS instance finds its metadata service.
const METADATA_URL: &str = "http://100.100.100.200";

/// What is around the program, and how services are reached.
#[derive(Clone)]
pub struct Ambient {
    /// The variables [`VARIABLE_PREFIX`]; some hold secrets.
    pub variables: BTreeMap<String, String>,
    /// The home directory, where profiles lie.
    pub home: Option<PathBuf>,
    /// The base URL of the metadata service; never called through a proxy.
    pub metadata_url: String,
    /// A base URL instead of the host of STS that region and network suggest.
    pub sts_url: Option<String>,
    /// The proxy's URL, for HTTPS only; `None` takes `HTTPS_PROXY`.
    pub proxy: Option<String>,
}

impl Ambient {
    /// With the services where they are on Alibaba Cloud.
    #[must_use]
    pub fn new(variables: BTreeMap<String, String>, home: Option<PathBuf>) -> Self {
        Ambient { variables, home, metadata_url: METADATA_URL.to_owned(), sts_url: None, proxy: None }
    }

    /// The variable `name`; an empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether the switch `name` is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

impl fmt::Debug for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("Ambient")
            .field("variables", &variables)
            .field("home", &self.home)
            .field("metadata_url", &self.metadata_url)
            .field("sts_url", &self.sts_url)
            .field("proxy", &self.proxy.as_ref().map(|_| scrub::REMOVED))
            .finish()
    }
}
