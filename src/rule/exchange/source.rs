//! Where the rules stand in what a bus exports.
//!
//! Known are a bare pattern, the answers of `describe-rule` and `list-rules` of Amazon EventBridge and of `GetRule`
//! and `ListRules` of Alibaba Cloud EventBridge, `AWS::Events::Rule` in templates of `CloudFormation`, and lists of
//! these. A pattern may be an object, or JSON text in a string as the buses give it.

use std::ops::Range;

use crate::rule::pattern::Dialect;
use crate::rule::pattern::item::{Item, ItemKind, Key};

const CLOUDFORMATION_TYPE: &str = "AWS::Events::Rule";

/// A rule of a bus.
#[derive(Debug)]
pub(super) struct BusRule<'i> {
    /// As it is called there; a bare pattern has no name.
    pub(super) name: Option<&'i str>,
    /// Where it stands.
    pub(super) span: Range<usize>,
    /// Its pattern, or JSON text of one.
    pub(super) pattern: &'i Item,
    /// The bus, if the form tells.
    pub(super) bus: Option<Dialect>,
    pub(super) description: Option<&'i str>,
    /// What it has besides, and what cannot be carried over.
    pub(super) besides: Vec<String>,
}

/// Something that is no rule with a pattern.
#[derive(Debug)]
pub(super) struct Refused<'i> {
    pub(super) name: Option<&'i str>,
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// What was found in one document.
#[derive(Debug, Default)]
pub(super) struct Found<'i> {
    pub(super) rules: Vec<BusRule<'i>>,
    pub(super) refused: Vec<Refused<'i>>,
    /// Lists of which the bus has more than it gave.
    pub(super) unfinished: Vec<Range<usize>>,
}

/// Finds the rules of a document.
pub(super) fn find(document: &Item) -> Found<'_> {
    let mut found = Found::default();
    found.walk(document, None);
    found
}

fn get<'i>(entries: &'i [(Key, Item)], name: &str) -> Option<&'i Item> {
    entries.iter().find(|(key, _)| key.text == name).map(|(_, value)| value)
}

fn text<'i>(entries: &'i [(Key, Item)], name: &str) -> Option<&'i str> {
    match &get(entries, name)?.kind {
        ItemKind::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

impl<'i> Found<'i> {
    fn walk(&mut self, item: &'i Item, name: Option<&'i str>) {
        let entries = match &item.kind {
            ItemKind::List(members) => {
                for member in members {
                    self.walk(member, None);
                }
                return;
            }
            ItemKind::Map(entries) => entries.as_slice(),
            _ => {
                let message = format!("expected a pattern or what a bus exports, found {}", item.describe());
                self.refuse(name, item, message, "");
                return;
            }
        };
        let object = |name: &str| match get(entries, name).map(|value| &value.kind) {
            Some(ItemKind::Map(inner)) => Some(inner),
            _ => None,
        };
        let list = |name: &str| match get(entries, name).map(|value| &value.kind) {
            Some(ItemKind::List(members)) => Some(members),
            _ => None,
        };
        if let Some(pattern) = get(entries, "EventPattern") {
            self.rule(item, entries, pattern, Dialect::Aws, text(entries, "Name").or(name));
        } else if let Some(pattern) = get(entries, "FilterPattern") {
            self.rule(item, entries, pattern, Dialect::Alibaba, text(entries, "RuleName").or(name));
        } else if text(entries, "Type") == Some(CLOUDFORMATION_TYPE) {
            if let Some(properties) = get(entries, "Properties") {
                self.walk(properties, name);
            }
        } else if let Some(resources) = object("Resources") {
            self.resources(item, resources);
        } else if let Some(rules) = list("Rules") {
            for rule in rules {
                self.walk(rule, None);
            }
            if text(entries, "NextToken").is_some() {
                self.unfinished.push(item.span.clone());
            }
        } else if object("Data").is_some()
            && let Some(data) = get(entries, "Data")
        {
            self.walk(data, name);
        } else if ["ScheduleExpression", "RuleName", "Name", "Arn"]
            .iter()
            .any(|key| text(entries, key).is_some())
        {
            let name = text(entries, "Name").or(text(entries, "RuleName")).or(name);
            let help = "a schedule starts no rule here: rules are about events";
            self.refuse(name, item, "the rule has no pattern".to_owned(), help);
        } else {
            self.rules.push(BusRule {
                name,
                span: item.span.clone(),
                pattern: item,
                bus: None,
                description: None,
                besides: Vec::new(),
            });
        }
    }

    /// The rules of a template; what else it holds is no matter of ours.
    fn resources(&mut self, item: &'i Item, resources: &'i [(Key, Item)]) {
        let mut rules = 0;
        for (key, resource) in resources {
            if let ItemKind::Map(entries) = &resource.kind
                && text(entries, "Type") == Some(CLOUDFORMATION_TYPE)
            {
                rules += 1;
                self.walk(resource, Some(&key.text));
            }
        }
        if rules == 0 {
            self.refuse(
                None,
                item,
                format!("the template has no resource of type {CLOUDFORMATION_TYPE}"),
                "",
            );
        }
    }

    fn rule(
        &mut self,
        item: &'i Item,
        entries: &'i [(Key, Item)],
        pattern: &'i Item,
        bus: Dialect,
        name: Option<&'i str>,
    ) {
        let mut besides = Vec::new();
        match get(entries, "Targets").map(|targets| &targets.kind) {
            Some(ItemKind::List(targets)) if !targets.is_empty() => {
                besides.push(format!(
                    "its targets ({}) are not carried over: give the rule a step",
                    targets.len()
                ));
            }
            Some(ItemKind::Map(_) | ItemKind::Text(_)) => {
                besides.push("its targets are not carried over: give the rule a step".to_owned());
            }
            _ => {}
        }
        let state = text(entries, "State").or(text(entries, "Status")).unwrap_or_default();
        if state.starts_with("DISABLE") {
            besides.push("it is disabled there; here it is in mode observe, which sends nothing".to_owned());
        }
        if text(entries, "ScheduleExpression").is_some() {
            besides.push("its schedule is not carried over: rules are about events".to_owned());
        }
        let description = text(entries, "Description");
        self.rules.push(BusRule {
            name,
            span: item.span.clone(),
            pattern,
            bus: Some(bus),
            description,
            besides,
        });
    }

    fn refuse(&mut self, name: Option<&'i str>, item: &Item, message: String, help: &'static str) {
        self.refused.push(Refused { name, span: item.span.clone(), message, help });
    }
}
