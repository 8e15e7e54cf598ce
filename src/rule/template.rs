//! Parameter templates: compiled once, rendered for each match.
//!
//! A string that is exactly one `{{ expr }}` keeps its JSON type; any other string renders to text. What
//! is undefined is an error. Work and output are bounded. A secret is named, never rendered: only a string
//! that is exactly `{{ secret("name") }}` becomes [`secret_placeholder`], and no value of an event can look
//! like one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};

use minijinja::{Environment, ErrorKind, Expression};
use serde_json::Value as Json;

use crate::rule::engine::{ENVIRONMENT, FUEL, inside, json_of, plain, spend, too_large, unknown_filters};
pub use crate::rule::scope::Scope;

/// Bytes that one rendered parameter may have.
pub const RENDERED_BYTES_MAX: usize = 64 * 1024;
/// The key of the object that stands for a secret.
pub const SECRET_KEY: &str = "$secret";
/// Functions of the template engine, which are no names of the event.
pub(crate) const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// A parameter's value with its templates compiled.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Value {
    path: String,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Literal(Json),
    Text(Compiled<Environment<'static>>),
    Expression(Compiled<Expression<'static, 'static>>),
    Secret(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

/// A template, and what the engine made of it; of a text that is an environment, with the template under the empty
/// name.
pub(crate) struct Compiled<T> {
    source: String,
    made: T,
}

/// A template that could not be rendered for an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct RenderError {
    /// The parameter, dotted.
    pub path: String,
    /// What is missing or wrong.
    pub message: String,
}

/// What is wrong with a template as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateProblem {
    pub(crate) message: String,
    pub(crate) help: String,
}

/// The rendered form of `{{ secret("name") }}`: stored and shown as it is, resolved when it is sent.
#[must_use]
pub fn secret_placeholder(name: &str) -> Json {
    let mut object = serde_json::Map::new();
    object.insert(SECRET_KEY.to_owned(), Json::from(name));
    Json::Object(object)
}

/// The secret that a rendered value names, if it is a placeholder.
#[must_use]
pub fn secret_name(value: &Json) -> Option<&str> {
    match value {
        Json::Object(object) if object.len() == 1 => object.get(SECRET_KEY)?.as_str(),
        _ => None,
    }
}

impl<T> fmt::Debug for Compiled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Compiled").field(&self.source).finish()
    }
}

/// A template is what was written.
impl<T> PartialEq for Compiled<T> {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl<T> Eq for Compiled<T> {}

impl<T> Hash for Compiled<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.source.hash(state);
    }
}

impl Value {
    pub(crate) fn literal(path: &str, value: Json) -> Self {
        Value { path: path.to_owned(), kind: Kind::Literal(value) }
    }

    pub(crate) fn list(path: &str, elements: Vec<Value>) -> Self {
        Value { path: path.to_owned(), kind: Kind::List(elements) }
    }

    pub(crate) fn map(path: &str, entries: BTreeMap<String, Value>) -> Self {
        Value { path: path.to_owned(), kind: Kind::Map(entries) }
    }

    /// Compiles a string as a rule's author wrote it.
    pub(crate) fn compile(path: &str, source: &str) -> Result<Self, TemplateProblem> {
        let kind = match lone_expression(source) {
            Some(expression) => {
                if let Some(name) = secret_call(expression) {
                    return Ok(Value { path: path.to_owned(), kind: Kind::Secret(name.to_owned()) });
                }
                let compiled = ENVIRONMENT
                    .compile_expression_owned(expression.to_owned())
                    .map_err(|error| syntax_problem(&error))?;
                refuse_mixed_secret(&compiled.undeclared_variables(false))?;
                Kind::Expression(Compiled { source: expression.to_owned(), made: compiled })
            }
            None if ["{{", "{%", "{#"].iter().any(|opening| source.contains(opening)) => {
                let mut environment = ENVIRONMENT.clone();
                environment
                    .add_template_owned("", source.to_owned())
                    .map_err(|error| syntax_problem(&error))?;
                let text = Compiled { source: source.to_owned(), made: environment };
                refuse_mixed_secret(&text.undeclared(false))?;
                Kind::Text(text)
            }
            None => Kind::Literal(Json::from(source)),
        };
        Ok(Value { path: path.to_owned(), kind })
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The parameter that it belongs to, dotted.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The names at the top that its own template asks for, sorted.
    pub(crate) fn roots(&self) -> BTreeSet<String> {
        self.undeclared(false)
    }

    /// The same with what it reads below them, dotted.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        self.undeclared(true)
    }

    fn undeclared(&self, nested: bool) -> BTreeSet<String> {
        match &self.kind {
            Kind::Text(text) => text.undeclared(nested).into_iter().collect(),
            Kind::Expression(lone) => lone.made.undeclared_variables(nested).into_iter().collect(),
            Kind::Literal(_) | Kind::Secret(_) | Kind::List(_) | Kind::Map(_) => BTreeSet::new(),
        }
    }

    /// Its own template as it is written, of a lone expression what stands between the braces; empty if it has none.
    pub(crate) fn source(&self) -> &str {
        match &self.kind {
            Kind::Text(text) => &text.source,
            Kind::Expression(lone) => lone.source(),
            Kind::Literal(_) | Kind::Secret(_) | Kind::List(_) | Kind::Map(_) => "",
        }
    }

    /// The filters in its own template that do not exist, sorted.
    pub(crate) fn unknown_filters(&self) -> BTreeSet<String> {
        let source = self.source();
        if matches!(self.kind, Kind::Expression(_)) {
            return unknown_filters(source);
        }
        let codes = ["{{", "{%"].into_iter().flat_map(|opening| source.split(opening).skip(1));
        codes.flat_map(|code| unknown_filters(inside(code))).collect()
    }

    /// Renders the value; a lone `{{ expr }}` keeps its JSON type.
    ///
    /// # Errors
    /// An undefined name, a failing expression, or too much work.
    pub fn render(&self, scope: &Scope) -> Result<Json, RenderError> {
        let mut bytes_left = RENDERED_BYTES_MAX;
        self.render_within(&scope.root(), scope, &mut bytes_left)
    }

    fn render_within(
        &self,
        root: &minijinja::Value,
        scope: &Scope,
        bytes_left: &mut usize,
    ) -> Result<Json, RenderError> {
        let failed = |message: String| RenderError { path: self.path.clone(), message };
        match &self.kind {
            // What the author wrote is bounded by the size of the file.
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Secret(name) => Ok(secret_placeholder(name)),
            Kind::Text(text) => {
                let rendered = text.render(root, scope).map_err(failed)?;
                spend(bytes_left, rendered.len()).map_err(failed)?;
                Ok(Json::from(rendered))
            }
            Kind::Expression(lone) => {
                let paths = || lone.made.undeclared_variables(true);
                let value = lone
                    .made
                    .eval(root.clone())
                    .map_err(|error| failed(explained(&error, paths(), scope)))?;
                if value.is_undefined() {
                    return Err(failed(undefined(paths(), scope)));
                }
                json_of(&value, bytes_left, 0).map_err(failed)
            }
            Kind::List(elements) => {
                let rendered = elements.iter().map(|element| element.render_within(root, scope, bytes_left));
                Ok(Json::Array(rendered.collect::<Result<_, _>>()?))
            }
            Kind::Map(entries) => {
                let rendered = entries
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), value.render_within(root, scope, bytes_left)?)));
                Ok(Json::Object(rendered.collect::<Result<_, _>>()?))
            }
        }
    }
}

impl Compiled<Expression<'static, 'static>> {
    /// As it is written between the braces.
    pub(crate) fn source(&self) -> &str {
        self.source.trim()
    }
}

impl Compiled<Environment<'static>> {
    fn undeclared(&self, nested: bool) -> HashSet<String> {
        self.made.get_template("").map(|template| template.undeclared_variables(nested)).unwrap_or_default()
    }

    fn render(&self, root: &minijinja::Value, scope: &Scope) -> Result<String, String> {
        let mut buffer = vec![0; RENDERED_BYTES_MAX];
        let mut rest = buffer.as_mut_slice();
        let template = self.made.get_template("").map_err(|error| plain(&error))?;
        template.render_captured_to(root.clone(), &mut rest).map_err(|error| match error.kind() {
            ErrorKind::WriteFailure => too_large(),
            _ => explained(&error, self.undeclared(true), scope),
        })?;
        let written = RENDERED_BYTES_MAX - rest.len();
        buffer.truncate(written);
        String::from_utf8(buffer).map_err(|_| "the rendered text is not UTF-8".to_owned())
    }
}

/// The expression of a string that is exactly one `{{ expr }}`.
fn lone_expression(source: &str) -> Option<&str> {
    let inner = source.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    let mut open = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for character in inner.chars() {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(own), _) if own == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '{' | '[' | '(') => open += 1,
            // More closed than opened: the first expression ends before the string does.
            (None, '}' | ']' | ')') => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    Some(inner.trim())
}

/// The name in `secret("name")`, if the expression is just that with a name written out.
fn secret_call(expression: &str) -> Option<&str> {
    let argument =
        expression.strip_prefix("secret")?.trim_start().strip_prefix('(')?.strip_suffix(')')?.trim();
    let quoted = |quote: char| argument.strip_prefix(quote)?.strip_suffix(quote);
    let name = quoted('"').or_else(|| quoted('\''))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (!name.is_empty() && name.chars().all(allowed)).then_some(name)
}

fn refuse_mixed_secret(roots: &HashSet<String>) -> Result<(), TemplateProblem> {
    if !roots.contains("secret") {
        return Ok(());
    }
    Err(TemplateProblem {
        message: "a secret is named, it cannot be part of an expression or a longer text".to_owned(),
        help: "the string is exactly `{{ secret(\"name\") }}`, the name of letters, digits, `.`, `_` and `-`"
            .to_owned(),
    })
}

fn syntax_problem(error: &minijinja::Error) -> TemplateProblem {
    TemplateProblem {
        message: format!("the template does not compile: {}", plain(error)),
        help: String::new(),
    }
}

fn explained(error: &minijinja::Error, paths: impl IntoIterator<Item = String>, scope: &Scope) -> String {
    match error.kind() {
        ErrorKind::UndefinedError => undefined(paths, scope),
        ErrorKind::OutOfFuel => format!("more than {FUEL} steps of work"),
        _ => plain(error),
    }
}

fn undefined(paths: impl IntoIterator<Item = String>, scope: &Scope) -> String {
    let missing: BTreeSet<String> = paths
        .into_iter()
        .filter(|path| !FUNCTIONS.contains(&path.as_str()))
        .filter_map(|path| scope.first_missing(&path))
        .collect();
    if missing.is_empty() {
        return "the event has no such value; `| default(...)` gives one".to_owned();
    }
    let names: Vec<String> = missing.into_iter().map(|name| format!("`{name}`")).collect();
    format!("the event has no {}; `| default(...)` gives one", names.join(", "))
}
