//! The outermost object of a record, read in one pass, nothing copied.
//!
//! Takes text and gives [`Members`]: each attribute that some envelope defines in its own place, values as
//! written, and the rest in a list. It judges nothing; [`super::decode`] tells from the members which
//! envelope it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::scan::{Names, Seen};

/// The members of a record's outermost object; values are JSON as written.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) source: Option<&'a str>,
    pub(super) event_type: Option<&'a str>,
    pub(super) time: Option<&'a str>,
    pub(super) specversion: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) data: Option<&'a str>,
    pub(super) account: Option<&'a str>,
    pub(super) publish_time: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) message_id: Option<&'a str>,
    pub(super) message_type: Option<&'a str>,
    pub(super) message_body: Option<&'a str>,
    pub(super) event_type_code: Option<&'a str>,
    pub(super) event_code: Option<&'a str>,
    pub(super) block_business: Option<&'a str>,
    pub(super) extension_biz_id: Option<&'a str>,
    /// Everything but the CloudEvents attributes from `id` to `data` above, in the order written.
    pub(super) others: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// A name that stands there twice.
    pub(super) repeated: Option<String>,
}

/// Whether a member has a place of its own.
enum Place<'m, 'a> {
    /// A CloudEvents attribute, whole there.
    Own(&'m mut Option<&'a str>),
    /// Known to some envelope, and in the list too.
    Both(&'m mut Option<&'a str>),
    Listed,
}

impl<'a> Members<'a> {
    fn place(&mut self, name: &str) -> Place<'_, 'a> {
        // By length first: that alone tells most names apart.
        match (name.len(), name) {
            (2, "id") => Place::Own(&mut self.id),
            (6, "source") => Place::Own(&mut self.source),
            (4, "type") => Place::Own(&mut self.event_type),
            (4, "time") => Place::Own(&mut self.time),
            (11, "specversion") => Place::Own(&mut self.specversion),
            (7, "subject") => Place::Own(&mut self.subject),
            (4, "data") => Place::Own(&mut self.data),
            (15, "aliyunaccountid") => Place::Both(&mut self.account),
            (17, "aliyunpublishtime") => Place::Both(&mut self.publish_time),
            (14, "aliyunregionid") => Place::Both(&mut self.region),
            (9, "messageId") => Place::Both(&mut self.message_id),
            (11, "messageType") => Place::Both(&mut self.message_type),
            (11, "messageBody") => Place::Both(&mut self.message_body),
            (9, "eventType") => Place::Both(&mut self.event_type_code),
            (9, "eventCode") => Place::Both(&mut self.event_code),
            (13, "blockBusiness") => Place::Both(&mut self.block_business),
            (14, "extensionBizId") => Place::Both(&mut self.extension_biz_id),
            _ => Place::Listed,
        }
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members { others: Vec::with_capacity(8), ..Members::default() };
        let mut listed = Names::default();
        while let Some(Name(name)) = map.next_key()? {
            let value = map.next_value::<&'de RawValue>()?.get();
            let (before, list) = match members.place(&name) {
                Place::Own(place) => (place.replace(value).is_some(), false),
                Place::Both(place) => (place.replace(value).is_some(), true),
                Place::Listed => (listed.add(name.clone()) == Seen::Before, true),
            };
            if before {
                members.repeated.get_or_insert_with(|| name.to_string());
            }
            if list {
                members.others.push((name, Cow::Borrowed(value)));
            }
        }
        Ok(members)
    }
}

/// A member's name, borrowed unless it has escapes. (`Cow` by itself always copies in serde.)
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}
