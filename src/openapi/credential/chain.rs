//! The default chain: where the official SDKs look for credentials, in their order.
//!
//! A step that does not apply, or fails, leaves it to the next; which were tried and why they gave nothing
//! is told. The step that worked once is used from then on.

use std::path::PathBuf;

use super::ambient::Ambient;
use super::error::{CredentialError, Tried};
use super::files::{Files, steadily};
use super::metadata::is_role_name;
use super::provider::{Provider, Role};
use super::state::Obtained;
use super::{Credentials, cli_profile, ini_profile, uri};

const KEY_ID: &str = "ALIBABA_CLOUD_ACCESS_KEY_ID";
const KEY_SECRET: &str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET";
const TOKEN: &str = "ALIBABA_CLOUD_SECURITY_TOKEN";
const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const OIDC_PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const SESSION: &str = "ALIBABA_CLOUD_ROLE_SESSION_NAME";
const PROFILE: &str = "ALIBABA_CLOUD_PROFILE";
const CLI_DISABLED: &str = "ALIBABA_CLOUD_CLI_PROFILE_DISABLED";
const INI_FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";
const ECS_DISABLED: &str = "ALIBABA_CLOUD_ECS_METADATA_DISABLED";
const ECS_ROLE: &str = "ALIBABA_CLOUD_ECS_METADATA";

/// A step of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Environment,
    OidcRole,
    CliProfile,
    IniProfile,
    EcsRole,
    Uri,
}

/// What a step found.
struct Found {
    provider: Provider,
    from: String,
    files: Files,
}

/// Why a step found nothing.
enum Missed {
    /// It does not apply here.
    Absent(String),
    /// It applies, and cannot be used.
    Unusable(CredentialError),
}

impl From<CredentialError> for Missed {
    fn from(error: CredentialError) -> Self {
        Missed::Unusable(error)
    }
}

impl Step {
    const ALL: [Step; 6] =
        [Step::Environment, Step::OidcRole, Step::CliProfile, Step::IniProfile, Step::EcsRole, Step::Uri];

    fn name(self) -> &'static str {
        match self {
            Step::Environment => "environment",
            Step::OidcRole => "oidc_role",
            Step::CliProfile => "cli_profile",
            Step::IniProfile => "ini_profile",
            Step::EcsRole => "ecs_role",
            Step::Uri => "credentials_uri",
        }
    }

    fn look(self, ambient: &Ambient) -> Result<Found, Missed> {
        match self {
            Step::Environment => environment(ambient),
            Step::OidcRole => oidc_role(ambient),
            Step::CliProfile => cli(ambient),
            Step::IniProfile => ini(ambient),
            Step::EcsRole => ecs_role(ambient),
            Step::Uri => credentials_uri(ambient),
        }
    }

    async fn obtain(self, ambient: &Ambient, now_ms: i64) -> Result<Obtained, Missed> {
        let Found { provider, from, files } = self.look(ambient)?;
        let fetched = provider.fetch(ambient, now_ms).await.map_err(|error| self.missed(ambient, error))?;
        Ok(Obtained {
            credentials: fetched.credentials,
            source: self.name(),
            from,
            role: fetched.role,
            files,
            step: Some(self),
            tried: Vec::new(),
        })
    }

    /// A machine that is no ECS instance, or one without a role, is nobody's fault unless a role was named.
    fn missed(self, ambient: &Ambient, error: CredentialError) -> Missed {
        let is_meant = self != Step::EcsRole || ambient.get(ECS_ROLE).is_some();
        match error {
            CredentialError::Unreachable { .. } | CredentialError::Settings { .. } if !is_meant => {
                Missed::Absent(error.to_string())
            }
            error => Missed::Unusable(error),
        }
    }
}

/// What the step that worked before gives now; if none did, the first that gives anything.
pub(super) async fn obtain(
    ambient: &Ambient,
    worked: Option<Step>,
    now_ms: i64,
) -> Result<Obtained, CredentialError> {
    let steps = match &worked {
        Some(step) => std::slice::from_ref(step),
        None => &Step::ALL[..],
    };
    let mut tried: Vec<Tried> = Vec::new();
    for step in steps {
        let (why, fault) = match step.obtain(ambient, now_ms).await {
            Ok(obtained) => return Ok(Obtained { tried, ..obtained }),
            Err(Missed::Unusable(error)) if worked.is_some() => return Err(error),
            Err(Missed::Unusable(error)) => (error.to_string(), Some(error.fault())),
            Err(Missed::Absent(why)) => (why, None),
        };
        tried.push(Tried { step: step.name(), why, fault });
    }
    Err(CredentialError::NotFound { tried })
}

fn not_set(name: &str) -> Missed {
    Missed::Absent(format!("{name} is not set"))
}

fn environment(ambient: &Ambient) -> Result<Found, Missed> {
    let id = ambient.get(KEY_ID).ok_or_else(|| not_set(KEY_ID))?;
    let secret = ambient.get(KEY_SECRET).ok_or_else(|| {
        let reason = format!("is not set, although {KEY_ID} is");
        CredentialError::Settings { origin: KEY_SECRET.into(), reason }
    })?;
    let token = ambient.get(TOKEN);
    let credentials = Credentials {
        access_key_id: id.to_owned(),
        access_key_secret: secret.into(),
        security_token: token.map(Into::into),
        expires_at_ms: None,
    };
    let mut names = vec![KEY_ID, KEY_SECRET];
    names.extend(token.map(|_| TOKEN));
    Ok(Found { provider: Provider::Keys(credentials), from: names.join(", "), files: Files::default() })
}

fn oidc_role(ambient: &Ambient) -> Result<Found, Missed> {
    let set = |name: &'static str| ambient.get(name).ok_or_else(|| not_set(name));
    let (arn, provider_arn, token_file) = (set(ROLE_ARN)?, set(OIDC_PROVIDER_ARN)?, set(OIDC_TOKEN_FILE)?);
    let mut role = Role::new(arn);
    if let Some(name) = ambient.get(SESSION) {
        name.clone_into(&mut role.session_name);
    }
    let provider =
        Provider::Oidc { role, provider_arn: provider_arn.to_owned(), token_file: token_file.into() };
    Ok(Found { provider, from: format!("the token in {token_file}"), files: Files::default() })
}

fn cli(ambient: &Ambient) -> Result<Found, Missed> {
    if ambient.is_on(CLI_DISABLED) {
        return Err(Missed::Absent(format!("switched off by {CLI_DISABLED}")));
    }
    let path = in_home(ambient, &[".aliyun/config.json"])?;
    let named = ambient.get(PROFILE);
    let ((provider, name, mode), files) = steadily([path.clone()], || cli_profile::read(&path, named))?;
    Ok(Found { provider, from: format!("profile `{name}` ({mode}) of {}", path.display()), files })
}

fn ini(ambient: &Ambient) -> Result<Found, Missed> {
    let path = match ambient.get(INI_FILE) {
        Some(path) => PathBuf::from(path),
        None => in_home(ambient, &[".alibabacloud/credentials", ".alibabacloud/credentials.ini"])?,
    };
    let name = ambient.get(PROFILE).unwrap_or("default");
    let ((provider, kind), files) = steadily([path.clone()], || ini_profile::read(&path, name))?;
    Ok(Found { provider, from: format!("section [{name}] ({kind}) of {}", path.display()), files })
}

/// The first of these files that exists in the home directory.
fn in_home(ambient: &Ambient, names: &[&str]) -> Result<PathBuf, Missed> {
    let home = ambient.home.as_ref().ok_or_else(|| Missed::Absent("there is no home directory".into()))?;
    let paths: Vec<PathBuf> = names.iter().map(|name| home.join(name)).collect();
    let missing = || {
        let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Missed::Absent(format!("there is no {}", shown.join(" and no ")))
    };
    // A file that is there and cannot be looked at is not a file that is missing.
    let is_there = |path: &&PathBuf| !matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    paths.iter().find(is_there).cloned().ok_or_else(missing)
}

fn ecs_role(ambient: &Ambient) -> Result<Found, Missed> {
    if ambient.is_on(ECS_DISABLED) {
        return Err(Missed::Absent(format!("switched off by {ECS_DISABLED}")));
    }
    let role = ambient.get(ECS_ROLE);
    if role.is_some_and(|name| !is_role_name(name)) {
        let reason = "is no name of a role".to_owned();
        return Err(CredentialError::Settings { origin: ECS_ROLE.into(), reason }.into());
    }
    let provider = Provider::Metadata { role: role.map(str::to_owned) };
    let from = format!("the RAM role of this ECS instance, at {}", ambient.metadata_url);
    Ok(Found { provider, from, files: Files::default() })
}

fn credentials_uri(ambient: &Ambient) -> Result<Found, Missed> {
    let text = ambient.get(uri::VARIABLE).ok_or_else(|| not_set(uri::VARIABLE))?;
    let url = uri::parse(text)?;
    let from = format!("{} ({})", uri::VARIABLE, uri::shown(&url));
    Ok(Found { provider: Provider::Uri(url), from, files: Files::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::credential::Fault;

    #[test]
    fn the_first_step_that_applied_has_the_fault() {
        let tried = |step, fault| Tried { step, why: String::new(), fault };
        let none = CredentialError::NotFound { tried: vec![tried("environment", None)] };
        assert_eq!(none.fault(), Fault::Settings);
        let refused = vec![
            tried("environment", None),
            tried("oidc_role", Some(Fault::Refused)),
            tried("credentials_uri", Some(Fault::Unavailable)),
        ];
        assert_eq!(CredentialError::NotFound { tried: refused }.fault(), Fault::Refused);
    }
}
