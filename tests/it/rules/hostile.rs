//! Patterns and events that mean harm: each ends with a result or a refusal, and soon.

use std::path::Path;

use assert_cmd::Command;

/// What `openeventd rules match` says of a pattern and an event: its exit code, its output, its first error.
fn judged(directory: &Path, pattern: &str, event: &str) -> (i32, String, String) {
    std::fs::write(directory.join("pattern.json"), pattern).expect("it is written");
    std::fs::write(directory.join("event.json"), event).expect("it is written");
    let mut command = Command::cargo_bin("openeventd").expect("the program");
    command.current_dir(directory).args(["rules", "match", "pattern.json", "event.json"]);
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let first = stderr.lines().next().unwrap_or_default().to_owned();
    (output.status.code().expect("it ends by itself"), stdout.trim_end().to_owned(), first)
}

#[test]
fn what_is_too_deep_or_too_large_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let alternatives = |count: usize| {
        let one: Vec<String> = (0..count).map(|number| format!(r#"{{"f{number}": [1]}}"#)).collect();
        format!(r#""$or": [{}]"#, one.join(","))
    };
    let within = |count: usize| {
        (0..count).fold(String::new(), |inner, _| {
            let inside = if inner.is_empty() { r#""x": [1]"#.to_owned() } else { inner };
            format!(r#""$or": [{{"a": [1], {inside}}}, {{"b": [1], {inside}}}]"#)
        })
    };
    let keys: Vec<String> = (0..100_000).map(|number| format!(r#""k{number}": [1]"#)).collect();
    let regex = |expression: &str| format!(r#"{{"a": [{{"regex": "{expression}"}}]}}"#);
    for (what, pattern, said) in [
        ("a deep list", "[".repeat(1_000_000), "no JSON"),
        ("deep objects", format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000)), "no JSON"),
        ("a deep path", format!("{{\"{}\": [1]}}", "a.".repeat(400_000)), "nested deeper than 64 levels"),
        ("a million alternatives", format!("{{{}}}", alternatives(1_000_000)), "has more than 8388608 bytes"),
        ("many alternatives", format!("{{{}}}", alternatives(250_000)), "at most 1048576 are allowed"),
        ("several alternatives", format!("{{{}}}", alternatives(20_000)), "more than 10000 values"),
        ("alternatives of alternatives", format!("{{{}}}", within(11)), "more than 1000 alternatives"),
        ("many fields", format!("{{{}}}", keys[..20_000].join(",")), "more than 10000 values"),
        ("more fields", format!("{{{}}}", keys.join(",")), "at most 1048576 are allowed"),
        (
            "operators shut out",
            format!(
                "{{\"a\": [{{\"anything-but\": {{\"prefix\": [{}]}}}}]}}",
                vec![r#""x""#; 1_001].join(",")
            ),
            "more than 1000 operators",
        ),
        (
            "many operators",
            format!("{{\"a\": [{}]}}", vec![r#"{"prefix": "x"}"#; 1_001].join(",")),
            "more than 1000 operators",
        ),
        ("many values", format!("{{\"a\": [{}]}}", vec!["1"; 500_000].join(",")), "more than 10000 values"),
        (
            "excluded values",
            format!("{{\"a\": [{{\"anything-but\": [{}]}}]}}", vec!["1"; 500_000].join(",")),
            "more than",
        ),
        ("a large expression", regex(&"a".repeat(100_000)), "at most 1000"),
        ("a greedy expression", regex("((((a{30}){30}){30}){30})"), "takes more than"),
        ("nested groups", regex(&format!("{}a{}", "(".repeat(400), ")".repeat(400))), "nest"),
    ] {
        let (code, stdout, first) = judged(directory.path(), &pattern, "{}");
        assert_eq!((code, stdout.as_str()), (65, ""), "{what}: {first}");
        assert!(first.contains(said), "{what}: {}", first.chars().take(300).collect::<String>());
    }
}

#[test]
fn what_would_take_for_ever_elsewhere_comes_to_a_result() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let stars = format!(r#"{{"a": [{{"wildcard": "{}b"}}]}}"#, "*a".repeat(5_000));
    let long = format!(r#"{{"a": "{}"}}"#, "a".repeat(1_000_000));
    assert_eq!(judged(directory.path(), &stars, &long).1, "no match");
    let short = format!(r#"{{"a": "{}"}}"#, "a".repeat(60_000));
    for expression in ["(a+)+$b", "(a*)*c", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)[^a]"] {
        let pattern = format!(r#"{{"a": [{{"regex": "{expression}"}}]}}"#);
        assert_eq!(judged(directory.path(), &pattern, &short).1, "no match", "{expression}");
    }
    // The limit of an event is that of the daemon: what it would quarantine is no event here either.
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let (code, _, first) = judged(directory.path(), r#"{"a": [1]}"#, &deep);
    assert_eq!(code, 65, "{first}");
    let wide = format!(r#"{{"a": [{}]}}"#, vec![r#"{"b": [1, 2], "c": null}"#; 200_000].join(","));
    let pattern = r#"{"a": {"b": [3], "c": [{"exists": false}]}}"#;
    assert_eq!(judged(directory.path(), pattern, &wide).1, "no match");
}

#[test]
fn of_a_pattern_that_is_all_wrong_the_first_problems_are_told() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(
        directory.path().join("pattern.json"),
        format!("{{\"a\": [{}]}}", vec!["{}"; 9_000].join(",")),
    )
    .expect("it is written");
    let mut command = Command::cargo_bin("openeventd").expect("the program");
    let output = command
        .current_dir(directory.path())
        .args(["rules", "match", "pattern.json", "-"])
        .write_stdin("{}")
        .output()
        .expect("it runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(stderr.matches("an operator has one key").count(), 100);
    assert!(stderr.contains("more than 100 problems; no further one is told"), "{stderr}");
}

#[test]
fn an_error_behind_many_warnings_refuses_the_pattern() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let odd = vec![r#"{"prefix": ""}"#; 150].join(",");
    let (code, stdout, first) = judged(directory.path(), &format!("{{\"a\": [{odd}, []]}}"), "{}");
    assert_eq!((code, stdout.as_str()), (65, ""), "{first}");
    assert!(first.contains("a list stands in a list"), "{first}");
}
