//! Where the paths of a pattern stand.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::rule::pattern::item::{Item, ItemKind, Key};

/// Finds places of paths; nothing is gathered before the first is asked for.
pub(super) struct Places<'i> {
    entries: &'i [(Key, Item)],
    found: OnceCell<BTreeMap<String, Vec<Place<'i>>>>,
}

struct Place<'i> {
    /// Where the alternative begins that it stands in, if it stands in one.
    alternative: Option<usize>,
    /// The key.
    span: Range<usize>,
    /// What stands under it.
    value: &'i Item,
}

impl<'i> Places<'i> {
    pub(super) fn new(entries: &'i [(Key, Item)]) -> Self {
        Places { entries, found: OnceCell::new() }
    }

    /// The place of `path` within one of the alternatives `origins`, else the one outside all alternatives.
    pub(super) fn of(&self, path: &str, origins: &[Range<usize>]) -> Range<usize> {
        self.find(path, origins).map(|place| place.span.clone()).unwrap_or_default()
    }

    /// The place of the value `text` at `path`, or of the path itself if it does not stand there so.
    pub(super) fn of_value(&self, path: &str, text: &str, origins: &[Range<usize>]) -> Range<usize> {
        let Some(place) = self.find(path, origins) else { return Range::default() };
        text_within(place.value, text).unwrap_or_else(|| place.span.clone())
    }

    fn find(&self, path: &str, origins: &[Range<usize>]) -> Option<&Place<'i>> {
        let all = self.all(path);
        let is_within = |place: &&Place<'_>| {
            place.alternative.is_some_and(|start| origins.iter().any(|origin| origin.start == start))
        };
        let place = all.iter().find(is_within);
        let outside = || all.iter().find(|place| place.alternative.is_none()).or(all.first());
        place.or_else(outside)
    }

    /// The place of `path` somewhere in `origin`, an alternative.
    pub(super) fn beneath(&self, path: &str, origin: &Range<usize>) -> Option<Range<usize>> {
        let is_beneath = |place: &&Place<'_>| place.alternative.is_some_and(|start| origin.contains(&start));
        self.all(path).iter().find(is_beneath).map(|place| place.span.clone())
    }

    fn all(&self, path: &str) -> &[Place<'i>] {
        let found = self.found.get_or_init(|| {
            let mut found = BTreeMap::new();
            note(self.entries, "", None, &mut found);
            found
        });
        found.get(path).map_or(&[], Vec::as_slice)
    }
}

/// Where the text stands in a value: a list, an operator, or the text itself.
fn text_within(value: &Item, text: &str) -> Option<Range<usize>> {
    match &value.kind {
        ItemKind::Text(own) if own == text => Some(value.span.clone()),
        ItemKind::List(members) => members.iter().find_map(|member| text_within(member, text)),
        ItemKind::Map(entries) => entries.iter().find_map(|(_, value)| text_within(value, text)),
        _ => None,
    }
}

fn note<'i>(
    entries: &'i [(Key, Item)],
    path: &str,
    alternative: Option<usize>,
    found: &mut BTreeMap<String, Vec<Place<'i>>>,
) {
    for (key, value) in entries {
        let own = match (path.is_empty(), key.text.as_str()) {
            (_, "$or") => path.to_owned(),
            (true, name) => name.to_owned(),
            (false, name) => format!("{path}.{name}"),
        };
        for end in own.match_indices('.').map(|(end, _)| end).chain([own.len()]) {
            let places = found.entry(own.get(..end).unwrap_or_default().to_owned()).or_default();
            if places.iter().all(|place| place.alternative != alternative) {
                places.push(Place { alternative, span: key.span.clone(), value });
            }
        }
        match &value.kind {
            ItemKind::Map(below) => note(below, &own, alternative, found),
            ItemKind::List(members) if key.text == "$or" => {
                for member in members {
                    if let ItemKind::Map(below) = &member.kind {
                        note(below, &own, Some(member.span.start), found);
                    }
                }
            }
            _ => {}
        }
    }
}
