//! Sections of the profile file that the SDKs share: `~/.alibabacloud/credentials`.

use std::collections::BTreeMap;
use std::path::Path;

use super::Credentials;
use super::error::CredentialError;
use super::files::read_text;
use super::metadata::is_role_name;
use super::provider::{Provider, Role};

const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What the section `name` comes to, and its type.
pub(super) fn read(path: &Path, name: &str) -> Result<(Provider, String), CredentialError> {
    let text = read_text(path, FILE_BYTES_MAX)?;
    let Some(keys) = section(&text, name) else {
        let origin = path.display().to_string();
        return Err(CredentialError::Settings { origin, reason: format!("has no section [{name}]") });
    };
    let section = Section { path, name, keys };
    let kind = section.required("type")?;
    let provider = match kind {
        "access_key" => Provider::Keys(section.key()?),
        "ram_role_arn" => {
            Provider::Role { base: Box::new(Provider::Keys(section.key()?)), role: section.role()? }
        }
        "oidc_role_arn" => Provider::Oidc {
            role: section.role()?,
            provider_arn: section.required("oidc_provider_arn")?.to_owned(),
            token_file: section.required("oidc_token_file_path")?.into(),
        },
        "ecs_ram_role" => match section.text("role_name") {
            Some(name) if !is_role_name(name) => {
                return Err(section.unusable("has a role_name that is none".into()));
            }
            role => Provider::Metadata { role: role.map(str::to_owned) },
        },
        "rsa_key_pair" => {
            let reason =
                "has the type rsa_key_pair, which openeventd does not support: use an access key or a role";
            return Err(section.unusable(reason.into()));
        }
        kind => {
            let known = "access_key, ram_role_arn, oidc_role_arn, ecs_ram_role";
            return Err(section.unusable(format!("has the type `{kind}`, expected one of {known}")));
        }
    };
    Ok((provider, kind.to_owned()))
}

/// The keys of one section; what stands behind a `#` is a remark, and a later key wins.
fn section<'a>(text: &'a str, name: &str) -> Option<BTreeMap<&'a str, &'a str>> {
    let mut found: Option<BTreeMap<&str, &str>> = None;
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            is_inside = header.trim() == name;
            if is_inside {
                found.get_or_insert_default();
            }
        } else if is_inside && let (Some(keys), Some((key, value))) = (found.as_mut(), line.split_once('=')) {
            keys.insert(key.trim(), value.split('#').next().unwrap_or_default().trim());
        }
    }
    found
}

struct Section<'a> {
    path: &'a Path,
    name: &'a str,
    keys: BTreeMap<&'a str, &'a str>,
}

impl Section<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).copied().filter(|text| !text.is_empty())
    }

    fn required(&self, key: &str) -> Result<&str, CredentialError> {
        self.text(key).ok_or_else(|| self.unusable(format!("has no {key}")))
    }

    fn key(&self) -> Result<Credentials, CredentialError> {
        Ok(Credentials {
            access_key_id: self.required("access_key_id")?.to_owned(),
            access_key_secret: self.required("access_key_secret")?.into(),
            security_token: None,
            expires_at_ms: None,
        })
    }

    fn role(&self) -> Result<Role, CredentialError> {
        let mut role = Role::new(self.required("role_arn")?);
        if let Some(name) = self.text("role_session_name") {
            name.clone_into(&mut role.session_name);
        }
        role.policy = self.text("policy").map(str::to_owned);
        Ok(role)
    }

    fn unusable(&self, reason: String) -> CredentialError {
        let origin = format!("section [{}] of {}", self.name, self.path.display());
        CredentialError::Settings { origin, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins_and_remarks_are_cut() {
        let text = "type = outside\n[a]\ntype = access_key # ours\n; no = key\n#no = key\n[b]\ntype=x\n[a]\nrole = r\n";
        let keys = section(text, "a").expect("the section");
        assert_eq!(keys, BTreeMap::from([("type", "access_key"), ("role", "r")]));
        assert_eq!(section(text, "b").expect("the section")["type"], "x");
        assert!(section(text, "c").is_none());
    }
}
