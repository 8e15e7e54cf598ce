//! The embedded catalogue: `catalogue.txt`, one operation a line, sorted by version and name.
//!
//! A line is words separated by single spaces:
//! `VERSION NAME METHOD ACCESS REPEAT_EFFECT TOKEN UPLOAD PARAM...`, where `TOKEN` is the idempotency
//! parameter or `-`, and `UPLOAD` is `upload` or `-`. A parameter is
//! `POSITION NAME : TYPE [/STYLE] [!] [*] [-] [{FIELD;FIELD...}]` without the spaces: the position is
//! `?` for the query and `&` for the form; `!` is required, `*` required in some cases, `-` deprecated;
//! a field is `NAME:TYPE[!][{FIELD;...}]`. A line that does not parse is an unknown operation; a test
//! parses all of them.

use std::sync::OnceLock;

use super::{Access, ApiVersion, Field, Method, Operation, Param, Position, RepeatEffect, Style, Upload};

const TEXT: &str = include_str!("catalogue.txt");

/// How many operations the catalogue has.
const COUNT: usize = 716;

/// The operations looked up so far, by line.
static PARSED: [OnceLock<Option<Operation>>; COUNT] = [const { OnceLock::new() }; COUNT];

/// Where each line begins and ends; made by the first look-up in one pass over the text.
fn lines() -> &'static [&'static str] {
    static LINES: OnceLock<Vec<&'static str>> = OnceLock::new();
    LINES.get_or_init(|| TEXT.lines().collect())
}

/// What the lines are sorted by.
fn key(line: &'static str) -> (&'static str, &'static str) {
    let mut words = line.splitn(3, ' ');
    (words.next().unwrap_or(""), words.next().unwrap_or(""))
}

fn line_number(name: &str, version: ApiVersion) -> Option<usize> {
    lines().binary_search_by(|line| key(line).cmp(&(version.as_str(), name))).ok()
}

pub(super) fn find(name: &str, version: ApiVersion) -> Option<&'static Operation> {
    let number = line_number(name, version)?;
    let line = lines().get(number)?;
    PARSED.get(number)?.get_or_init(|| operation(line)).as_ref()
}

pub(super) fn contains(name: &str, version: ApiVersion) -> bool {
    line_number(name, version).is_some()
}

pub(super) fn names(version: ApiVersion) -> impl Iterator<Item = &'static str> {
    lines().iter().map(|line| key(line)).filter(move |key| key.0 == version.as_str()).map(|key| key.1)
}

fn operation(line: &'static str) -> Option<Operation> {
    let mut words = line.split(' ');
    Some(Operation {
        version: ApiVersion::from_text(words.next()?)?,
        name: words.next()?,
        method: match words.next()? {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            _ => return None,
        },
        access: match words.next()? {
            "read" => Access::Read,
            "write" => Access::Write,
            _ => return None,
        },
        repeat_effect: RepeatEffect::from_text(words.next()?)?,
        client_token: match words.next()? {
            "-" => None,
            name => Some(name),
        },
        upload: match words.next()? {
            "-" => Upload::None,
            "upload" => Upload::Offered,
            _ => return None,
        },
        params: words.map(param).collect::<Option<_>>()?,
    })
}

fn param(word: &'static str) -> Option<Param> {
    let (position, rest) = if let Some(rest) = word.strip_prefix('?') {
        (Position::Query, rest)
    } else {
        (Position::Form, word.strip_prefix('&')?)
    };
    let (name, rest) = rest.split_once(':')?;
    let (head, fields) = match rest.find('{') {
        Some(at) => (rest.get(..at)?, braced(rest.get(at..)?)?),
        None => (rest, Vec::new()),
    };
    let declared = head.trim_end_matches(['!', '*', '-']);
    let flags = head.get(declared.len()..)?;
    let (param_type, style) = match declared.split_once('/') {
        None => (declared, Style::Plain),
        Some((param_type, "json")) => (param_type, Style::Json),
        Some((param_type, "simple")) => (param_type, Style::Simple),
        Some((param_type, "flat")) => (param_type, Style::Flat),
        Some(_) => return None,
    };
    Some(Param {
        name,
        param_type,
        position,
        required: flags.contains('!'),
        required_conditionally: flags.contains('*'),
        deprecated: flags.contains('-'),
        style,
        fields,
    })
}

/// The fields in `{FIELD;FIELD...}`.
fn braced(text: &'static str) -> Option<Vec<Field>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let (mut fields, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            b';' if depth == 0 => {
                fields.push(field(inner.get(start..at)?)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(field(inner.get(start..)?)?);
    Some(fields)
}

fn field(text: &'static str) -> Option<Field> {
    let (name, rest) = text.split_once(':')?;
    let (head, fields) = match rest.find('{') {
        Some(at) => (rest.get(..at)?, braced(rest.get(at..)?)?),
        None => (rest, Vec::new()),
    };
    let field_type = head.trim_end_matches('!');
    Some(Field { name, field_type, required: field_type.len() < head.len(), fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<&'static Operation> {
        [ApiVersion::V2020, ApiVersion::V2024]
            .into_iter()
            .flat_map(|version| names(version).map(move |name| find(name, version).expect(name)))
            .collect()
    }

    #[test]
    fn every_line_parses_and_the_lines_are_sorted() {
        assert_eq!(lines().len(), COUNT);
        assert!(lines().is_sorted_by(|a, b| key(a) < key(b)));
        assert_eq!(all().len(), COUNT);
    }

    #[test]
    fn the_counts_of_both_versions_are_those_of_the_published_clients() {
        let count =
            |version, access| all().iter().filter(|it| it.version == version && it.access == access).count();
        assert_eq!(
            (count(ApiVersion::V2020, Access::Read), count(ApiVersion::V2020, Access::Write)),
            (168, 147)
        );
        assert_eq!(
            (count(ApiVersion::V2024, Access::Read), count(ApiVersion::V2024, Access::Write)),
            (181, 220)
        );
        assert_eq!((names(ApiVersion::V2020).count(), names(ApiVersion::V2024).count()), (315, 401));

        let methods =
            |version, method| all().iter().filter(|it| it.version == version && it.method == method).count();
        assert_eq!(
            [Method::Get, Method::Post, Method::Put].map(|method| methods(ApiVersion::V2020, method)),
            [34, 279, 2]
        );
        assert_eq!([Method::Get, Method::Post].map(|method| methods(ApiVersion::V2024, method)), [82, 319]);
        assert_eq!(all().iter().filter(|it| it.client_token.is_some()).count(), 24);
        assert_eq!(all().iter().filter(|it| it.upload == Upload::Offered).count(), 6);
        assert_eq!(all().iter().map(|it| it.params.len()).sum::<usize>(), 1525 + 1789);
    }

    #[test]
    fn reads_repeat_without_effect_and_nothing_else_does() {
        for operation in all() {
            assert_eq!(
                operation.access == Access::Read,
                operation.repeat_effect == RepeatEffect::None,
                "{}",
                operation.name
            );
        }
    }

    #[test]
    fn complex_parameters_and_only_they_have_a_style() {
        for (operation, param) in all().iter().flat_map(|it| it.params.iter().map(move |param| (it, param))) {
            let complex = param.param_type.starts_with("array<")
                || param.param_type.starts_with("map<")
                || param.param_type == "object";
            assert_eq!(complex, param.style != Style::Plain, "{}.{}", operation.name, param.name);
        }
    }

    /// Operation, parameter: type, position, style, required.
    const SPOT_CHECKS: [(ApiVersion, &str, &str, &str, Position, Style, bool); 8] = [
        (ApiVersion::V2020, "RestartInstance", "InstanceId", "integer", Position::Form, Style::Plain, true),
        (ApiVersion::V2020, "UpdateMetaTable", "Caption", "string", Position::Query, Style::Plain, false),
        (ApiVersion::V2020, "CreateTable", "Columns", "array<object>", Position::Form, Style::Flat, true),
        (
            ApiVersion::V2020,
            "UpdateTableAddColumn",
            "Column",
            "array<object>",
            Position::Form,
            Style::Flat,
            true,
        ),
        (
            ApiVersion::V2024,
            "RerunTaskInstances",
            "Ids",
            "array<integer>",
            Position::Form,
            Style::Json,
            false,
        ),
        (
            ApiVersion::V2024,
            "ListDataSources",
            "Types",
            "array<string>",
            Position::Query,
            Style::Simple,
            false,
        ),
        (
            ApiVersion::V2024,
            "CreateWorkflowInstances",
            "Periods",
            "object",
            Position::Form,
            Style::Json,
            false,
        ),
        (
            ApiVersion::V2024,
            "RemoveTaskInstanceDependencies",
            "Id",
            "integer",
            Position::Query,
            Style::Plain,
            true,
        ),
    ];

    #[test]
    fn parameters_have_the_published_type_position_and_style() {
        for (version, name, parameter, param_type, position, style, required) in SPOT_CHECKS {
            let param = find(name, version).and_then(|it| it.param(parameter)).expect(name);
            assert_eq!(
                (param.param_type, param.position, param.style, param.required),
                (param_type, position, style, required),
                "{name}.{parameter}"
            );
        }
    }

    #[test]
    fn nested_fields_keep_their_shape() {
        let periods = find("CreateWorkflowInstances", ApiVersion::V2024)
            .and_then(|it| it.param("Periods"))
            .expect("the operation has Periods");
        let dates = &periods.fields[0];
        assert_eq!((dates.name, dates.field_type, dates.required), ("BizDates", "array<object>", true));
        assert_eq!(dates.fields.iter().map(|it| it.name).collect::<Vec<_>>(), ["EndBizDate", "StartBizDate"]);
        assert_eq!(
            periods.fields.iter().map(|it| it.name).collect::<Vec<_>>(),
            ["BizDates", "EndTime", "StartTime"]
        );

        let conditional =
            all().iter().flat_map(|it| &it.params).filter(|it| it.required_conditionally).count();
        let deprecated = all().iter().flat_map(|it| &it.params).filter(|it| it.deprecated).count();
        assert_eq!((conditional, deprecated), (42, 22));
    }

    #[test]
    fn a_name_is_found_only_as_it_is_spelled_and_in_its_version() {
        assert!(find("RestartInstance", ApiVersion::V2024).is_none());
        assert!(find("restartinstance", ApiVersion::V2020).is_none());
        assert!(find("", ApiVersion::V2020).is_none());
        let found = find("RestartInstance", ApiVersion::V2020).expect("2020-05-18 has it");
        assert_eq!((found.method, found.repeat_effect), (Method::Post, RepeatEffect::Duplicates));
        assert!(std::ptr::eq(found, find("RestartInstance", ApiVersion::V2020).expect("as before")));
    }
}
