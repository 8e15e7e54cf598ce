//! `openeventd schema`: the schemas and the strict parsers agree, and the files that are shipped are current.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::check::{given, openeventd};

mod validator;

use validator::problems;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(of: &str) -> Value {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (code, stdout, stderr) = openeventd(directory.path(), &["schema", of]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    serde_json::from_str(&stdout).expect("a schema is JSON")
}

fn toml_value(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_json::to_value(table).expect("it can be JSON")
}

fn text_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The ready-made rules, and their tests.
fn shipped() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(root().join("config/rules.d")).expect("the directory is listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
    let (tests, rules): (Vec<PathBuf>, _) =
        files.partition(|path| path.to_string_lossy().ends_with(".test.toml"));
    assert!(rules.len() >= 6 && tests.len() >= 6);
    (rules, tests)
}

/// The blocks of a page that are TOML and begin with this table.
fn documented(page: &str, table: &str) -> Vec<String> {
    let blocks = text_of(page);
    let blocks = blocks.split("```toml").skip(1).filter_map(|rest| rest.split_once('\n'));
    let texts = blocks.map(|(_, rest)| rest.split("```").next().unwrap_or("").to_owned());
    texts.filter(|text| text.contains(table)).collect()
}

/// After a change run the tests once with `UPDATE_FIXTURES=1`, and read the difference.
#[test]
fn the_shipped_schemas_are_current_and_the_shipped_files_name_them() {
    for of in ["config", "rules", "rule-tests"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (_, printed, _) = openeventd(directory.path(), &["schema", of]);
        let shipped = root().join(format!("config/schema/{of}.schema.json"));
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            fs::write(&shipped, &printed).expect("it is written");
        }
        assert_eq!(fs::read_to_string(&shipped).ok().as_deref(), Some(printed.as_str()), "{of}");
    }
    let (rules, tests) = shipped();
    for path in rules.into_iter().chain(tests).chain([root().join("config/openeventd.toml")]) {
        let text = fs::read_to_string(&path).expect("it is text");
        let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap_or_default();
        let target = path.parent().expect("it lies somewhere").join(named);
        assert!(target.is_file(), "{}: {named}", path.display());
    }
}

#[test]
fn what_init_writes_names_the_installed_schemas_and_fits_them() {
    let directory = given(&[]);
    let arguments = "init --bootstrap-servers b:9093 --topic t --username u --password-env SECRET";
    let (code, _, stderr) = openeventd(directory.path(), &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(code, 0, "{stderr}");
    for (file, of) in [("openeventd.toml", "config"), ("rules.d/first.toml", "rules")] {
        let text = fs::read_to_string(directory.path().join(file)).expect("it is written");
        let line = format!("#:schema file:///usr/share/doc/openeventd/schema/{of}.schema.json\n");
        assert!(text.starts_with(&line), "{text}");
        assert_eq!(problems(&schema(of), &toml_value(&text)), Vec::<String>::new());
    }
}

#[test]
fn every_shipped_and_documented_file_fits() {
    let (config, rules, tests) = (schema("config"), schema("rules"), schema("rule-tests"));
    let reference = text_of("config/openeventd.toml");
    assert_eq!(problems(&config, &toml_value(&reference)), Vec::<String>::new());
    // With every default and every example that is commented out.
    let uncommented = reference.lines().map(|line| {
        let setting =
            line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', ':']) && rest.contains(" = "));
        format!("{}\n", setting.unwrap_or(line))
    });
    assert_eq!(problems(&config, &toml_value(&uncommented.collect::<String>())), Vec::<String>::new());

    let (mut shipped_rules, shipped_tests) = shipped();
    for entry in fs::read_dir(root().join("src/demo/rules")).expect("the directory is listed") {
        shipped_rules.push(entry.expect("an entry").path());
    }
    for (schema, files, page, table, least) in [
        (&rules, shipped_rules, "docs/rules.md", "[[rule]]", 4),
        (&tests, shipped_tests, "docs/rule-tests.md", "[[test]]", 2),
    ] {
        let mut written = documented(page, table);
        assert!(written.len() >= least, "{page}");
        written.extend(files.iter().map(|path| fs::read_to_string(path).expect("it is text")));
        for text in written {
            assert_eq!(problems(schema, &toml_value(&text)), Vec::<String>::new(), "{text}");
        }
    }
}

#[test]
fn what_the_schema_refuses_the_parser_refuses() {
    let rules = schema("rules");
    let (mut seen, mut refused) = (0, 0);
    for entry in fs::read_dir(root().join("tests/fixtures/rules/bad")).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("it is text");
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        seen += 1;
        let found = problems(&rules, &serde_json::to_value(table).expect("it can be JSON"));
        if !found.is_empty() {
            refused += 1;
            let report = fs::read_to_string(path.with_extension("txt")).expect("the report");
            assert!(report.ends_with("\nrefused\n"), "{}: {found:?}", path.display());
        }
    }
    assert!(seen >= 12 && refused >= 8, "{refused} of {seen}");
}

const STEP: &str =
    "[[rule]]\nname = \"a\"\nmatch = { code = \"x\" }\n[[rule.steps]]\noperation = \"GetFile\"\n";

#[test]
fn planted_mistakes_do_not_fit() {
    let rules = schema("rules");
    for text in [
        "[[rules]]\nname = \"a\"\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"",
        "[[rule]]\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"A b\"\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"\nmod = \"live\"\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"\nmode = \"life\"\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"\nmax_calls = 0\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"\nexpires = \"30\"\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"\ndialect = \"azure\"\nmatch = { code = \"x\" }",
        "[[rule]]\nname = \"a\"\nmatch = {}",
        "[[rule]]\nname = \"a\"\nmatch = { code = [] }",
        "[[rule]]\nname = \"a\"\nmatch = { code = [[\"x\"]] }",
        "[[rule]]\nname = \"a\"\nmatch = { code = [{ prefx = \"x\" }] }",
        "[[rule]]\nname = \"a\"\nmatch = { code = { prefix = 1 } }",
        "[[rule]]\nname = \"a\"\nmatch = { code = { exists = \"yes\" } }",
        "[[rule]]\nname = \"a\"\nmatch = { data = { prefix = \"x\", other = 1 } }",
        "[[rule]]\nname = \"a\"\nmatch = { rows = { numeric = [\"!=\", 1] } }",
        "[[rule]]\nname = \"a\"\nmatch = { \"$or\" = [{ code = \"x\" }] }",
        &format!("{STEP}versoin = \"2020-05-18\""),
        &format!("{STEP}version = \"2021\""),
        &STEP.replace("GetFile", "GetFiel"),
    ] {
        assert_ne!(problems(&rules, &toml_value(text)), Vec::<String>::new(), "{text}");
    }
    assert_eq!(problems(&rules, &toml_value(STEP)), Vec::<String>::new());
    let tests = schema("rule-tests");
    let test = "[[test]]\nname = \"a\"\nsample = \"commit-file\"\nmatches = [\"r\"]\n";
    for text in [
        "[[tests]]\nname = \"a\"".to_owned(),
        test.replace("name", "nam"),
        test.replace("commit-file", "comit-file"),
        test.replace("matches", "match"),
        test.replace("matches = [\"r\"]", "only = true"),
        test.replace("[\"r\"]", "\"r\""),
        test.replace("sample = \"commit-file\"", ""),
        format!("{test}event = \"{{}}\""),
        format!("{test}with = 1"),
        test.replace("sample = \"commit-file\"", "event = {}\nwith = {}"),
        format!("{test}calls = []"),
        format!("{test}calls = [{{ rule = \"r\" }}]"),
        format!("{test}calls = [{{ rule = \"r\", operation = \"GetFiel\" }}]"),
        format!("{test}fails = [{{ rule = \"r\", raeson = \"x\" }}]"),
    ] {
        assert_ne!(problems(&tests, &toml_value(&text)), Vec::<String>::new(), "{text}");
    }
    assert_eq!(problems(&tests, &toml_value(test)), Vec::<String>::new());
    let config = schema("config");
    for text in [
        "[kafka]\ntopcis = [\"a\"]",
        "[kafka]\nbatch_max = \"many\"",
        "[kafka]\nsasl_mechanism = \"gssapi\"",
        "[kafka]\npassword = \"hunter2\"",
        "[kafka]\npassword = { fiel = \"/x\" }",
        "[limits]\nmemory_max = \"48MB\"",
        "[account.main]\nedition = \"gold\"",
        "[account.main]\nothers_share = \"10\"",
        "[account]\nmain = 1",
        "[policy]\nallow = [{ operaton = \"x\" }]",
        "[policy]\nallow = [{ operation = \"RerunTaskInstance\" }]",
        "[account.main]\ncalls_per_day_max = -1",
        "[policy]\nallow = [{ operation = \"RerunTaskInstances\", workspaces = [\"a\"] }]",
        "[dispatch]\nverify = \"yes\"",
        "[dispatch]\nlease = \"30\"",
        "[logs]",
    ] {
        assert_ne!(problems(&config, &toml_value(text)), Vec::<String>::new(), "{text}");
    }
}

/// The keys that a complaint about an unknown one lists.
fn keys_of_parser(rule: &str) -> BTreeSet<String> {
    let settings = "[kafka]\nbootstrap_servers = [\"b:1\"]\ntopics = [\"t\"]\ngroup_id = \"g\"\nsecurity_protocol = \"plaintext\"\n";
    let directory = given(&[("openeventd.toml", settings), ("rules.d/a.toml", rule)]);
    let (_, _, stderr) = openeventd(directory.path(), &["check", "--config", "openeventd.toml"]);
    let listed = stderr.split_once("the keys here are ").unwrap_or_else(|| panic!("{stderr}")).1;
    listed.lines().next().expect("a line").split(", ").map(str::to_owned).collect()
}

#[test]
fn the_schema_of_rules_has_the_keys_of_the_parser_and_no_other() {
    let rules = schema("rules");
    for (definition, rule) in
        [("rule", "[[rule]]\nzzzz = 1\n".to_owned()), ("step", format!("{STEP}zzzz = 1\n"))]
    {
        let properties = rules["definitions"][definition]["properties"].as_object().expect("properties");
        assert_eq!(
            properties.keys().cloned().collect::<BTreeSet<_>>(),
            keys_of_parser(&rule),
            "{definition}"
        );
    }
}
