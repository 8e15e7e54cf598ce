//! Templates: types are kept, integers are exact, secrets are named and never rendered.

use openeventd::rule::template::{RENDERED_BYTES_MAX, Scope, secret_name, secret_placeholder};
use serde_json::{Value, json};

use super::event_of::{DATA, failed_instance, rule_set};

/// Renders `template` as a parameter that takes any text, `Comment` of a rerun.
fn rendered(template: &str) -> Result<Value, String> {
    rendered_for(DATA, template)
}

fn rendered_for(data: &str, template: &str) -> Result<Value, String> {
    let text = format!(
        "[[rule]]\nname = \"the-rule\"\nmatch = {{ code = \"x\" }}\n[[rule.steps]]\n\
         operation = \"RerunTaskInstances\"\nparams = {{ Comment = '''{template}''' }}\n"
    );
    let rules = rule_set(&text);
    let step = rules.rules[0].step.as_ref().expect("a step");
    let scope = Scope::of_event(&failed_instance(data)).for_rule("the-rule");
    step.params["Comment"].render(&scope).map_err(|error| error.to_string())
}

#[test]
fn a_lone_expression_keeps_its_json_type_and_other_strings_are_text() {
    for (template, expected) in [
        ("{{ instance }}", json!(73_910_042_265_i64)),
        ("{{instance}}", json!(73_910_042_265_i64)),
        ("{{- instance -}}", json!(73_910_042_265_i64)),
        (" {{ instance }}", json!(" 73910042265")),
        ("{{ instance }}{{ node }}", json!("73910042265700005183003")),
        ("instance {{ instance }} failed", json!("instance 73910042265 failed")),
        ("{{ data.big }}", json!(9_007_199_254_740_993_i64)),
        ("{{ data.big + 1 }}", json!(9_007_199_254_740_994_i64)),
        ("{{ data.ratio }}", json!(0.25)),
        ("{{ data.none }}", json!(null)),
        ("{{ data.dagType == 0 }}", json!(true)),
        ("{{ data.names }}", json!(["x", "y"])),
        ("{{ data.list[0] }}", json!({"k": "a", "v": 1})),
        ("{{ {'a': {'b': instance}} }}", json!({"a": {"b": 73_910_042_265_i64}})),
        ("{{ \"}} {{\" }}", json!("}} {{")),
        ("{{ [instance] }}", json!([73_910_042_265_i64])),
        ("{{ data.names | join('-') }}", json!("x-y")),
        ("{{ data.long | replace('w', 'v') | upper }}", json!("ZVÖLF")),
        ("{{ data.list[0] | tojson }}", json!("{\"k\": \"a\", \"v\": 1}")),
        ("{{ data.missing | default(7) }}", json!(7)),
        ("{% if workspace == 96384 %}ours{% else %}theirs{% endif %}", json!("ours")),
        ("{{ event.aliyuneventbusname }}", json!("dataworks-events")),
        ("{{ event.code }}", json!("instance-status-changes")),
        ("{{ rule }}", json!("the-rule")),
        // In a text, too, they are written as JSON writes them, not as Python does.
        ("{{ data.dagType == 0 }}, {{ data.none }}", json!("true, null")),
        ("{{ (data.dagType == 0) | string }}", json!("true")),
        ("{{ [true, none, 'a', 1] | join(' ') }}", json!("true null a 1")),
        (
            "{{ data.dagType == 0 }}{{ data.big }} {{ data.ratio }}{{ data.huge }}",
            json!("true9007199254740993 0.25123456789012345678901234567890"),
        ),
        ("{{ status }}", json!("Failure")),
        ("plain", json!("plain")),
        ("{{ data.huge | string }}", json!("123456789012345678901234567890")),
        // What an event says is text, not a template.
        ("{{ data.text }}", json!("{{ instance }}")),
        ("<{{ data.text }}>", json!("<{{ instance }}>")),
    ] {
        assert_eq!(rendered(template), Ok(expected), "{template}");
    }
}

#[test]
fn what_is_undefined_is_an_error_that_names_it() {
    for (template, path) in [
        ("{{ data.missing }}", "`data.missing`"),
        ("{{ data.missing.deeper }}", "`data.missing`"),
        ("a {{ data.missing }}", "`data.missing`"),
        ("{{ operator }}", "`operator`"),
        ("{{ data.dagId ~ data.other }}", "`data.other`"),
        ("{{ data.other | string }}", "`data.other`"),
    ] {
        let error = rendered(template).expect_err(template);
        assert_eq!(
            error,
            format!("steps[0].params.Comment: the event has no {path}; `| default(...)` gives one")
        );
    }
}

#[test]
fn work_and_size_are_bounded() {
    let forever = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert!(rendered(forever).is_err_and(|error| error.contains("steps of work")));
    let large = format!("{{\"text\": \"{}\", \"many\": {:?}}}", "x".repeat(RENDERED_BYTES_MAX), [1; 4000]);
    for template in [
        "{{ data.text }}",
        "a{{ data.text }}",
        "{{ [data.text] }}",
        "{{ data.many | join(data.text) }}",
        "{{ data.text | replace('x', data.text) }}",
    ] {
        let error = rendered_for(&large, template).expect_err(template);
        assert!(error.contains("65536 bytes"), "{template}: {error}");
    }
    assert!(rendered("{{ data.huge }}").is_err_and(|error| error.contains("64 bits")));
}

#[test]
fn a_secret_is_named_and_never_rendered() {
    for template in
        ["{{ secret(\"db.password\") }}", "{{secret('db.password')}}", "{{ secret ( 'db.password' ) }}"]
    {
        assert_eq!(rendered(template), Ok(json!({"$secret": "db.password"})), "{template}");
    }
    assert_eq!(secret_name(&secret_placeholder("x")), Some("x"));
    assert_eq!(secret_name(&json!("{\"$secret\": \"x\"}")), None);
}

#[test]
fn an_event_cannot_name_a_secret() {
    for template in
        ["{{ data.trap }}", "{{ data }}", "{{ [data.trap] }}", "{{ event }}", "{{ {'$secret': data.long} }}"]
    {
        let data = r#"{"trap": {"$secret": "password"}, "long": "x"}"#;
        let error = rendered_for(data, template).expect_err(template);
        assert!(error.contains("would look like a secret"), "{template}: {error}");
    }
    let calls = r#"{"text": "{{ secret(\"password\") }}"}"#;
    assert_eq!(rendered_for(calls, "{{ data.text }}"), Ok(json!("{{ secret(\"password\") }}")));
    let as_text = rendered("{{ data.trap }} ").expect("text is no placeholder");
    assert!(as_text.is_string() && secret_name(&as_text).is_none());
}
