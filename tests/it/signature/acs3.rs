//! The header-based scheme: every vector with every intermediate value, and whole calls.

use std::collections::BTreeMap;

use openeventd::openapi::call::Client;
use openeventd::openapi::credential::Credentials;
use openeventd::openapi::sign::{Pair, Scheme, acs3};
use openeventd::openapi::{Account, Call, Secrets};
use openeventd::operation::ApiVersion;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Input, assert_flattens, method_of};
use crate::endpoint::{DataWorksDouble, Received, Signature};
use crate::openapi::{NOW_MS, account, operation, send, settings, signed_by};

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    endpoint: String,
    pathname: String,
    action: String,
    version: String,
    #[serde(default)]
    input_query: Vec<Input>,
    #[serde(default)]
    input_body: Vec<Input>,
    query: BTreeMap<String, String>,
    #[serde(default)]
    body: BTreeMap<String, String>,
    body_raw: String,
    headers: BTreeMap<String, String>,
    access_key_id: String,
    access_key_secret: String,
    security_token: Option<String>,
    nonce: String,
    timestamp: String,
    payload_sha256: String,
    canonical_request: String,
    signed_headers: String,
    hashed_canonical_request: String,
    string_to_sign: String,
    signature: String,
    authorization: String,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../fixtures/vectors/acs3.public.json");
    let vectors: Vec<Vector> = serde_json::from_str(text).expect("the fixture is a list of vectors");
    assert_eq!(vectors.len(), 37);
    vectors
}

fn pairs(map: &BTreeMap<String, String>) -> Vec<Pair> {
    // Backwards, so that the order of signing is ours.
    map.iter().rev().map(|(name, value)| (name.clone(), value.clone())).collect()
}

impl Vector {
    fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: self.access_key_id.clone(),
            access_key_secret: self.access_key_secret.as_str().into(),
            security_token: self.security_token.as_deref().map(SecretString::from),
            expires_at_ms: None,
        }
    }

    /// The parts of the canonical request: method, path, query, headers, their names, hash.
    fn canonical_parts(&self) -> [&str; 6] {
        let mut parts = self.canonical_request.splitn(4, '\n');
        let mut part = || parts.next().expect("a line of the canonical request");
        let (method, path, query, rest) = (part(), part(), part(), part());
        let (headers, rest) = rest.split_once("\n\n").expect("an empty line after the headers");
        let (names, hash) = rest.split_once('\n').expect("the hash on the last line");
        [method, path, query, headers, names, hash]
    }
}

#[test]
fn every_vector_gives_every_intermediate_value() {
    for vector in vectors() {
        let name = &vector.name;
        let (query, headers) = (pairs(&vector.query), pairs(&vector.headers));
        let [method, path, canonical_query, canonical_headers, names, hash] = vector.canonical_parts();
        assert_eq!((method, path, vector.pathname.as_str()), (vector.method.as_str(), "/", "/"), "{name}");
        assert_eq!(acs3::content_sha256(vector.body_raw.as_bytes()), vector.payload_sha256, "{name}");
        assert_eq!(hash, vector.payload_sha256, "{name}");
        assert_eq!(acs3::canonical_query(&query), canonical_query, "{name}");
        assert_eq!(acs3::canonical_headers(&headers).trim_end_matches('\n'), canonical_headers, "{name}");
        assert_eq!(acs3::signed_names(&headers), names, "{name}");
        assert_eq!(names, vector.signed_headers, "{name}");

        let request = acs3::canonical_request(method_of(method), &query, &headers, hash);
        assert_eq!(request, vector.canonical_request, "{name}");
        assert_eq!(acs3::content_sha256(request.as_bytes()), vector.hashed_canonical_request, "{name}");
        let string_to_sign = acs3::string_to_sign(&request);
        assert_eq!(string_to_sign, vector.string_to_sign, "{name}");
        let signature = acs3::signature(&vector.credentials().access_key_secret, &string_to_sign);
        assert_eq!(signature, vector.signature, "{name}");
        let authorization = acs3::authorization(&vector.access_key_id, names, &signature);
        assert_eq!(authorization, vector.authorization, "{name}");
    }
}

#[test]
fn our_headers_are_those_of_the_vectors() {
    let mut compared = 0;
    for vector in vectors() {
        let Some(version) = ApiVersion::from_text(&vector.version) else { continue };
        assert_eq!(vector.timestamp, "2026-03-25T08:00:00Z");
        let has_body = !vector.body_raw.is_empty();
        let (host, action) = (&vector.endpoint, &vector.action);
        let mut ours = acs3::system_headers(host, action, version, &vector.nonce, NOW_MS, has_body);
        ours.push((acs3::CONTENT_SHA256.into(), acs3::content_sha256(vector.body_raw.as_bytes())));
        ours.extend(acs3::credential_headers(&vector.credentials()));
        let mut ours: BTreeMap<String, String> = ours.into_iter().collect();
        assert_eq!(ours.remove("accept").as_deref(), Some("application/json"), "it is not signed");
        if !vector.headers.contains_key("x-acs-accesskey-id") {
            // Only whole clients add it, beside a token.
            assert_eq!(ours.remove("x-acs-accesskey-id").is_some(), vector.security_token.is_some());
        }
        if vector.name == "json-body" {
            // No operation of ours has a body of JSON.
            ours.insert("content-type".into(), vector.headers["content-type"].clone());
        }
        assert_eq!(ours, vector.headers, "{}", vector.name);
        compared += 1;
    }
    assert_eq!(compared, 36);
}

#[test]
fn every_vector_s_structured_input_flattens_to_its_pairs_and_its_body() {
    for vector in vectors() {
        assert_flattens(&vector.input_query, &vector.query, &vector.name);
        assert_flattens(&vector.input_body, &vector.body, &vector.name);
        if vector.headers.get("content-type").is_none_or(|kind| kind.ends_with("urlencoded")) {
            let form: Vec<Pair> = vector.body.clone().into_iter().collect();
            assert_eq!(acs3::form_body(&form), vector.body_raw, "{}", vector.name);
        }
    }
}

/// What an official client sent for the vector, as far as it is not about the connection.
fn assert_sent(received: &Received, vector: &Vector, host: &str) {
    let name = &vector.name;
    assert_eq!(
        (received.method.as_str(), &received.body),
        (vector.method.as_str(), &vector.body_raw),
        "{name}"
    );
    assert_eq!(received.query, vector.query, "{name}");
    let mut headers = received.headers.clone();
    assert_eq!(headers.remove("accept").as_deref(), Some("application/json"));
    for ours in ["authorization", "content-length", "user-agent"] {
        headers.remove(ours);
    }
    let expected = BTreeMap::from([("host".to_owned(), host.to_owned())]);
    let expected: BTreeMap<String, String> = vector.headers.clone().into_iter().chain(expected).collect();
    assert_eq!(headers, expected, "{name}");
}

#[tokio::test]
async fn whole_calls_equal_those_captured_from_the_official_clients() {
    let double = DataWorksDouble::replying([]).await;
    let host = double.url.trim_start_matches("http://");
    let client = Client::new(&settings()).expect("a client");
    for mut vector in vectors().into_iter().filter(|vector| vector.name.starts_with("sdk-")) {
        if vector.name.contains("CreateDagComplement") {
            // The capture left out what the catalogue requires; the rest of the request is compared.
            vector.body.insert("Parallelism".into(), "true".into());
            vector.body_raw = vector.body_raw.replace("&ProjectEnv", "&Parallelism=true&ProjectEnv");
            let hash = acs3::content_sha256(vector.body_raw.as_bytes());
            vector.headers.insert(acs3::CONTENT_SHA256.into(), hash);
        }
        let version = ApiVersion::from_text(&vector.version).expect("a DataWorks version");
        let params: Map<String, Value> =
            vector.query.iter().chain(&vector.body).map(|(name, text)| (name.clone(), json!(text))).collect();
        let credentials = vector.credentials();
        let credentials = signed_by(credentials);
        let account = Account { signature: Scheme::Acs3, credentials, ..account(&double.url) };
        let call =
            Call { operation: operation(&vector.action, version), params: &params, client_token: None };
        let sent = send(&client, &account, &call, &Secrets::default(), &vector.nonce).await;
        sent.unwrap_or_else(|error| panic!("{}: {error}", vector.name));

        let received = double.received().pop().expect("the call arrived");
        assert_eq!(received.signature, Signature::Valid("acs3"), "{}", vector.name);
        assert_sent(&received, &vector, host);
    }
    assert_eq!(double.received().len(), 5);
}
