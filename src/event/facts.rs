//! From a payload to typed facts, in one pass over its outermost names.
//!
//! Payloads write the same thing in many ways: numbers as text, lists joined by commas, three names for the
//! workspace and six for who acted. [`Payload::read`] collects the values as written; the methods read them
//! once the event's type is known. What cannot be read gives no fact and is noted, never an error.

use std::borrow::Cow;
use std::cell::Cell;

use super::catalogue::{self, EventType, Family};
use super::scan::{self, Names, Seen, unescape};
use super::{Event, Facts, Status};

/// The fields of a payload that facts are made of, as written; `null` and what is missing is `None`.
#[derive(Debug, Default)]
pub(super) struct Payload<'d> {
    event_code: Option<&'d str>,
    project_id: Option<&'d str>,
    app_id: Option<&'d str>,
    query_project_id: Option<&'d str>,
    operator: Option<&'d str>,
    operator_uid: Option<&'d str>,
    operator_base_id: Option<&'d str>,
    create_user: Option<&'d str>,
    assignee: Option<&'d str>,
    owner: Option<&'d str>,
    process: Option<&'d str>,
    task_id: Option<&'d str>,
    task_ids: Option<&'d str>,
    task_instance_id: Option<&'d str>,
    deleted_instances: Option<&'d str>,
    upstream_instances: Option<&'d str>,
    node_id: Option<&'d str>,
    node_ids: Option<&'d str>,
    file_id: Option<&'d str>,
    table_name: Option<&'d str>,
    table_guid: Option<&'d str>,
    status: Option<&'d str>,
    data_row_size: Option<&'d str>,
    file_size: Option<&'d str>,
    /// Whether some object of the payload repeats a name.
    pub(super) repeats_a_name: bool,
    unreadable: Cell<bool>,
}

impl<'d> Payload<'d> {
    /// Collects the fields of `data`, which is accepted JSON; anything but an object has none.
    pub(super) fn read(data: &'d str) -> Self {
        let mut payload = Payload::default();
        let mut names = Names::default();
        for (name, value) in scan::members(data) {
            let name = unescape(name);
            if let Some(field) = payload.field(&name) {
                *field = Some(value).filter(|value| *value != "null");
            }
            let is_nested = value.starts_with(['{', '[']);
            payload.repeats_a_name |=
                names.add(name) == Seen::Before || (is_nested && scan::repeats_a_name(value));
        }
        payload
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<&'d str>> {
        // By length first: that alone tells most names apart.
        Some(match (name.len(), name) {
            (9, "eventCode") => &mut self.event_code,
            (9, "projectId") => &mut self.project_id,
            (5, "appId") => &mut self.app_id,
            (16, "queryDwProjectId") => &mut self.query_project_id,
            (8, "operator") => &mut self.operator,
            (11, "operatorUid") => &mut self.operator_uid,
            (14, "operatorBaseId") => &mut self.operator_base_id,
            (10, "createUser") => &mut self.create_user,
            (8, "assignee") => &mut self.assignee,
            (5, "owner") => &mut self.owner,
            (7, "process") => &mut self.process,
            (6, "taskId") => &mut self.task_id,
            (7, "taskIds") => &mut self.task_ids,
            (14, "taskInstanceId") => &mut self.task_instance_id,
            (22, "deletedTaskInstanceIds") => &mut self.deleted_instances,
            (23, "upstreamTaskInstanceIds") => &mut self.upstream_instances,
            (6, "nodeId") => &mut self.node_id,
            (7, "nodeIds") => &mut self.node_ids,
            (6, "fileId") => &mut self.file_id,
            (9, "tableName") => &mut self.table_name,
            (9, "tableGuid") => &mut self.table_guid,
            (6, "status") => &mut self.status,
            (11, "dataRowSize") => &mut self.data_row_size,
            (8, "fileSize") => &mut self.file_size,
            _ => return None,
        })
    }

    /// Whether a field held something else than its fact needs; ask after the facts.
    pub(super) fn was_unreadable(&self) -> bool {
        self.unreadable.get()
    }

    /// `eventCode`.
    pub(super) fn event_code(&self) -> Option<Cow<'d, str>> {
        self.text(self.event_code)
    }

    /// The workspace: the field that the catalogue names, else the first there is.
    pub(super) fn workspace(&self, row: Option<&EventType>) -> Option<i64> {
        let named = match row.map(|row| row.workspace_field) {
            Some("appId") => self.app_id,
            Some("queryDwProjectId") => self.query_project_id,
            _ => self.project_id,
        };
        self.integer(named.or(self.project_id).or(self.app_id).or(self.query_project_id))
    }

    /// Who acted: the field that the catalogue names, else the first there is.
    ///
    /// An event that is known to name nobody gets nobody.
    pub(super) fn operator(&self, row: Option<&EventType>) -> Option<Cow<'d, str>> {
        let named = match row.map(|row| row.operator_field) {
            Some(None) => return None,
            Some(Some("operatorUid")) => self.operator_uid,
            Some(Some("createUser")) => self.create_user,
            Some(Some("owner")) => self.owner,
            Some(Some("assignee")) => self.assignee.or_else(|| self.applicant()),
            _ => self.operator,
        };
        let first = self.operator.or(self.operator_uid).or(self.operator_base_id).or(self.create_user);
        self.text(named.or(first))
    }

    fn applicant(&self) -> Option<&'d str> {
        scan::members(self.process?).find(|(name, _)| *name == "applicant").map(|(_, value)| value)
    }

    /// The typed facts.
    pub(super) fn facts(&self, row: Option<&EventType>) -> Facts<'d> {
        let family = row.map_or(Family::Other, |row| row.family);
        let is_about_instance = matches!(family, Family::InstanceStatus | Family::Alert);
        let is_about_instances = matches!(family, Family::InstanceOperation | Family::Alert);
        let task_id = self.task_id.filter(|_| is_about_instance);
        let mut instances = Vec::new();
        for field in
            [self.task_ids.filter(|_| is_about_instances), self.deleted_instances, self.upstream_instances]
        {
            self.integers(field, &mut instances);
        }
        let mut nodes = Vec::new();
        self.integers(self.node_ids, &mut nodes);
        Facts {
            instance: self.integer(self.task_instance_id.or(task_id)),
            instances,
            node: self.integer(self.node_id),
            nodes,
            file: self.integer(self.file_id),
            table: self.text(self.table_name).or_else(|| self.text(self.table_guid)),
            status: self.status(self.written_status(row)),
            rows: self.integer(self.data_row_size),
            bytes: self.integer(self.file_size),
        }
    }

    /// The field that holds the status, in payloads that have one.
    fn written_status(&self, row: Option<&EventType>) -> Option<&'d str> {
        self.status.filter(|_| row.is_some_and(|row| !row.family.statuses().is_empty()))
    }

    fn status(&self, value: Option<&'d str>) -> Option<Status> {
        let code = self.integer(value)?;
        let status = Status::from_code(code);
        self.note(status.is_none());
        status
    }

    fn text(&self, value: Option<&'d str>) -> Option<Cow<'d, str>> {
        let value = value?;
        let text = match value.as_bytes().first() {
            Some(b'"') => content(value),
            Some(b'{' | b'[' | b't' | b'f') | None => {
                self.note(true);
                return None;
            }
            Some(_) => Cow::Borrowed(value),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    fn integer(&self, value: Option<&'d str>) -> Option<i64> {
        // Only text needs unquoting; a number is the common case.
        let text = match value? {
            quoted if quoted.starts_with('"') => content(quoted),
            plain => Cow::Borrowed(plain),
        };
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let number = exact_integer(text);
        self.note(number.is_none());
        number
    }

    /// A list of numbers, however written: a list, text joined by commas, a list as text, or one number.
    fn integers(&self, value: Option<&'d str>, numbers: &mut Vec<i64>) {
        let Some(value) = value else { return };
        if value.starts_with('[') {
            numbers.extend(scan::elements(value).filter_map(|element| self.integer(Some(element))));
            return;
        }
        let text = if value.starts_with('"') { content(value) } else { Cow::Borrowed(value) };
        let joined = text.trim().trim_start_matches('[').trim_end_matches(']');
        for part in
            joined.split(',').map(|part| part.trim().trim_matches('"')).filter(|part| !part.is_empty())
        {
            let number = exact_integer(part);
            self.note(number.is_none());
            numbers.extend(number);
        }
    }

    fn note(&self, is_unreadable: bool) {
        self.unreadable.set(self.unreadable.get() | is_unreadable);
    }
}

impl Event<'_> {
    /// What the payload holds as its status, as sent, where that is none that is known.
    pub(crate) fn unknown_status(&self) -> Option<&str> {
        if self.facts.status.is_some() {
            return None;
        }
        // Of an event that is not of the catalogue no fact is read.
        let row = catalogue::by_type(self.event_type.as_deref()?)?;
        Payload::read(&self.data).written_status(Some(row))
    }
}

/// The text of a quoted string.
fn content(quoted: &str) -> Cow<'_, str> {
    scan::Reader::new(quoted).string().map_or(Cow::Borrowed(""), unescape)
}

/// The integer that a decimal text means exactly: `12`, `12.0`, `1.2e1`; nothing else.
///
/// Some producers write 64-bit integers as floating-point numbers (`7.3910042265E10`).
fn exact_integer(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let digits = format!("{sign}{whole}{fraction}");
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let shift = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let significant = digits.trim_end_matches('0');
    let zeros = i32::try_from(digits.len() - significant.len()).ok()?.checked_add(shift)?;
    if matches!(significant, "" | "-") {
        return Some(0);
    }
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros < 19)?;
    format!("{significant}{}", "0".repeat(zeros)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_an_integer_exactly_is_one() {
        for (text, expected) in [
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("12.00", Some(12)),
            ("7.3910042265E10", Some(73_910_042_265)),
            ("1200e-2", Some(12)),
            ("-0.0", Some(0)),
            ("0e999999999", Some(0)),
            ("1.5", None),
            ("1e999999999", None),
            ("1e-99999999999", None),
            ("0x10", None),
            (".5e1", None),
            ("--1", None),
            ("1-2", None),
            ("e5", None),
            ("true", None),
        ] {
            assert_eq!(exact_integer(text), expected, "{text}");
        }
    }

    #[test]
    fn lists_are_read_however_they_are_written() {
        for list in
            ["[1,2]", "[\"1\", 2.0]", "\"1,2\"", "\" 1 , 2,\"", "\"[1,2]\"", "\"[\\\"1\\\",\\\"2\\\"]\""]
        {
            let data = format!("{{\"nodeIds\":{list}}}");
            let payload = Payload::read(&data);
            assert_eq!(payload.facts(None).nodes, [1, 2], "{list}");
            assert!(!payload.was_unreadable(), "{list}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_noted_and_what_is_empty_is_not() {
        for (data, is_unreadable) in [
            (r#"{"nodeId":"x"}"#, true),
            (r#"{"nodeIds":[1,"x"]}"#, true),
            (r#"{"fileId":{}}"#, true),
            (r#"{"tableName":["t"]}"#, true),
            (r#"{"nodeId":null,"fileId":"","nodeIds":"","tableName":""}"#, false),
            (r"[1]", false),
        ] {
            let payload = Payload::read(data);
            let facts = payload.facts(None);
            assert_eq!((facts.node, facts.file, facts.table), (None, None, None), "{data}");
            assert_eq!(payload.was_unreadable(), is_unreadable, "{data}");
        }
    }

    #[test]
    fn an_approval_without_assignee_is_the_applicants() {
        let row = catalogue::by_code("approval-change-created");
        let payload = Payload::read(r#"{"appId":7,"process":{"x":1,"applicant":"259814730062518843"}}"#);
        assert_eq!(payload.operator(row).as_deref(), Some("259814730062518843"));
        assert_eq!(payload.workspace(row), Some(7));
    }
}
