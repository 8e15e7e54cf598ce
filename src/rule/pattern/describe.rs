//! A leaf of a compiled pattern as JSON again, for people who ask what was expected.
//!
//! Wildcards, expressions and numbers stand as they were written; texts that ignore case are shown folded. The members
//! come in the order in which they are tried, not in the author's.

use core::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use super::decimal::Number;
use super::leaf::{Excluded, Leaf, Range, Test};
use super::network::Network;

impl Leaf {
    /// The list as a JSON text that compiles to the same.
    pub(in crate::rule) fn describe(&self) -> String {
        let mut members: Vec<String> = self.texts.iter().map(|text| quoted(text)).collect();
        members.extend(self.numbers.iter().map(|number| number.written.to_string()));
        members.extend(self.tests.iter().map(Test::describe));
        members.extend(self.nots.iter().map(|not| operator("not", &not.describe())));
        if self.present {
            members.push(operator("exists", "true"));
        }
        if self.absent {
            members.push(operator("exists", "false"));
        }
        list(&members)
    }
}

impl Test {
    fn describe(&self) -> String {
        match self {
            Test::Null => "null".to_owned(),
            Test::Bool(value) => value.to_string(),
            Test::PrefixIgnoreCase(text) => {
                operator("prefix", &operator("equals-ignore-case", &quoted(text)))
            }
            Test::SuffixIgnoreCase(text) => {
                operator("suffix", &operator("equals-ignore-case", &quoted(text)))
            }
            Test::Within(range) => operator("numeric", &range.describe()),
            Test::AnythingBut(excluded) => operator("anything-but", &excluded.describe()),
            Test::Prefix(_)
            | Test::Suffix(_)
            | Test::Contains(_)
            | Test::IgnoreCase(_)
            | Test::Wildcard(_)
            | Test::Cidr(_)
            | Test::Regex(_) => operator(self.name(), &quoted(&self.text())),
        }
    }

    /// The operator that takes one text; empty for the others.
    fn name(&self) -> &'static str {
        match self {
            Test::Prefix(_) => "prefix",
            Test::Suffix(_) => "suffix",
            Test::Contains(_) => "contains",
            Test::IgnoreCase(_) => "equals-ignore-case",
            Test::Wildcard(_) => "wildcard",
            Test::Cidr(_) => "cidr",
            Test::Regex(_) => "regex",
            Test::Null
            | Test::Bool(_)
            | Test::PrefixIgnoreCase(_)
            | Test::SuffixIgnoreCase(_)
            | Test::Within(_)
            | Test::AnythingBut(_) => "",
        }
    }

    /// What that operator was given.
    fn text(&self) -> String {
        match self {
            Test::Prefix(text) | Test::Suffix(text) | Test::Contains(text) | Test::IgnoreCase(text) => {
                text.to_string()
            }
            Test::Wildcard(wildcard) => wildcard.written.to_string(),
            Test::Cidr(network) => network.describe(),
            Test::Regex(expression) => expression.written.to_string(),
            Test::Null
            | Test::Bool(_)
            | Test::PrefixIgnoreCase(_)
            | Test::SuffixIgnoreCase(_)
            | Test::Within(_)
            | Test::AnythingBut(_) => String::new(),
        }
    }
}

impl Range {
    fn describe(&self) -> String {
        let (lower, upper) = (self.lower.as_ref(), self.upper.as_ref());
        if let (Some(lower), Some(upper)) = (lower, upper)
            && lower.number.as_decimal().compare(&upper.number.as_decimal()).is_eq()
        {
            return format!("[\"=\",{}]", lower.number.written);
        }
        let sign = |inclusive, with, without| if inclusive { with } else { without };
        let lower = lower.map(|bound| (sign(bound.inclusive, ">=", ">"), &bound.number));
        let upper = upper.map(|bound| (sign(bound.inclusive, "<=", "<"), &bound.number));
        let one = |(sign, number): (&str, &Number)| format!("\"{sign}\",{}", number.written);
        list(&lower.into_iter().chain(upper).map(one).collect::<Vec<_>>())
    }
}

impl Excluded {
    fn describe(&self) -> String {
        match self {
            Excluded::Texts(texts) => list(&texts.iter().map(|text| quoted(text)).collect::<Vec<_>>()),
            Excluded::Numbers(numbers) => {
                list(&numbers.iter().map(|number| number.written.to_string()).collect::<Vec<_>>())
            }
            Excluded::Tests(tests) => {
                let operands: Vec<String> = tests.iter().map(|test| quoted(&test.text())).collect();
                operator(tests.first().map_or("", Test::name), &list(&operands))
            }
        }
    }
}

impl Network {
    fn describe(self) -> String {
        match self {
            Network::V4 { base, mask } => format!("{}/{}", Ipv4Addr::from_bits(base), mask.count_ones()),
            Network::V6 { base, mask } => format!("{}/{}", Ipv6Addr::from_bits(base), mask.count_ones()),
        }
    }
}

fn operator(name: &str, operand: &str) -> String {
    format!("{{\"{name}\":{operand}}}")
}

fn list(members: &[String]) -> String {
    format!("[{}]", members.join(","))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use crate::rule::pattern::Pattern;

    fn described(list: &str) -> String {
        let pattern = Pattern::parse_json(&format!("{{\"a\":{list}}}"), None).expect(list);
        pattern.common.conditions[0].leaves[0].describe()
    }

    #[test]
    fn what_is_described_is_what_was_written() {
        for written in [
            r#"["a\"b","c",3e2,300.5,null,true]"#,
            r#"[{"prefix":"a"}]"#,
            r#"[{"suffix":{"equals-ignore-case":"a"}}]"#,
            r#"[{"prefix":{"equals-ignore-case":"a"}}]"#,
            r#"[{"contains":"a"},{"wildcard":"a\\*b*c"}]"#,
            r#"[{"equals-ignore-case":"a"}]"#,
            r#"[{"anything-but":["a","b"]}]"#,
            r#"[{"anything-but":[1,2.50]}]"#,
            r#"[{"anything-but":{"wildcard":["*x","y*"]}}]"#,
            r#"[{"anything-but":{"equals-ignore-case":["x"]}}]"#,
            r#"[{"numeric":["=",5.0]}]"#,
            r#"[{"numeric":[">",3,"<=",8e1]}]"#,
            r#"[{"numeric":["<",3]}]"#,
            r#"[{"cidr":"10.0.0.0/8"},{"cidr":"2001:db8::/32"}]"#,
            r#"[{"regex":"^a\\d+$"}]"#,
            r#"["u",{"not":["x",{"prefix":"y"}]},{"exists":true},{"exists":false}]"#,
        ] {
            assert_eq!(described(written), written);
        }
    }
}
