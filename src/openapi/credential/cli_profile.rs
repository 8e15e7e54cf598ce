//! Profiles of the Alibaba Cloud CLI, from `~/.aliyun/config.json`.
//!
//! Modes that would have to write tokens back into the file, or run a program, are refused: a daemon
//! shares that file with people.

use std::collections::HashSet;
use std::path::Path;

use secrecy::SecretString;
use serde_json::Value;

use super::Credentials;
use super::error::CredentialError;
use super::files::read_text;
use super::metadata::is_role_name;
use super::provider::{Provider, Role};

const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Profiles that may build on each other.
const PROFILES_MAX: usize = 10;

/// The profile `named`, else the current one: what it comes to, its name and its mode.
pub(super) fn read(path: &Path, named: Option<&str>) -> Result<(Provider, String, String), CredentialError> {
    let text = read_text(path, FILE_BYTES_MAX)?;
    let unusable = |reason: String| CredentialError::Settings { origin: path.display().to_string(), reason };
    // The parser's own words could repeat a value.
    let config: Value = serde_json::from_str(&text).map_err(|error| {
        unusable(format!("is no JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let name = named
        .or_else(|| config.get("current").and_then(Value::as_str))
        .filter(|name| !name.is_empty())
        .ok_or_else(|| unusable("names no current profile".into()))?;
    let profiles = Profiles { path, config: &config };
    let provider = profiles.provider(name, &mut HashSet::new())?;
    let mode = profiles.profile(name)?.text("mode").unwrap_or_default().to_owned();
    Ok((provider, name.to_owned(), mode))
}

/// The profiles of the file.
struct Profiles<'a> {
    path: &'a Path,
    config: &'a Value,
}

/// One of them.
struct Profile<'a> {
    path: &'a Path,
    name: &'a str,
    object: &'a Value,
}

impl<'a> Profiles<'a> {
    fn profile(&self, name: &'a str) -> Result<Profile<'a>, CredentialError> {
        let list = self.config.get("profiles").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_named = |object: &&Value| object.get("name").and_then(Value::as_str) == Some(name);
        let object = list.iter().find(is_named).ok_or_else(|| CredentialError::Settings {
            origin: self.path.display().to_string(),
            reason: format!("has no profile `{name}`"),
        })?;
        Ok(Profile { path: self.path, name, object })
    }

    /// What the profile comes to; `met` are those that build on it.
    fn provider(&self, name: &'a str, met: &mut HashSet<&'a str>) -> Result<Provider, CredentialError> {
        let profile = self.profile(name)?;
        if !met.insert(name) {
            return Err(profile.unusable("builds on itself by source_profile".into()));
        }
        if met.len() > PROFILES_MAX {
            return Err(profile.unusable(format!("builds on more than {PROFILES_MAX} others")));
        }
        match profile.text("mode").unwrap_or_default() {
            "AK" => Ok(Provider::Keys(profile.key(None)?)),
            "StsToken" => {
                let token = profile.required("sts_token")?;
                Ok(Provider::Keys(profile.key(Some(token.into()))?))
            }
            "RamRoleArn" => {
                let base = Box::new(Provider::Keys(profile.key(None)?));
                Ok(Provider::Role { base, role: profile.role()? })
            }
            "ChainableRamRoleArn" => {
                let base = Box::new(self.provider(profile.required("source_profile")?, met)?);
                Ok(Provider::Role { base, role: profile.role()? })
            }
            "EcsRamRole" => {
                let role = profile.text("ram_role_name").map(str::to_owned);
                match role {
                    Some(name) if !is_role_name(&name) => {
                        Err(profile.unusable("has a ram_role_name that is none".into()))
                    }
                    role => Ok(Provider::Metadata { role }),
                }
            }
            "OIDC" => Ok(Provider::Oidc {
                role: profile.role()?,
                provider_arn: profile.required("oidc_provider_arn")?.to_owned(),
                token_file: profile.required("oidc_token_file")?.into(),
            }),
            mode @ ("CloudSSO" | "OAuth" | "External") => {
                let why = "it needs a person or another program to renew it";
                Err(profile
                    .unusable(format!("has the mode {mode}, which openeventd does not support: {why}")))
            }
            mode => {
                let known = "AK, StsToken, RamRoleArn, ChainableRamRoleArn, EcsRamRole, OIDC";
                Err(profile.unusable(format!("has the mode `{mode}`, expected one of {known}")))
            }
        }
    }
}

impl<'a> Profile<'a> {
    fn text(&self, key: &str) -> Option<&'a str> {
        self.object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn required(&self, key: &str) -> Result<&'a str, CredentialError> {
        self.text(key).ok_or_else(|| self.unusable(format!("has no {key}")))
    }

    fn key(&self, security_token: Option<SecretString>) -> Result<Credentials, CredentialError> {
        Ok(Credentials {
            access_key_id: self.required("access_key_id")?.to_owned(),
            access_key_secret: self.required("access_key_secret")?.into(),
            security_token,
            expires_at_ms: None,
        })
    }

    fn role(&self) -> Result<Role, CredentialError> {
        let mut role = Role::new(self.required("ram_role_arn")?);
        if let Some(name) = self.text("ram_session_name").or_else(|| self.text("role_session_name")) {
            name.clone_into(&mut role.session_name);
        }
        role.external_id = self.text("external_id").map(str::to_owned);
        role.policy = self.text("policy").map(str::to_owned);
        role.region = self.text("sts_region").map(str::to_owned);
        role.vpc = self.object.get("enable_vpc").and_then(Value::as_bool).unwrap_or(false);
        // The CLI writes 0 where nothing was said.
        let seconds =
            self.object.get("expired_seconds").and_then(Value::as_u64).filter(|seconds| *seconds > 0);
        if let Some(seconds) = seconds {
            let fits = u32::try_from(seconds).map_err(|_| "has expired_seconds out of range".to_owned());
            role.duration_s = fits.map_err(|reason| self.unusable(reason))?;
        }
        Ok(role)
    }

    fn unusable(&self, reason: String) -> CredentialError {
        let origin = format!("profile `{}` of {}", self.name, self.path.display());
        CredentialError::Settings { origin, reason }
    }
}
