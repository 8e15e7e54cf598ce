//! Builds the request of a call, by the catalogue's positions and styles.
//!
//! Pure. [`prepare`] gives the request as it may be stored and shown: placeholders in place of secrets,
//! nothing of the credentials. `sign_request` gives the one that leaves. Both are built by the same code
//! from the same call, so what is stored is what was sent. What does not fit the catalogue is a
//! [`CallError`] of class `Unsendable`, before anything leaves.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::credential::Credentials;
use super::error::CallError;
use super::sign::{self, Pair};
use super::value::{fit, flatten, kind, replace_secrets};
use super::{Call, Secrets};
use crate::operation::{Method, Operation, Param, Position, Style};

/// A request as it may be stored and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The HTTP method.
    pub method: Method,
    /// The URL with its query, without access key, token and signature; a secret is `secret("name")`.
    pub url: String,
    /// The form body, in order; empty if the request has no body.
    pub form: Vec<Pair>,
}

/// The request that leaves. It holds secrets and therefore shows nothing.
pub(super) struct Signed {
    pub method: Method,
    pub url: SecretString,
    /// The encoded form; `None` sends no body.
    pub body: Option<SecretString>,
}

/// A call's parameters, by where they travel.
struct Placed {
    query: Vec<Pair>,
    form: Vec<Pair>,
}

/// The request of `call` to `base` as it may be stored: nothing in it is secret.
pub fn prepare(base: &str, call: &Call<'_>, nonce: &str, now_ms: i64) -> Result<Prepared, CallError> {
    let placed = place(call, &|name| Ok(format!("secret(\"{name}\")")))?;
    let mut query = sign::system_pairs(call.operation.name, call.operation.version, nonce, now_ms);
    query.extend(placed.query);
    let url = format!("{base}/?{}", sign::join(&query));
    Ok(Prepared { method: call.operation.method, url, form: placed.form })
}

/// The request of `call` with its secrets and its signature.
pub(super) fn sign_request(
    base: &str,
    credentials: &Credentials,
    call: &Call<'_>,
    secrets: &Secrets,
    nonce: &str,
    now_ms: i64,
) -> Result<Signed, CallError> {
    let placed = place(call, &|name| match secrets.by_name.get(name) {
        Some(value) => Ok(value.expose_secret().to_owned()),
        None => Err(CallError::MissingSecret { name: name.to_owned() }),
    })?;
    let mut query = sign::system_pairs(call.operation.name, call.operation.version, nonce, now_ms);
    query.extend(sign::credential_pairs(credentials));
    query.extend(placed.query);

    let all: Vec<Pair> = query.iter().chain(&placed.form).cloned().collect();
    let method = call.operation.method;
    let signature = sign::signature(&credentials.access_key_secret, &sign::string_to_sign(method, &all));
    query.push(("Signature".to_owned(), signature));
    Ok(Signed {
        method,
        url: format!("{base}/?{}", sign::join(&query)).into(),
        body: (!placed.form.is_empty()).then(|| sign::join(&placed.form).into()),
    })
}

fn place(
    call: &Call<'_>,
    secret_text: &impl Fn(&str) -> Result<String, CallError>,
) -> Result<Placed, CallError> {
    let operation = call.operation;
    if let Some(unknown) = call.params.keys().find(|name| operation.param(name).is_none()) {
        return Err(CallError::UnknownParameter {
            operation: operation.name,
            parameter: unknown.clone(),
            nearest: crate::diagnostic::nearest(unknown, operation.params.iter().map(|param| param.name)),
        });
    }
    let mut placed = Placed { query: Vec::new(), form: Vec::new() };
    for param in &operation.params {
        let token = call.client_token.filter(|_| operation.client_token == Some(param.name));
        let value = match (call.params.get(param.name), token) {
            (None | Some(Value::Null), Some(token)) => Value::from(token),
            (None | Some(Value::Null), None) if param.required => {
                return Err(CallError::MissingParameter { operation: operation.name, parameter: param.name });
            }
            (None | Some(Value::Null), None) => continue,
            (Some(value), _) => fit_param(operation, param, value)?,
        };
        let pairs = flatten(param.name, &replace_secrets(value, secret_text)?, param.style);
        // A GET has no body, whatever the catalogue says.
        match (param.position, operation.method) {
            (Position::Form, Method::Post | Method::Put) => placed.form.extend(pairs),
            (Position::Query, _) | (Position::Form, Method::Get) => placed.query.extend(pairs),
        }
    }
    Ok(placed)
}

fn fit_param(
    operation: &'static Operation,
    param: &'static Param,
    value: &Value,
) -> Result<Value, CallError> {
    let fitted = match (param.style, value) {
        // What is already written as it travels stays so: JSON text, or values with commas.
        (Style::Json, Value::String(text)) => serde_json::from_str(text)
            .ok()
            .and_then(|parsed: Value| fit(&parsed, param.param_type, &param.fields)),
        (Style::Simple, Value::String(_)) => Some(value.clone()),
        _ => fit(value, param.param_type, &param.fields),
    };
    fitted.ok_or_else(|| CallError::UnfitParameter {
        operation: operation.name,
        parameter: param.name,
        expected: param.param_type,
        found: kind(value),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::openapi::error::Class;
    use crate::operation::{ApiVersion, find};

    const BASE: &str = "https://dataworks.cn-shanghai.aliyuncs.com";
    const NOW_MS: i64 = 1_774_425_600_000;

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
        prepare(BASE, &Call { operation, params: &params(given), client_token: token }, "n-1", NOW_MS)
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
        let shown = format!("{:?}", prepare(BASE, &call, "n", NOW_MS));
        assert!(shown.contains(r#"("Name", "secret(\"label\")")"#), "{shown}");

        let credentials = Credentials {
            access_key_id: "testAccessKeyId".to_owned(),
            access_key_secret: "testAccessKeySecret".into(),
            security_token: None,
            expires_at_ms: None,
        };
        let sign = |secrets: &Secrets| sign_request(BASE, &credentials, &call, secrets, "n", NOW_MS);
        let secrets = Secrets { by_name: [("label".to_owned(), SecretString::from("a b"))].into() };
        let body = sign(&secrets).ok().and_then(|signed| signed.body).expect("a form");
        assert!(body.expose_secret().starts_with("Name=a%20b&ProjectId=1&Tags=%5B%7B%22Key%22"));

        let Err(error) = sign(&Secrets::default()) else { panic!("the secret is not configured") };
        assert_eq!(error.to_string(), "secret `label` is not configured");
        assert_eq!(error.class(), Class::Unsendable);
    }
}
