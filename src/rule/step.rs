//! Parsing a rule's step and checking it against the API catalogue, the accounts and the policy.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::diagnostic::nearest;
use crate::operation::{self, ApiVersion, Operation};
use crate::rule::field::Field;
use crate::rule::parameter::Misfit;
use crate::rule::pattern::item::{Item, ItemKind};
use crate::rule::reads::{self, OfRule};
use crate::rule::report::{LaterKey, Report, dotted};
use crate::rule::surroundings::{KnownAccount, PartlyKnown};
use crate::rule::template::{self, Kind, Value};
use crate::rule::{Mode, Step, parameter, scope};

const PATH: &str = "steps[0]";
/// The keys of a step.
pub(super) const KEYS: [&str; 5] = ["operation", "version", "account", "params", "in_order_by"];
const LATER_KEYS: [LaterKey; 3] = [
    LaterKey { name: "id", until_then: "" },
    LaterKey { name: "when", until_then: "say it with the rule's `match`" },
    LaterKey { name: "verdict", until_then: "" },
];
/// Levels that a parameter may be nested.
const PARAM_DEPTH_MAX: usize = 32;

/// Parses `steps` of a rule; none is a rule that only records its matches.
pub(crate) fn parse(
    report: &mut Report<'_>,
    known: PartlyKnown<'_>,
    rule: &DeTable<'_>,
    mode: Mode,
    events: &OfRule<'_>,
) -> Option<Step> {
    let steps = rule.get("steps")?;
    let DeValue::Array(list) = steps.get_ref() else {
        report.wrong_type(steps, "steps", "a list of steps, each under a line `[[rule.steps]]`");
        return None;
    };
    if let Some(second) = list.get(1) {
        let help = "write one rule for each call until then";
        report.error(&second.span(), "steps[1]", "more than one step comes in a later version", help);
    }
    let first = list.first()?;
    let DeValue::Table(table) = first.get_ref() else {
        report.wrong_type(first, PATH, "a table");
        return None;
    };
    parse_step(report, known, table, &first.span(), mode, events)
}

fn parse_step(
    report: &mut Report<'_>,
    known: PartlyKnown<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    mode: Mode,
    events: &OfRule<'_>,
) -> Option<Step> {
    report.refuse_unknown(table, PATH, &KEYS, &LATER_KEYS);
    let operation = parse_operation(report, known, table, at);
    if let Some((operation, span)) = &operation {
        check_policy(report, known, operation, span, mode);
    }
    let account = parse_account(report, known, table, at, mode);
    let params = parse_params(report, table, events);
    if let Some((operation, span)) = &operation {
        check_params(report, operation, &params, span);
    }
    let in_order_by = parse_in_order_by(report, table, events);
    let params = params.into_iter().filter_map(|(name, param)| Some((name, param.value?))).collect();
    Some(Step { operation: operation?.0, account, params, in_order_by })
}

fn parse_operation(
    report: &mut Report<'_>,
    known: PartlyKnown<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
) -> Option<(&'static Operation, Range<usize>)> {
    let key = dotted(PATH, "operation");
    if !table.contains_key("operation") {
        let help = "add for example `operation = \"GetTaskInstance\"`";
        report.error(at, &key, "a step needs an operation", help);
    }
    let version = parse_version(report, table);
    let (name, span) = report.text(table, PATH, "operation")?;
    let found = |version| operation::find(name, version);
    let operation = match version? {
        Some(version) => found(version),
        None => match (found(ApiVersion::V2020), found(ApiVersion::V2024)) {
            (Some(older), Some(newer)) => match version_of_account(known.accounts?, table) {
                Some(ApiVersion::V2020) => Some(older),
                Some(ApiVersion::V2024) => Some(newer),
                None => {
                    let help = "add `version = \"2024-05-18\"` or `version = \"2020-05-18\"`, or set `api_version` of the account";
                    report.error(&span, &key, format!("both API versions have the operation {name}"), help);
                    return None;
                }
            },
            (older, newer) => newer.or(older),
        },
    };
    if operation.is_none() {
        let (message, help) = (operation::unknown(name, version?), operation::suggestions(name, version?));
        report.error(&span, &key, message, help.to_string());
    }
    Some((operation?, span))
}

/// The version that the step's account prefers; a wrong account is reported where it is parsed.
fn version_of_account(accounts: &[KnownAccount], table: &DeTable<'_>) -> Option<ApiVersion> {
    let account = match table.get("account").map(toml::Spanned::get_ref) {
        Some(DeValue::String(name)) => accounts.iter().find(|known| known.name == *name)?,
        Some(_) => return None,
        None => match accounts {
            [only] => only,
            _ => return None,
        },
    };
    account.api_version
}

/// The version, if one is written; the outer `None` is a problem that is reported already.
#[expect(clippy::option_option, reason = "absent and wrong are different, and neither is worth an enum here")]
fn parse_version(report: &mut Report<'_>, table: &DeTable<'_>) -> Option<Option<ApiVersion>> {
    if !table.contains_key("version") {
        return Some(None);
    }
    let (text, span) = report.text(table, PATH, "version")?;
    let version = ApiVersion::from_text(text);
    if version.is_none() {
        let message = format!("expected \"2020-05-18\" or \"2024-05-18\", found \"{text}\"");
        report.error(&span, &dotted(PATH, "version"), message, "");
    }
    version.map(Some)
}

fn check_policy(
    report: &mut Report<'_>,
    known: PartlyKnown<'_>,
    operation: &Operation,
    span: &Range<usize>,
    mode: Mode,
) {
    if known.policy.is_none_or(|policy| policy.allows_rule(operation, &report.file.path)) {
        return;
    }
    let key = dotted(PATH, "operation");
    let message = format!("{} writes, and the policy does not allow it to this rule", operation.name);
    let line = format!("[policy] allow = [{{ operation = \"{}\" }}]", operation.name);
    if mode == Mode::Observe {
        let help = format!("before another mode than observe, add to the configuration: {line}");
        report.warning(span, &key, message, help);
    } else {
        report.error(span, &key, message, format!("add to the configuration: {line}"));
    }
}

fn parse_account(
    report: &mut Report<'_>,
    known: PartlyKnown<'_>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    mode: Mode,
) -> Option<String> {
    let key = dotted(PATH, "account");
    let name = report.text(table, PATH, "account");
    let Some(accounts) = known.accounts else { return name.map(|(name, _)| name.to_owned()) };
    let known: Vec<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    if let Some((name, span)) = name {
        if !known.contains(&name) {
            let help = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None if known.is_empty() => format!("configure it as `[account.{name}]`"),
                None => format!("the configured accounts are {}", known.join(", ")),
            };
            report.error(&span, &key, format!("no account \"{name}\" is configured"), help);
        }
        return Some(name.to_owned());
    }
    if table.contains_key("account") {
        return None;
    }
    if known.len() > 1 {
        let help = format!("add `account = ...`, one of {}", known.join(", "));
        report.error(at, &key, "several accounts are configured: name one", help);
    }
    if known.is_empty() && mode != Mode::Observe {
        report.error(at, &key, "no account is configured to sign the call", "configure an `[account.NAME]`");
    }
    None
}

/// A parameter as written, with its place; without a value if that was refused.
struct Param {
    value: Option<Value>,
    span: Range<usize>,
}

fn parse_params(
    report: &mut Report<'_>,
    table: &DeTable<'_>,
    events: &OfRule<'_>,
) -> BTreeMap<String, Param> {
    let mut params = BTreeMap::new();
    let key = dotted(PATH, "params");
    let Some(value) = table.get("params") else { return params };
    let DeValue::Table(entries) = value.get_ref() else {
        report.wrong_type(value, &key, "a table of parameters");
        return params;
    };
    for (name, written) in entries {
        let path = dotted(&key, name.get_ref());
        let value = compile(report, &Item::of_toml(written), &path, events, 0);
        params.insert(name.get_ref().to_string(), Param { value, span: name.span() });
    }
    params
}

fn compile(
    report: &mut Report<'_>,
    item: &Item,
    path: &str,
    events: &OfRule<'_>,
    depth: usize,
) -> Option<Value> {
    if depth > PARAM_DEPTH_MAX {
        report.error(&item.span, path, format!("nested deeper than {PARAM_DEPTH_MAX} levels"), "");
        return None;
    }
    match &item.kind {
        ItemKind::Text(text) => compile_text(report, text, &item.span, path, events),
        ItemKind::List(elements) => {
            let compiled = elements.iter().enumerate().map(|(place, element)| {
                compile(report, element, &format!("{path}[{place}]"), events, depth + 1)
            });
            // Every element is compiled, so that every problem is reported.
            let compiled: Vec<Option<Value>> = compiled.collect();
            Some(Value::list(path, compiled.into_iter().collect::<Option<_>>()?))
        }
        ItemKind::Map(entries) => {
            let mut compiled = BTreeMap::new();
            for (key, value) in entries {
                if key.text == template::SECRET_KEY {
                    let message = format!("a key `{}` is refused", template::SECRET_KEY);
                    report.error(&key.span, path, message, "write `\"{{ secret(\\\"name\\\") }}\"`");
                }
                let value = compile(report, value, &dotted(path, &key.text), events, depth + 1);
                compiled.insert(key.text.clone(), value);
            }
            let compiled = compiled.into_iter().map(|(key, value)| Some((key, value?)));
            Some(Value::map(path, compiled.collect::<Option<_>>()?))
        }
        ItemKind::Bool(value) => Some(Value::literal(path, (*value).into())),
        ItemKind::Number(text) => {
            let number = parameter::number(text);
            if number.is_none() {
                report.error(&item.span, path, format!("{text} does not fit a number of 64 bits"), "");
            }
            Some(Value::literal(path, number?.into()))
        }
        ItemKind::Null | ItemKind::Foreign(_) => {
            let help = "write it as text";
            report.error(&item.span, path, format!("{} is no parameter value", item.describe()), help);
            None
        }
    }
}

fn compile_text(
    report: &mut Report<'_>,
    text: &str,
    span: &Range<usize>,
    path: &str,
    events: &OfRule<'_>,
) -> Option<Value> {
    let compiled = Value::compile(path, text);
    let value = compiled.map_err(|problem| report.error(span, path, problem.message, problem.help)).ok()?;
    for filter in value.unknown_filters() {
        let help = "the filters are MiniJinja's own, without `indent` and `format`";
        report.error(span, path, format!("there is no filter `{filter}`"), help);
    }
    let known: Vec<&str> =
        Field::ALL.into_iter().map(Field::name).chain([scope::EVENT, scope::RULE]).collect();
    for root in value.roots() {
        if known.contains(&root.as_str()) || template::FUNCTIONS.contains(&root.as_str()) {
            continue;
        }
        let help = match nearest(&root, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the payload is under `data`, an extension attribute under `event.{root}`"),
        };
        report.error(span, path, format!("no event has the name `{root}`"), help);
    }
    reads::lint(report, &value, span, events);
    Some(value)
}

fn check_params(
    report: &mut Report<'_>,
    operation: &Operation,
    params: &BTreeMap<String, Param>,
    span: &Range<usize>,
) {
    let key = dotted(PATH, "params");
    let title = format!("{} ({})", operation.name, operation.version.as_str());
    for (name, param) in params {
        let Some(declared) = operation.params.iter().find(|declared| declared.name == name) else {
            let names: Vec<&str> = operation.params.iter().map(|declared| declared.name).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if names.is_empty() => "it has no parameters".to_owned(),
                None => format!("its parameters are {}", names.join(", ")),
            };
            report.error(&param.span, &dotted(&key, name), format!("{title} has no such parameter"), help);
            continue;
        };
        if declared.deprecated {
            let message = format!("{title} has this parameter for old callers only: it is deprecated");
            report.warning(&param.span, &dotted(&key, name), message, "");
        }
        let mut misfits = Vec::new();
        if let Some(value) = &param.value {
            parameter::check_written(declared.param_type, &declared.fields, value, &mut misfits);
        }
        for Misfit { path, message, help, severity } in misfits {
            report.add(severity, &param.span, &path, message, help);
        }
    }
    for declared in operation.params.iter().filter(|declared| declared.required) {
        // The token is filled in as the call is made.
        if operation.client_token == Some(declared.name) {
            continue;
        }
        if !params.contains_key(declared.name) {
            let message = format!("missing: {title} requires it, type {}", declared.param_type);
            report.error(span, &dotted(&key, declared.name), message, "add it to `params`");
        }
    }
}

fn parse_in_order_by(report: &mut Report<'_>, table: &DeTable<'_>, events: &OfRule<'_>) -> Option<Value> {
    let key = dotted(PATH, "in_order_by");
    let (text, span) = report.text(table, PATH, "in_order_by")?;
    let value = compile_text(report, text, &span, &key, events)?;
    if matches!(value.kind(), Kind::Secret(_)) {
        report.error(&span, &key, "a secret is no key to order by", "");
    }
    Some(value)
}
