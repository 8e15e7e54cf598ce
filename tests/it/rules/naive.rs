//! A second matcher, as plain as can be: it reads the pattern's JSON anew for every event, tries every member on every
//! value, and compares small numbers as floating point.

use std::cmp::Ordering;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

/// Whether `pattern`, which is valid, matches `event`. Of lists of objects one level is looked through.
pub(crate) fn matches(pattern: &Value, event: &Value) -> bool {
    alternatives(pattern.as_object().expect("an object")).iter().any(|plain| holds(plain, event))
}

/// The pattern as patterns without `$or`; those in fields too.
fn alternatives(pattern: &Map<String, Value>) -> Vec<Vec<(String, Value)>> {
    let mut all = vec![Vec::new()];
    for (key, value) in pattern {
        let choices: Vec<Vec<(String, Value)>> = match value {
            Value::Array(list) if key == "$or" => {
                list.iter().flat_map(|one| alternatives(one.as_object().expect("an object"))).collect()
            }
            Value::Object(fields) => {
                let prefixed = |(path, leaf)| (format!("{key}.{path}"), leaf);
                alternatives(fields).into_iter().map(|one| one.into_iter().map(prefixed).collect()).collect()
            }
            leaf => vec![vec![(key.clone(), leaf.clone())]],
        };
        let with = |one: &Vec<(String, Value)>| {
            choices.iter().map(|choice| [one.clone(), choice.clone()].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

fn holds(conditions: &[(String, Value)], event: &Value) -> bool {
    let mut first_lists: Vec<String> =
        conditions.iter().filter_map(|(path, _)| list_on(path, event)).collect();
    first_lists.sort();
    first_lists.dedup();
    let (below, plain): (Vec<_>, Vec<_>) =
        conditions.iter().partition(|(path, _)| list_on(path, event).is_some());
    plain.iter().all(|(path, leaf)| leaf_holds(leaf, at(path, event)))
        && first_lists.iter().all(|list| {
            let inside: Vec<(String, &Value)> = below
                .iter()
                .filter_map(|(path, leaf)| {
                    Some((path.strip_prefix(list.as_str())?.strip_prefix('.')?.to_owned(), leaf))
                })
                .collect();
            let elements = at(list, event).and_then(Value::as_array).expect("a list");
            let all_hold =
                |element: &Value| inside.iter().all(|(path, leaf)| leaf_holds(leaf, at(path, element)));
            let is_picked = |element: &Value| {
                all_hold(element) && inside.iter().any(|(path, leaf)| by_value(leaf, at(path, element)))
            };
            elements.iter().any(is_picked) || elements.iter().all(all_hold)
        })
}

/// The path of the list that `path` leads through.
fn list_on(path: &str, event: &Value) -> Option<String> {
    let mut ends = path.match_indices('.').map(|(end, _)| &path[..end]);
    ends.find(|part| {
        at(part, event).is_some_and(|value| value.as_array().is_some_and(|list| !list.is_empty()))
    })
    .map(str::to_owned)
}

fn at<'v>(path: &str, value: &'v Value) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

fn leaf_holds(leaf: &Value, value: Option<&Value>) -> bool {
    leaf.as_array().expect("a list").iter().any(|member| member_holds(member, value))
}

/// Whether a member other than an absence holds.
fn by_value(leaf: &Value, value: Option<&Value>) -> bool {
    leaf.as_array().expect("a list").iter().any(|member| {
        member.get("not").is_none()
            && member.get("exists") != Some(&Value::Bool(false))
            && member_holds(member, value)
    })
}

fn member_holds(member: &Value, value: Option<&Value>) -> bool {
    if let Some(operand) = member.get("not") {
        let list = if operand.is_array() { operand.clone() } else { Value::Array(vec![operand.clone()]) };
        return !leaf_holds(&list, value);
    }
    if let Some(exists) = member.get("exists") {
        return value.is_some_and(exists_in) == (exists == &Value::Bool(true));
    }
    value.is_some_and(|value| scalars(value).iter().any(|scalar| scalar_holds(member, scalar)))
}

fn exists_in(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(exists_in),
        Value::Object(map) => map.values().any(exists_in),
        _ => true,
    }
}

fn scalars(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().flat_map(scalars).collect(),
        Value::Object(_) => Vec::new(),
        scalar => vec![scalar],
    }
}

fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.partial_cmp(&other) == Some(Ordering::Equal),
        _ => one == other,
    }
}

fn scalar_holds(member: &Value, scalar: &Value) -> bool {
    let Some((operator, operand)) = member.as_object().and_then(|map| map.iter().next()) else {
        return same(member, scalar);
    };
    let text = scalar.as_str();
    let affix = |test: fn(&str, &str) -> bool| match operand.get("equals-ignore-case") {
        Some(inner) => text.is_some_and(|text| test(&text.to_lowercase(), &string(inner).to_lowercase())),
        None => text.is_some_and(|text| test(text, string(operand))),
    };
    match operator.as_str() {
        "prefix" => affix(|text, part| text.starts_with(part)),
        "suffix" => affix(|text, part| text.ends_with(part)),
        "contains" => affix(|text, part| text.contains(part)),
        "equals-ignore-case" => {
            text.is_some_and(|text| text.to_lowercase() == string(operand).to_lowercase())
        }
        "wildcard" => text.is_some_and(|text| {
            glob(&string(operand).chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
        }),
        "regex" => text.is_some_and(|text| regex::Regex::new(string(operand)).expect("right").is_match(text)),
        "cidr" => text.is_some_and(|text| in_network(string(operand), text)),
        "numeric" => scalar.as_f64().is_some_and(|number| {
            operand.as_array().expect("a list").chunks(2).all(|pair| {
                let bound = pair[1].as_f64().expect("a number");
                match string(&pair[0]) {
                    "=" => number.partial_cmp(&bound) == Some(Ordering::Equal),
                    "<" => number < bound,
                    "<=" => number <= bound,
                    ">" => number > bound,
                    _ => number >= bound,
                }
            })
        }),
        "anything-but" => {
            let members: Vec<Value> = match operand {
                Value::Array(list) => list.clone(),
                Value::Object(map) => {
                    let (name, inner) = map.iter().next().expect("an operator");
                    let inner = inner.as_array().cloned().unwrap_or_else(|| vec![inner.clone()]);
                    inner
                        .into_iter()
                        .map(|one| Value::Object([(name.clone(), one)].into_iter().collect()))
                        .collect()
                }
                one => vec![one.clone()],
            };
            !members.iter().any(|member| scalar_holds(member, scalar))
        }
        other => panic!("the plain matcher does not know `{other}`"),
    }
}

fn string(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        ['\\', own, rest @ ..] | [own, rest @ ..] => text.first() == Some(own) && glob(rest, &text[1..]),
    }
}

fn in_network(network: &str, text: &str) -> bool {
    let (base, length) = network.split_once('/').expect("a network");
    let length: usize = length.parse().expect("a length");
    let bits = |text: &str| match (text.parse::<Ipv4Addr>(), text.parse::<Ipv6Addr>()) {
        (Ok(address), _) => Some(format!("{:032b}", address.to_bits())),
        (_, Ok(address)) => Some(format!("{:0128b}", address.to_bits())),
        _ => None,
    };
    let base = bits(base).expect("an address");
    bits(text).is_some_and(|own| own.len() == base.len() && own[..length] == base[..length])
}
