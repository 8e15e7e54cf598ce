//! Why there are no credentials, and what that says about mending it. No text in here holds a secret.

use thiserror::Error;

/// Where the fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// With what people wrote: settings, variables, profiles.
    Settings,
    /// With a service that did not respond, or not usably.
    Unavailable,
    /// With the permission: a service refused.
    Refused,
}

/// A step of the default chain that gave no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The step.
    pub step: &'static str,
    /// Why it gave none.
    pub why: String,
    /// What is wrong; `None` if the step does not apply here, which is nobody's fault.
    pub fault: Option<Fault>,
}

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// What people wrote cannot be used.
    #[error("{origin}: {reason}")]
    Settings {
        /// The file, variable or setting.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no connection to a service.
    #[error("no connection to {service}: {reason}")]
    Unreachable {
        /// The service and its host.
        service: String,
        /// The client's reason.
        reason: String,
    },
    /// A service failed, or gave a response that says nothing.
    #[error("{service} gave no credentials: {reason}")]
    Failed {
        /// The service and its host.
        service: String,
        /// What happened.
        reason: String,
    },
    /// A service refused.
    #[error("{service} refused: {reason}")]
    Refused {
        /// The service and its host.
        service: String,
        /// What it said.
        reason: String,
    },
    /// No step of the default chain gave any.
    #[error("the default chain finds no credentials: {}", listed(tried))]
    NotFound {
        /// The steps in their order.
        tried: Vec<Tried>,
    },
}

impl CredentialError {
    /// Where the fault lies.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            CredentialError::Settings { .. } => Fault::Settings,
            CredentialError::Unreachable { .. } | CredentialError::Failed { .. } => Fault::Unavailable,
            CredentialError::Refused { .. } => Fault::Refused,
            // The first step that applied is the one that was meant to give them.
            CredentialError::NotFound { tried } => {
                tried.iter().find_map(|tried| tried.fault).unwrap_or(Fault::Settings)
            }
        }
    }

    /// The steps of the default chain that were tried.
    #[must_use]
    pub fn tried(&self) -> &[Tried] {
        match self {
            CredentialError::NotFound { tried } => tried,
            _ => &[],
        }
    }
}

fn listed(tried: &[Tried]) -> String {
    let steps: Vec<String> = tried.iter().map(|tried| format!("{}: {}", tried.step, tried.why)).collect();
    steps.join("; ")
}
