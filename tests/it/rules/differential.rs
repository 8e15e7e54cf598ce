//! Three matchers agree: a rule set with its index, a plain matcher of ours, and `quamina`, which knows nothing of us.
//!
//! Each operator gets forty random rules and forty random events: 1,600 pairs, of which a fair part matches. What
//! `quamina` cannot do is not asked of it: `contains`, `not`, `$or`, `regex` (its own expressions are written another
//! way), `numeric` (it lets texts and excluded bounds pass), `anything-but` and affixes with an operator inside, `exists` of objects, and conditions on lists within lists.

use std::cell::RefCell;

use quamina::Quamina;
use serde_json::{Value, json};

use super::event_of::{failed_instance, fired, rule_set};
use super::naive;

const EACH: usize = 40;

/// What makes the rules and events of one operator.
struct Operator {
    name: &'static str,
    member: fn(&Random) -> Value,
    value: fn(&Random) -> Value,
    /// `quamina` knows it.
    is_known: bool,
    /// Members of a list, at most; so many that a fair part of the pairs matches.
    members_max: usize,
}

struct Random(RefCell<fastrand::Rng>);

impl Random {
    fn below(&self, end: usize) -> usize {
        self.0.borrow_mut().usize(..end)
    }

    fn one<T: Clone>(&self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    /// Text of few letters, so that texts are alike.
    fn text(&self, least: usize, most: usize) -> String {
        let letters = ['a', 'b', 'a', 'b', '_'];
        (0..least + self.below(most - least + 1)).map(|_| self.one(&letters)).collect()
    }

    fn mixed_case(&self, least: usize, most: usize) -> String {
        let letters = ['a', 'A', 'b', 'B', 'ä', 'Ä'];
        (0..least + self.below(most - least + 1)).map(|_| self.one(&letters)).collect()
    }

    fn number(&self) -> Value {
        let whole = i32::try_from(self.below(9)).expect("a small number") - 4;
        if self.below(4) == 0 { json!(f64::from(whole) + 0.5) } else { json!(whole) }
    }

    fn address(&self) -> String {
        if self.below(3) == 0 {
            format!("2001:db8:0:0:0:0:0:{:x}", self.below(4))
        } else {
            format!("10.{}.0.{}", self.below(2), self.below(4))
        }
    }
}

fn text_of_case(random: &Random) -> Value {
    json!(random.mixed_case(0, 2))
}

fn short_text(random: &Random) -> Value {
    json!(random.text(0, 2))
}

fn text(random: &Random) -> Value {
    json!(random.text(1, 4))
}

const OPERATORS: [Operator; 19] = [
    Operator {
        name: "exact",
        member: |random| match random.below(6) {
            0 => Value::Null,
            1 => json!(true),
            2 | 3 => random.number(),
            _ => short_text(random),
        },
        value: |random| match random.below(6) {
            0 => Value::Null,
            1 => json!(true),
            2 | 3 => json!(random.below(3)),
            _ => short_text(random),
        },
        is_known: true,
        members_max: 12,
    },
    Operator {
        name: "prefix",
        member: |random| json!({"prefix": random.text(1, 2)}),
        value: text,
        is_known: true,
        members_max: 3,
    },
    Operator {
        name: "suffix",
        member: |random| json!({"suffix": random.text(1, 2)}),
        value: text,
        is_known: true,
        members_max: 3,
    },
    Operator {
        name: "prefix of any case",
        member: |random| json!({"prefix": {"equals-ignore-case": random.mixed_case(1, 1)}}),
        value: text_of_case,
        is_known: false,
        members_max: 5,
    },
    Operator {
        name: "suffix of any case",
        member: |random| json!({"suffix": {"equals-ignore-case": random.mixed_case(1, 1)}}),
        value: text_of_case,
        is_known: false,
        members_max: 5,
    },
    Operator {
        name: "contains",
        member: |random| json!({"contains": random.text(1, 3)}),
        value: text,
        is_known: false,
        members_max: 2,
    },
    Operator {
        name: "equals-ignore-case",
        member: |random| json!({"equals-ignore-case": random.mixed_case(0, 1)}),
        value: |random| json!(random.mixed_case(0, 1)),
        is_known: true,
        members_max: 4,
    },
    Operator {
        name: "wildcard",
        member: |random| {
            let parts: Vec<String> = (0..2 + random.below(2)).map(|_| random.text(1, 1)).collect();
            let stars = parts.join("*");
            json!({"wildcard": random.one(&[format!("*{stars}*"), format!("*{stars}"), format!("{stars}*"), stars])})
        },
        value: text,
        is_known: true,
        members_max: 12,
    },
    Operator {
        name: "anything-but of texts",
        member: |random| json!({"anything-but": (0..3).map(|_| random.text(1, 1)).collect::<Vec<_>>()}),
        value: |random| json!(random.text(1, 1)),
        is_known: true,
        members_max: 2,
    },
    Operator {
        name: "anything-but of numbers",
        member: |random| json!({"anything-but": (0..3).map(|_| random.number()).collect::<Vec<_>>()}),
        value: |random| json!(i64::try_from(random.below(5)).expect("small") - 2),
        is_known: true,
        members_max: 2,
    },
    Operator {
        name: "anything-but of an operator",
        member: |random| {
            let name = random.one(&["prefix", "suffix", "equals-ignore-case", "wildcard"]);
            json!({"anything-but": {name: [random.text(1, 1), random.text(1, 1)]}})
        },
        value: |random| json!(random.text(1, 2)),
        is_known: false,
        members_max: 2,
    },
    Operator {
        name: "numeric",
        member: |random| {
            let (low, high) = (random.number(), json!(5 + random.below(3)));
            match random.below(4) {
                0 => json!({"numeric": ["=", low]}),
                1 => json!({"numeric": [random.one(&["<", "<="]), low]}),
                2 => json!({"numeric": [random.one(&[">", ">="]), low]}),
                _ => json!({"numeric": [random.one(&[">", ">="]), low, random.one(&["<", "<="]), high]}),
            }
        },
        value: Random::number,
        is_known: false,
        members_max: 2,
    },
    Operator {
        name: "cidr",
        member: |random| {
            let address = random.address();
            let length = if address.contains(':') { 124 + random.below(5) } else { 8 + 2 * random.below(13) };
            json!({"cidr": format!("{address}/{length}")})
        },
        value: |random| json!(random.address()),
        is_known: true,
        members_max: 2,
    },
    Operator {
        name: "regex",
        member: |random| {
            let (one, other) = (random.text(1, 1), random.text(1, 2));
            json!({"regex": random.one(&[format!("^{one}+"), format!("{one}{{2}}"), format!("{one}.?{other}$")])})
        },
        value: text,
        is_known: false,
        members_max: 6,
    },
    Operator {
        name: "exists",
        member: |random| json!({"exists": random.below(2) == 0}),
        value: |random| {
            random.one(&[json!({}), json!([]), json!({"x": []}), json!({"x": null}), json!(1), json!([[]])])
        },
        is_known: false,
        members_max: 2,
    },
    Operator {
        name: "not",
        member: |random| {
            random.one(&[
                json!({"not": random.text(1, 1)}),
                json!({"not": [{"prefix": random.text(1, 1)}, null]}),
                json!({"not": {"exists": true}}),
            ])
        },
        value: |random| json!(random.text(1, 2)),
        is_known: false,
        members_max: 2,
    },
    Operator {
        name: "$or",
        member: |random| random.one(&[short_text(random), random.number(), json!({"exists": false})]),
        value: |random| random.one(&[short_text(random), random.number()]),
        is_known: false,
        members_max: 16,
    },
    Operator {
        name: "one element of a list",
        member: |random| {
            random.one(&[
                short_text(random),
                json!({"exists": false}),
                json!({"anything-but": "a"}),
                json!({"not": "b"}),
            ])
        },
        value: short_text,
        is_known: false,
        members_max: 2,
    },
    Operator {
        name: "several kinds",
        member: |random| {
            let kind = random.below(13);
            (OPERATORS[kind].member)(random)
        },
        value: |random| {
            let kind = random.below(13);
            (OPERATORS[kind].value)(random)
        },
        is_known: false,
        members_max: 2,
    },
];

impl Operator {
    fn members(&self, random: &Random) -> Value {
        Value::Array((0..=random.below(self.members_max)).map(|_| (self.member)(random)).collect())
    }

    fn pattern(&self, random: &Random) -> Value {
        match self.name {
            "$or" => {
                let mut pattern = json!({"$or": [{"f": self.members(random)}, {"g": self.members(random), "f": self.members(random)}]});
                if random.below(3) == 0 {
                    pattern["h"] = json!({"$or": [{"x": self.members(random)}, {"y": self.members(random)}]});
                }
                pattern
            }
            "one element of a list" if random.below(3) == 0 => {
                json!({"l": {"f": self.members(random)}, "$or": [{"l.g": self.members(random)}, {"l.g": self.members(random)}]})
            }
            "one element of a list" => json!({"l": {"f": self.members(random), "g": self.members(random)}}),
            _ => json!({"f": self.members(random)}),
        }
    }

    fn event(&self, random: &Random) -> Value {
        let field = |random: &Random| match random.below(12) {
            0 => Value::Array((0..random.below(3)).map(|_| (self.value)(random)).collect()),
            1 => random.one(&[Value::Null, json!(7), json!("x"), json!(false)]),
            _ => (self.value)(random),
        };
        if self.name == "one element of a list" {
            let element = |random: &Random| {
                let mut element = json!({"f": field(random)});
                if random.below(3) > 0 {
                    element["g"] = field(random);
                }
                element
            };
            return json!({"l": (0..random.below(4)).map(|_| element(random)).collect::<Vec<_>>()});
        }
        let mut event = json!({"h": {"x": field(random)}});
        for name in ["f", "g"] {
            if random.below(10) > 0 {
                event[name] = field(random);
            }
        }
        event
    }
}

#[test]
fn the_index_a_plain_matcher_and_another_projects_matcher_agree() {
    let mut unfair = Vec::new();
    for operator in &OPERATORS {
        let random = Random(RefCell::new(fastrand::Rng::with_seed(7)));
        let patterns: Vec<Value> = (0..EACH).map(|_| operator.pattern(&random)).collect();
        let rules: Vec<String> = patterns
            .iter()
            .enumerate()
            .map(|(place, pattern)| {
                format!("[[rule]]\nname = \"r{place}\"\nmatch = '''{}'''\n", json!({"data": pattern}))
            })
            .collect();
        let rules = rule_set(&rules.concat());
        let mut other = Quamina::new();
        for (place, pattern) in patterns.iter().enumerate().filter(|_| operator.is_known) {
            other
                .add_pattern(place, &pattern.to_string())
                .unwrap_or_else(|error| panic!("{pattern}: {error}"));
        }
        let mut matched = 0;
        for _ in 0..EACH {
            let event = operator.event(&random);
            let text = event.to_string();
            let found = fired(&rules, &failed_instance(&text));
            let name = |place: usize| format!("r{place}");
            let expected: Vec<String> =
                (0..EACH).filter(|place| naive::matches(&patterns[*place], &event)).map(name).collect();
            let shown = |names: &[String]| {
                let differs =
                    |place: &usize| names.contains(&name(*place)) != expected.contains(&name(*place));
                (0..EACH).find(differs).map(|place| patterns[place].to_string())
            };
            assert_eq!(found, expected, "{}: {:?} on {text}", operator.name, shown(&found));
            if operator.is_known {
                let mut places = other.matches_for_event(text.as_bytes()).expect("an event");
                places.sort_unstable();
                let theirs: Vec<String> = places.into_iter().map(name).collect();
                assert_eq!(theirs, expected, "{} of quamina: {:?} on {text}", operator.name, shown(&theirs));
            }
            matched += found.len();
        }
        let share = matched * 100 / (EACH * EACH);
        if !(30..=70).contains(&share) {
            unfair.push(format!("{}: {share} %", operator.name));
        }
    }
    assert!(unfair.is_empty(), "of these too many pairs match, or too few: {unfair:?}");
}
