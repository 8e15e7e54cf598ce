//! Warnings about patterns that are valid and that no event can meet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use openeventd::diagnostic::Diagnostic;
use openeventd::event::decode::{Limits, decode};
use openeventd::event::{Event, catalogue, sample};
use openeventd::record::Record;
use openeventd::rule::parse::{KnownAccount, Surroundings, parse};
use openeventd::rule::policy::Allow;
use openeventd::rule::{Policy, RuleFile};

/// The warnings about the pattern of a rule, but for the one that no condition sets it apart.
fn warnings(pattern: &str) -> Vec<Diagnostic> {
    let file = RuleFile { path: "a.toml".into(), text: format!("[[rule]]\nname = \"a\"\nmatch={pattern}\n") };
    let surroundings = Surroundings { accounts: &[], policy: &Policy::default() };
    let (_, mut warnings) = parse(vec![file], &surroundings).expect(pattern);
    warnings.retain(|warning| !warning.message.contains("is looked at for nearly every event"));
    warnings
}

/// A pattern, marked with a `^` before each place of a warning, gives these messages, each with a part of its help.
fn check(marked: &str, expected: &[(&str, &str)]) {
    let pattern = marked.replace('^', "");
    let places =
        marked.match_indices('^').enumerate().map(|(before, (at, _))| at - before + "match=".len() + 1);
    let found = warnings(&pattern);
    let columns: Vec<usize> =
        found.iter().filter_map(|warning| Some(warning.place.as_ref()?.column)).collect();
    assert_eq!(columns, places.collect::<Vec<_>>(), "{marked}: {found:?}");
    let messages: Vec<&str> = found.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(messages, expected.iter().map(|(message, _)| *message).collect::<Vec<_>>(), "{marked}");
    for (warning, (_, help)) in found.iter().zip(expected) {
        assert!(warning.help.contains(help), "{marked}: {}", warning.help);
    }
}

#[test]
fn a_fact_that_the_events_do_not_have_is_told() {
    for (marked, message, help) in [
        (
            "{ code = 'commit-file', ^status = 'Failure' }",
            "never matches: the event commit-file has no `status`, as far as is known",
            "the events that have `status`: dag-status-changes, instance-status-changes",
        ),
        (
            "{ code = ['commit-file', 'deploy-file'], ^instance = 5 }",
            "never matches: the events commit-file and deploy-file have no `instance`, as far as is known",
            "delete-task-instance-dependencies, instance-status-changes, workbench-monitor-alert",
        ),
        (
            "{ type = 'dataworks:InstanceStatusChanges:InstanceStatusChanges', ^operator = { prefix = 'u' } }",
            "never matches: the event instance-status-changes has no `operator`, as far as is known",
            "and 43 more",
        ),
        (
            "{ code = ['freeze-node', 'unfreeze-node', 'undeploy-node'], ^node = { numeric = ['>', 5] } }",
            "never matches: these 3 events have no `node`, as far as is known",
            "and 5 more",
        ),
        (
            "{ code = ['commit-file', 'dag-status-changes'], file = 1, ^status = 'Failure' }",
            "never matches: no event has `file` and `status` together, as far as is known",
            "the events that have `status`: dag-status-changes, instance-status-changes",
        ),
        (
            "{ code = 'dag-status-changes', ^status = ['WaitTime', 'Checking'] }",
            "never matches: the event dag-status-changes has no such `status`, as far as is known",
            "one of NotRun, Running, Failure, Success",
        ),
        (
            "{ code = 'instance-status-changes', ^kind = 'extension' }",
            "never matches: no event has this code, type and kind together, as far as is known",
            "",
        ),
    ] {
        check(marked, &[(message, help)]);
    }
}

#[test]
fn values_and_absences_that_exclude_each_other_are_told() {
    let none_left = "never matches: none of its values is left";
    let source = "never matches: `status` is read of `data.status`, and no value of the one goes with those of the other";
    let number = "a number in every event: text never matches";
    let one_value =
        "this alternative never matches: it has one value, and no value meets all of its conditions";
    for (marked, message) in [
        (
            "{ ^status = { anything-but = ['NotRun', 'WaitTime', 'WaitResource', 'Running', 'Failure', 'Success', \
             'Checking', 'CheckingCondition'] } }",
            none_left,
        ),
        ("{ ^kind = { prefix = 'x' } }", none_left),
        ("{ ^kind = { not = ['regular', 'extension', { exists = false }] } }", none_left),
        ("{ ^status = 'Failure', data.status = 6 }", source),
        ("{ ^status = 'Failure', data.status = 99 }", source),
        (
            "{ ^node = 1, data.nodeId = [2, 3] }",
            "never matches: `node` is read of `data.nodeId`, and no value of the one goes with those of the other",
        ),
        (
            "{ data.^a = { exists = false }, \"data.a.b\" = 1 }",
            "never matches: it would have to be missing, and have what stands below it",
        ),
        (
            "{ data.a = { exists = false }, \"$or\" = [{ data.^a = 5 }, { data.b = 1 }] }",
            "this alternative never matches: it would have to exist and not to exist",
        ),
        ("{ operator = 'u1', \"$or\" = [{ ^operator = 'u2' }, { operator = { prefix = 'u' } }] }", one_value),
        ("{ node = 5, \"$or\" = [{ node = 5.0 }, { ^node = { not = 5 } }] }", one_value),
        ("{ ^node = { prefix = '7' } }", number),
        ("{ ^table = { numeric = ['>', 5] } }", "text in every event: a number never matches"),
        ("{ ^node = { null = true } }", "never null, true or false"),
    ] {
        check(marked, &[(message, "")]);
    }
}

#[test]
fn an_alternative_that_never_matches_is_told_where_it_stands() {
    let no_status = |code: &str| {
        format!("this alternative never matches: the event {code} has no `status`, as far as is known")
    };
    for (marked, codes) in [
        (
            "{ status = 'Failure', \"$or\" = [{ ^code = 'commit-file' }, { code = 'instance-status-changes' }] }",
            vec!["commit-file"],
        ),
        (
            "{ status = 'Failure', \"$or\" = [{ ^code = 'commit-file' }, { ^code = 'deploy-file' }] }",
            vec!["commit-file", "deploy-file"],
        ),
        (
            "{ code = 'commit-file', \"$or\" = [{ ^status = 'Failure', file = 1 }, { file = 2 }] }",
            vec!["commit-file"],
        ),
        // Of an alternative within another the inner one is told, unless the outer one has nothing left.
        (
            "{ \"$or\" = [{ code = 'commit-file', \"$or\" = [{ ^status = 'Failure' }, { file = 5 }] }, { code = 'x' }] }",
            vec!["commit-file"],
        ),
        // What alternatives of two lists exclude of each other is no mistake, as long as each has its match.
        (
            "{ data.\"$or\" = [{ a = { exists = false } }, { b = 1 }], \"$or\" = [{ data.a = 5 }, { data.c = 1 }] }",
            vec![],
        ),
    ] {
        let messages: Vec<String> = codes.iter().map(|code| no_status(code)).collect();
        let mut found = warnings(&marked.replace('^', ""));
        found.retain(|warning| warning.message.contains("never"));
        assert_eq!(found.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(), messages, "{marked}");
    }
}

#[test]
fn what_holds_for_some_event_or_cannot_be_known_is_not_told() {
    for pattern in [
        "{ code = 'commit-file', status = { exists = false } }",
        "{ code = 'commit-file', status = { not = 'Failure' } }",
        "{ code = 'commit-file', status = ['Failure', { exists = false }] }",
        "{ code = 'commit-file', table = ['x', { null = true }, { exists = false }] }",
        "{ code = ['commit-file', 'dag-status-changes'], status = 'Failure' }",
        "{ code = 'dag-status-changes', status = ['WaitTime', 'Failure'] }",
        // The body was never published, or the pattern names no event.
        "{ code = 'review-file', node = 5, instances = 7, data = { fileId = '5', nobody = 1 } }",
        "{ code = ['commit-file', 'review-file'], node = 5, data.fileId = '5' }",
        "{ status = 'Failure', file = 1 }",
        "{ kind = 'extension', status = 'Failure' }",
        "{ code = { prefix = 'commit-' }, status = 'Failure' }",
        "{ status = ['Failure', 'Success'], data.status = 6 }",
        "{ status = { not = 'Failure' }, data.status = 5 }",
        "{ status = 'Failure', data.status = { numeric = ['>', 5] } }",
        "{ data.a = [{ exists = false }, 1], \"data.a.b\" = 1 }",
        "{ data.a = { exists = false }, \"data.a.b\" = { exists = false } }",
        // A list may have both.
        "{ instances = 1, \"$or\" = [{ instances = 2 }, { instances = 3 }] }",
        "{ data.names = 'a', \"$or\" = [{ data.names = 'b' }, { data.names = 'c' }] }",
    ] {
        check(pattern, &[]);
    }
}

/// Of a type that the catalogue does not know, the payload names the code.
#[test]
fn an_unknown_type_goes_with_every_code() {
    let found =
        warnings("{ code = 'instance-status-changes', type = 'dataworks:New:Name', status = 'Failure' }");
    let messages: Vec<String> = found.iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(messages, ["no event has the value \"dataworks:New:Name\""]);
}

#[test]
fn rules_are_twins_by_what_they_mean_and_not_by_how_they_are_written() {
    let rule = |name: &str, pattern: &str, step: &str| {
        format!("[[rule]]\nname = \"{name}\"\nmatch = {pattern}\n{step}")
    };
    let call = |comment: &str| {
        format!(
            "[[rule.steps]]\noperation = \"RerunTaskInstances\"\nparams = {{ Ids = [\"{{{{ instance }}}}\"], Comment = \"{comment}\" }}\n"
        )
    };
    let texts = [
        rule("a", "{ node = [300, 5], data.x = { numeric = ['>', 1.0] } }", &call("x")),
        rule("b", "{ node = [5, 3e2], 'data.x' = [{ numeric = ['>', 1] }] }", &call("x")),
        rule("c", "{ node = [300, 5], data.x = { numeric = ['>', 1.0] } }", &call("y")),
        rule("d", "{ node = [300, 5], data.x = { numeric = ['>=', 1.0] } }", &call("x")),
        rule("e", "{ node = [300, 5], data.x = { numeric = ['>', 1.0] } }", ""),
    ];
    let file = RuleFile { path: "a.toml".into(), text: texts.concat() };
    let account = [KnownAccount::named("main")];
    let policy =
        Policy { allow: vec![Allow { operation: "*".into(), workspaces: vec![], rules: String::new() }] };
    let (_, found) = parse(vec![file], &Surroundings { accounts: &account, policy: &policy })
        .expect("the rules are right");
    let twins: Vec<_> = found.iter().filter(|warning| warning.message.contains("says the same")).collect();
    assert_eq!(twins.len(), 1, "{found:?}");
    assert_eq!(twins[0].message, "\"b\" says the same as \"a\" at a.toml:1");
    assert_eq!(twins[0].place.as_ref().map(|place| (place.line, place.text.as_str())), Some((7, "[[rule]]")));
}

/// The facts of an event as the values of a pattern.
fn facts(event: &Event<'_>) -> BTreeMap<&'static str, String> {
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    let text = |value: Option<&str>| value.map(|value| format!("{value:?}"));
    let facts = &event.facts;
    let all = [
        ("instance", number(facts.instance)),
        ("instances", number(facts.instances.first().copied())),
        ("node", number(facts.node)),
        ("nodes", number(facts.nodes.first().copied())),
        ("file", number(facts.file)),
        ("table", text(facts.table.as_deref())),
        ("status", text(facts.status.map(openeventd::event::Status::as_str))),
        ("rows", number(facts.rows)),
        ("bytes", number(facts.bytes)),
        ("operator", text(event.operator.as_deref())),
        ("workspace", number(event.workspace)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[test]
fn what_is_told_of_facts_is_what_decoding_every_sample_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples");
    let files = fs::read_dir(folder).expect("the samples").map(|file| file.expect("a file").path());
    let documents: Vec<Vec<u8>> = files
        .map(|path| fs::read(path).expect("it is read"))
        .chain(sample::all().map(|(_, document)| document.as_bytes().to_vec()))
        .collect();
    let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for document in &documents {
        let Ok(event) = decode(&Record::of_payload(document), &Limits::default()) else { continue };
        let Some(code) = event.code.as_deref().filter(|code| catalogue::by_code(code).is_some()) else {
            continue;
        };
        for (name, value) in facts(&event) {
            check(&format!("{{ code = '{code}', {name} = {value} }}"), &[]);
            seen.entry(code.to_owned()).or_default().insert(name);
        }
    }
    assert_eq!(seen.len(), catalogue::all().count(), "every event has a sample");
    let unpublished = [
        "review-file",
        "batch-update-data-quality-rules",
        "delete-data-quality-evaluation-task-notification",
    ];
    for (code, seen) in seen.iter().filter(|(code, _)| !unpublished.contains(&code.as_str())) {
        for name in
            ["instance", "instances", "node", "nodes", "file", "table", "status", "rows", "bytes", "operator"]
        {
            let found = warnings(&format!("{{ code = '{code}', {name} = [{{ exists = true }}] }}"));
            assert_eq!(found.is_empty(), seen.contains(name), "{code} {name}: {found:?}");
        }
    }
}
