//! Parameter templates.
use crate::event::Event;

/// A parameter's value with its templates compiled.
#[derive(Debug)]
pub struct Value {}

/// A template that could not be rendered for an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct RenderError {
    /// The parameter, dotted.
    pub path: String,
    /// What is missing or wrong.
    pub message: String,
}

/// What templates see of an event, prepared once an event.
#[derive(Debug)]
pub struct Scope {}

impl Scope {
    /// The scope of `event`.
    #[must_use]
    pub fn of_event(event: &Event<'_>) -> Self {
        let _ = event;
        todo!()
    }
}

impl Value {
    /// Renders the value; a lone `{{ expr }}` keeps its JSON type.
    ///
    /// # Errors
    /// An undefined name, a failing expression, or too much work.
    pub fn render(&self, scope: &Scope) -> Result<serde_json::Value, RenderError> {
        let _ = scope;
        todo!()
    }
}
