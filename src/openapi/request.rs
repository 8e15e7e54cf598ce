//! Builds the request of a call, by the account's way of signing.
//!
//! Pure. `prepare` gives the request as it may be stored and shown: placeholders in place of secrets,
//! nothing of the credentials. `sign_request` gives the one that leaves. Both are built by the same code
//! from the same call, so what is stored is what was sent.

use std::cell::Cell;

use secrecy::{ExposeSecret as _, SecretString};

use super::credential::Credentials;
use super::error::CallError;
use super::place::{Placed, place};
use super::sign::{FORM, Pair, Scheme, acs3, join, rpc};
use super::{Call, Secrets};
use crate::operation::Method;

/// A request as it may be stored and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The HTTP method.
    pub method: Method,
    /// The URL with its query, without access key, token and signature; a secret is `secret("name")`.
    pub url: String,
    /// The headers that are about the call, in order, without access key, token and signature. The hash of
    /// a body that holds a secret is left out: short secrets can be guessed from it.
    pub headers: Vec<Pair>,
    /// The form body, in order; empty if the request has no body.
    pub form: Vec<Pair>,
}

/// The request that leaves. It holds secrets and therefore shows nothing.
pub(super) struct Signed {
    pub method: Method,
    pub url: SecretString,
    pub headers: Vec<(String, SecretString)>,
    /// The encoded form; `None` sends no body.
    pub body: Option<SecretString>,
}

/// Where a call goes and how it is signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Scheme, host and port.
    pub base: &'a str,
    pub signature: Scheme,
}

/// What makes one attempt differ from the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub nonce: &'a str,
    /// The endpoint's time, as far as it is known.
    pub now_ms: i64,
}

impl Target<'_> {
    /// Host and port as the `host` header has them: the base has no port that is the scheme's own.
    pub(super) fn host(&self) -> &str {
        self.base.split_once("://").map_or(self.base, |(_, host)| host)
    }

    fn url(&self, query: &[Pair]) -> String {
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}/{separator}{}", self.base, join(query))
    }
}

/// The request of `call` as it may be stored: nothing in it is secret.
pub(super) fn prepare(target: Target<'_>, call: &Call<'_>, stamp: Stamp<'_>) -> Result<Prepared, CallError> {
    let has_secret = Cell::new(false);
    let placed = place(call, &|name| {
        has_secret.set(true);
        Ok(format!("secret(\"{name}\")"))
    })?;
    let method = call.operation.method;
    Ok(match target.signature {
        Scheme::V1 => {
            let query = [rpc_pairs(call, stamp), placed.query].concat();
            let headers = rpc_headers(!placed.form.is_empty());
            Prepared { method, url: target.url(&query), headers, form: placed.form }
        }
        Scheme::Acs3 => {
            let mut headers = acs3_headers(target, call, stamp, &placed);
            if !has_secret.get() {
                headers.push(content_sha256(&acs3::form_body(&placed.form)));
            }
            Prepared { method, url: target.url(&placed.query), headers, form: placed.form }
        }
    })
}

/// The request of `call` with its secrets and its signature.
pub(super) fn sign_request(
    target: Target<'_>,
    credentials: &Credentials,
    call: &Call<'_>,
    secrets: &Secrets,
    stamp: Stamp<'_>,
) -> Result<Signed, CallError> {
    let placed = place(call, &|name| match secrets.by_name.get(name) {
        Some(value) => Ok(value.expose_secret().to_owned()),
        None => Err(CallError::MissingSecret { name: name.to_owned() }),
    })?;
    Ok(match target.signature {
        Scheme::V1 => sign_rpc(target, credentials, call, stamp, placed),
        Scheme::Acs3 => sign_acs3(target, credentials, call, stamp, &placed),
    })
}

fn sign_rpc(
    target: Target<'_>,
    credentials: &Credentials,
    call: &Call<'_>,
    stamp: Stamp<'_>,
    placed: Placed,
) -> Signed {
    let method = call.operation.method;
    let mut query = [rpc_pairs(call, stamp), rpc::credential_pairs(credentials), placed.query].concat();
    let all = [query.as_slice(), &placed.form].concat();
    let signature = rpc::signature(&credentials.access_key_secret, &rpc::string_to_sign(method, &all));
    query.push(("Signature".to_owned(), signature));
    Signed {
        method,
        url: target.url(&query).into(),
        headers: hidden(rpc_headers(!placed.form.is_empty())),
        body: (!placed.form.is_empty()).then(|| join(&placed.form).into()),
    }
}

fn sign_acs3(
    target: Target<'_>,
    credentials: &Credentials,
    call: &Call<'_>,
    stamp: Stamp<'_>,
    placed: &Placed,
) -> Signed {
    let method = call.operation.method;
    let body = acs3::form_body(&placed.form);
    let mut headers = acs3_headers(target, call, stamp, placed);
    headers.extend(acs3::credential_headers(credentials));
    let (name, hash) = content_sha256(&body);
    headers.push((name, hash.clone()));
    let request = acs3::canonical_request(method, &placed.query, &headers, &hash);
    let signature = acs3::signature(&credentials.access_key_secret, &acs3::string_to_sign(&request));
    let names = acs3::signed_names(&headers);
    let authorization = acs3::authorization(&credentials.access_key_id, &names, &signature);
    headers.push((acs3::AUTHORIZATION.to_owned(), authorization));
    Signed {
        method,
        url: target.url(&placed.query).into(),
        headers: hidden(headers),
        body: (!placed.form.is_empty()).then(|| body.into()),
    }
}

fn rpc_pairs(call: &Call<'_>, stamp: Stamp<'_>) -> Vec<Pair> {
    rpc::system_pairs(call.operation.name, call.operation.version, stamp.nonce, stamp.now_ms)
}

fn rpc_headers(has_body: bool) -> Vec<Pair> {
    if has_body { vec![("content-type".to_owned(), FORM.to_owned())] } else { Vec::new() }
}

fn acs3_headers(target: Target<'_>, call: &Call<'_>, stamp: Stamp<'_>, placed: &Placed) -> Vec<Pair> {
    let (operation, has_body) = (call.operation, !placed.form.is_empty());
    let (name, version) = (operation.name, operation.version);
    acs3::system_headers(target.host(), name, version, stamp.nonce, stamp.now_ms, has_body)
}

fn content_sha256(body: &str) -> Pair {
    (acs3::CONTENT_SHA256.to_owned(), acs3::content_sha256(body.as_bytes()))
}

fn hidden(headers: Vec<Pair>) -> Vec<(String, SecretString)> {
    headers.into_iter().map(|(name, value)| (name, value.into())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::openapi::error::Class;
    use crate::operation::{ApiVersion, find};

    const BASE: &str = "https://dataworks.cn-shanghai.aliyuncs.com";
    const STAMP: Stamp<'_> = Stamp { nonce: "n-1", now_ms: 1_774_425_600_000 };

    const fn to(signature: Scheme) -> Target<'static> {
        Target { base: BASE, signature }
    }

    fn params(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(params) => params,
            other => panic!("{other} is no object"),
        }
    }

    fn prepared(
        name: &str,
        version: ApiVersion,
        given: Value,
        token: Option<&str>,
    ) -> Result<Prepared, CallError> {
        let operation = find(name, version).expect("the catalogue has the operation");
        prepare(to(Scheme::V1), &Call { operation, params: &params(given), client_token: token }, STAMP)
    }

    #[test]
    fn parameters_travel_where_the_catalogue_says() {
        let request = prepared(
            "UpdateMetaTable",
            ApiVersion::V2020,
            json!({"TableGuid": "odps.p.t", "ProjectId": 1, "AddedLabels": "a,b", "Caption": null}),
            None,
        )
        .expect("the parameters fit");
        assert_eq!(request.method, Method::Post);
        assert_eq!(request.form, [("AddedLabels".to_owned(), "a,b".to_owned())]);
        assert_eq!(
            request.url,
            "https://dataworks.cn-shanghai.aliyuncs.com/?Action=UpdateMetaTable&Version=2020-05-18&Format=json\
             &SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n-1\
             &Timestamp=2026-03-25T08%3A00%3A00Z&ProjectId=1&TableGuid=odps.p.t"
        );
    }

    #[test]
    fn what_does_not_fit_the_catalogue_is_not_sendable() {
        let v2024 = ApiVersion::V2024;
        for (name, version, given, expected) in [
            (
                "RerunTaskInstances",
                v2024,
                json!({"ids": [1]}),
                "RerunTaskInstances has no parameter `ids`; did you mean `Ids`?",
            ),
            ("RerunTaskInstances", v2024, json!({"Zzz": 1}), "RerunTaskInstances has no parameter `Zzz`"),
            (
                "RerunTaskInstances",
                v2024,
                json!({"Ids": "secret value"}),
                "parameter `Ids` of RerunTaskInstances is text: expected array<integer>",
            ),
            (
                "RestartInstance",
                ApiVersion::V2020,
                json!({"InstanceId": {"$secret": 1}, "ProjectEnv": "PROD"}),
                "parameter `InstanceId` of RestartInstance is an object: expected integer",
            ),
            (
                "RestartInstance",
                ApiVersion::V2020,
                json!({"InstanceId": 1}),
                "RestartInstance needs the parameter `ProjectEnv`",
            ),
            (
                "RestartInstance",
                ApiVersion::V2020,
                json!({"InstanceId": null, "ProjectEnv": "PROD"}),
                "RestartInstance needs the parameter `InstanceId`",
            ),
        ] {
            let error = prepared(name, version, given, None).expect_err(expected);
            assert_eq!((error.to_string().as_str(), error.class()), (expected, Class::Unsendable));
        }
    }

    #[test]
    fn json_text_stands_for_the_list_that_it_writes() {
        let request = prepared("RerunTaskInstances", ApiVersion::V2024, json!({"Ids": "[1, \"2\"]"}), None);
        assert_eq!(request.expect("the text is a list").form, [("Ids".to_owned(), "[1,2]".to_owned())]);
    }

    #[test]
    fn a_client_token_goes_where_the_operation_has_one_unless_the_rule_sets_it() {
        let table = json!({"TableName": "t", "Columns": [{"ColumnName": "a", "ColumnType": "string"}]});
        let request = prepared("CreateTable", ApiVersion::V2020, table.clone(), Some("t-1")).expect("fits");
        assert!(request.url.contains("&ClientToken=t-1&"), "{}", request.url);
        assert_eq!(request.form[0], ("Columns.1.ColumnName".to_owned(), "a".to_owned()));

        let mut own = params(table);
        own.insert("ClientToken".to_owned(), json!("mine"));
        let request =
            prepared("CreateTable", ApiVersion::V2020, Value::Object(own), Some("t-1")).expect("fits");
        assert!(request.url.contains("&ClientToken=mine&"), "{}", request.url);

        let request = prepared("RerunTaskInstances", ApiVersion::V2024, json!({"Ids": [1]}), Some("t-1"));
        assert!(!format!("{request:?}").contains("t-1"), "the operation has no such parameter");
    }

    #[test]
    fn a_prepared_request_names_secrets_and_the_signed_one_holds_them() {
        let operation = find("CreateWorkflowInstances", ApiVersion::V2024).expect("the operation exists");
        let given = params(json!({
            "Name": {"$secret": "label"}, "ProjectId": 1, "Type": "Manual", "WorkflowId": 2,
            "Tags": [{"Key": "k", "Value": {"$secret": "label"}}],
        }));
        let call = Call { operation, params: &given, client_token: None };
        let credentials = Credentials {
            access_key_id: "testAccessKeyId".to_owned(),
            access_key_secret: "testAccessKeySecret".into(),
            security_token: Some("testToken".into()),
            expires_at_ms: None,
        };
        for (scheme, begins) in [
            (Scheme::V1, "Name=a%20b&ProjectId=1&Tags=%5B%7B%22Key%22"),
            (Scheme::Acs3, "Name=a+b&ProjectId=1&Tags=%5B%7B%22Key%22"),
        ] {
            let shown = format!("{:?}", prepare(to(scheme), &call, STAMP));
            assert!(shown.contains(r#"("Name", "secret(\"label\")")"#), "{shown}");
            for hidden in ["testAccessKeyId", "testToken", "authorization", "x-acs-content-sha256"] {
                assert!(!shown.contains(hidden), "{shown}");
            }

            let sign = |secrets: &Secrets| sign_request(to(scheme), &credentials, &call, secrets, STAMP);
            let secrets = Secrets { by_name: [("label".to_owned(), SecretString::from("a b"))].into() };
            let body = sign(&secrets).ok().and_then(|signed| signed.body).expect("a form");
            assert!(body.expose_secret().starts_with(begins), "{}", body.expose_secret());

            let Err(error) = sign(&Secrets::default()) else { panic!("the secret is not configured") };
            assert_eq!(error.to_string(), "secret `label` is not configured");
            assert_eq!(error.class(), Class::Unsendable);
        }
    }

    #[test]
    fn with_acs3_the_system_s_facts_are_headers() {
        let operation = find("GetTaskInstance", ApiVersion::V2024).expect("the operation exists");
        let given = params(json!({"Id": 7}));
        let call = Call { operation, params: &given, client_token: None };
        let request = prepare(to(Scheme::Acs3), &call, STAMP).expect("the parameters fit");
        assert_eq!(request.url, format!("{BASE}/?Id=7"));
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let no_body = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(
            headers,
            [
                ("host", "dataworks.cn-shanghai.aliyuncs.com"),
                ("accept", "application/json"),
                ("x-acs-action", "GetTaskInstance"),
                ("x-acs-version", "2024-05-18"),
                ("x-acs-date", "2026-03-25T08:00:00Z"),
                ("x-acs-signature-nonce", "n-1"),
                ("x-acs-content-sha256", no_body),
            ]
        );
    }
}
